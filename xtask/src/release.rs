//! The files of a release: each is named by its content, `release.json` lists them, and `index.html` pins the list.
//!
//! `release.json` is an array of `{path, bytes, sha256}`, sorted by path: every file of the site but itself, the service
//! worker, which browsers know by its name, and `index.html`, which names the sha256 of `release.json` in
//! `peargpt:release`. In `peargpt:files` it says what `start.js`
//! loads by name, `{"page.js": ["page-….js", "sha256-…"]}`, and its own links carry `integrity`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PAGE: &str = "index.html";
const MANIFEST: &str = "release.json";
/// What keeps its name and is no file of a release.
const UNLISTED: [&str; 3] = [PAGE, MANIFEST, "service-worker.js"];
/// What names other files: the web app manifest its icons.
const APP: &str = ".webmanifest";
/// Digits of the sha256 in a file's name.
const DIGITS: usize = 16;
/// Digits that Trunk puts there at least: 16, less the zeros at the front. Fewer than these come once in a million files.
const TRUNKS_DIGITS: usize = 11;
/// Followed by what stands there while the page is written.
const RELEASE: &str = "name=\"peargpt:release\" content=\"";
const FILES: &str = "name=\"peargpt:files\" content=\"";

/// A file of the release.
struct File {
    /// Its path without a hash.
    name: String,
    /// Its path as the build left it, and from now on.
    old: String,
    path: String,
    bytes: u64,
    sha256: Vec<u8>,
}

/// Names the files in `site` by their content, but not those that the catalog already lists with their sha256 (`kept`);
/// writes the list of them, and the names into the page.
pub fn release(site: &Path, kept: &BTreeSet<PathBuf>, html: &str) -> Result<String> {
    let mut files = Vec::new();
    let mut paths: Vec<String> = paths(site)?.into_iter().filter(|path| !UNLISTED.contains(&path.as_str())).collect();
    paths.sort_by_key(|path| path.ends_with(APP));
    for old in paths {
        if old.ends_with(APP) {
            rename_in(&site.join(&old), &files)?;
        }
        let file = read(site, old, kept)?;
        fs::rename(site.join(&file.old), site.join(&file.path))
            .with_context(|| format!("{} cannot be named", file.old))?;
        files.push(file);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let manifest = manifest(&files);
    fs::write(site.join(MANIFEST), &manifest).context("release.json cannot be written")?;
    let html = files.iter().fold(html.to_string(), |html, file| link(&html, file));
    let html = fill(&html, RELEASE, &hex(&Sha256::digest(&manifest)))?;
    fill(&html, FILES, &loaded(&files).to_string().replace('"', "&quot;"))
}

/// Gives files their new names in one that names them.
fn rename_in(path: &Path, files: &[File]) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let renamed =
        |text: String, file: &File| text.replace(&format!("\"./{}\"", file.old), &format!("\"./{}\"", file.path));
    fs::write(path, files.iter().fold(text, renamed)).with_context(|| format!("{} cannot be written", path.display()))
}

fn read(site: &Path, old: String, kept: &BTreeSet<PathBuf>) -> Result<File> {
    let content = fs::read(site.join(&old)).with_context(|| format!("{old} cannot be read"))?;
    let sha256 = Sha256::digest(&content).to_vec();
    let is_kept = kept.contains(Path::new(&old));
    let name = if is_kept { old.clone() } else { plain(&old) };
    let path = if is_kept { old.clone() } else { hashed(&name, &hex(&sha256)) };
    Ok(File { name, old, path, bytes: content.len() as u64, sha256 })
}

/// The paths of all files under a folder, relative to it.
fn paths(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a file of the site has a name that is not UTF-8")?;
        if entry.path().is_dir() {
            paths.extend(self::paths(&entry.path())?.into_iter().map(|path| format!("{name}/{path}")));
        } else {
            paths.push(name);
        }
    }
    Ok(paths)
}

/// What stands before and after the hash in a path: `page` and `_bg.wasm`, `styles/a.b` and `.css`.
fn ends(path: &str) -> (&str, &str) {
    let folder = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[folder..].rfind('.').map_or(path.len(), |dot| folder + dot);
    path.split_at(path.find("_bg.wasm").unwrap_or(dot))
}

/// The path without the hash that Trunk has put there.
fn plain(path: &str) -> String {
    let (stem, end) = ends(path);
    let is_hash = |hash: &str| {
        (TRUNKS_DIGITS..=DIGITS).contains(&hash.len()) && hash.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let stem = stem.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(stem, |(stem, _)| stem);
    format!("{stem}{end}")
}

/// The path with a hash, as Trunk writes it.
fn hashed(path: &str, sha256: &str) -> String {
    let (stem, end) = ends(path);
    format!("{stem}-{}{end}", &sha256[..DIGITS])
}

fn hex(sha256: &[u8]) -> String {
    sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn integrity(file: &File) -> String {
    format!("sha256-{}", STANDARD.encode(&file.sha256))
}

fn manifest(files: &[File]) -> String {
    let list = files.iter().map(|file| json!({ "path": file.path, "bytes": file.bytes, "sha256": hex(&file.sha256) }));
    format!("{:#}\n", list.collect::<Value>())
}

/// What `start.js` and the page load by name: programs and the catalog.
fn loaded(files: &[File]) -> Value {
    let is_loaded = |file: &&File| [".js", ".wasm", ".json", ".txt"].iter().any(|end| file.path.ends_with(end));
    let named = files.iter().filter(is_loaded).map(|file| (&file.name, json!([file.path, integrity(file)])));
    json!(named.collect::<BTreeMap<_, _>>())
}

/// The page with a file's new name, and its integrity, in each tag that names the file.
fn link(html: &str, file: &File) -> String {
    let (old, new) = (format!("=\"./{}\"", file.old), format!("=\"./{}\"", file.path));
    html.split_inclusive('>')
        .map(|tag| if tag.contains(&old) { pinned(&tag.replace(&old, &new), file) } else { tag.into() })
        .collect()
}

/// A tag with the file's integrity in the place of Trunk's. Chromium knows none for what is preloaded to be fetched, and
/// complains; `start.js` then fetches with it.
fn pinned(tag: &str, file: &File) -> String {
    if tag.contains("as=\"fetch\"") {
        return tag.to_string();
    }
    const TRUNKS: &str = " integrity=\"";
    let (before, after) = match tag.split_once(TRUNKS) {
        Some((before, after)) => (before, after.split_once('"').map_or(after, |(_, after)| after)),
        None => tag.split_at(tag.len() - if tag.ends_with("/>") { 2 } else { 1 }),
    };
    format!("{before} integrity=\"{}\"{after}", integrity(file))
}

/// Writes the value of an attribute.
fn fill(html: &str, attribute: &str, value: &str) -> Result<String> {
    let (before, after) = split_once(html, attribute)?;
    let after = after.trim_start_matches(|character| character != '"');
    Ok(format!("{before}{attribute}{value}{after}"))
}

/// What stands around the only place where `html` has `part`.
pub fn split_once<'a>(html: &'a str, part: &str) -> Result<(&'a str, &'a str)> {
    let places = html.matches(part).count();
    ensure!(places == 1, "index.html must contain `{part}` once, it does {places} times");
    html.split_once(part).context("counted above")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that names two files, as Trunk writes it.
    const HTML: &str = "<!-- a.js --><meta name=\"peargpt:release\" content=\"\" /><meta name=\"peargpt:files\" content=\"\" />\
        <link href=\"./b-0123456789abcdef.css\" integrity=\"sha384-old\" media=\"all\"/><script src=\"./a.js\"></script>\
        <link href=\"./a_bg.wasm\" as=\"fetch\">";
    /// The sha256 of `abc`, FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn site(test: &str) -> PathBuf {
        let folder = crate::run::root().join("target/tmp").join(test);
        let _ = fs::remove_dir_all(&folder);
        for name in [
            "a.js",
            "a_bg.wasm",
            "b-0123456789abcdef.css",
            "weights/catalog.json",
            "weights/w/part0",
            "index.html",
            "service-worker.js",
        ] {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "abc").unwrap();
        }
        folder
    }

    #[test]
    fn every_file_is_named_by_its_content_and_listed() {
        let site = site("every_file_is_named_by_its_content_and_listed");
        let html = release(&site, &BTreeSet::from([PathBuf::from("weights/w/part0")]), HTML).unwrap();
        let hash = &ABC[..16];
        let expected = [
            format!("a-{hash}.js"),
            format!("a-{hash}_bg.wasm"),
            format!("b-{hash}.css"),
            format!("weights/catalog-{hash}.json"),
            "weights/w/part0".to_string(),
        ];
        let manifest = fs::read_to_string(site.join(MANIFEST)).unwrap();
        let listed: Vec<Value> = serde_json::from_str(&manifest).unwrap();
        assert_eq!(listed, expected.clone().map(|path| json!({ "path": path, "bytes": 3, "sha256": ABC })));
        let mut found = paths(&site).unwrap();
        found.sort();
        let mut all = [&expected[..], &UNLISTED.map(String::from)].concat();
        all.sort();
        assert_eq!(found, all);
        assert!(html.contains(&format!("{RELEASE}{}\"", hex(&Sha256::digest(&manifest)))), "{html}");
    }

    #[test]
    fn trunks_hash_goes_also_where_it_begins_with_zeros_and_nothing_else_does() {
        assert_eq!(plain("page-b080d9e3e6e9948_bg.wasm"), "page_bg.wasm");
        assert_eq!(plain("worker-relaxed-57927baea519c438.js"), "worker-relaxed.js");
        for name in ["icon-192.png", "worker-relaxed.js", "weights/a-b.css", "cafe-decade.js"] {
            assert_eq!(plain(name), name);
        }
    }

    #[test]
    fn the_page_pins_what_it_names() {
        let html = release(&site("the_page_pins_what_it_names"), &BTreeSet::new(), HTML).unwrap();
        // `openssl dgst -sha256 -binary | base64` of `abc`.
        let pin = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let tags = "<link href=\"./b-ba7816bf8f01cfea.css\" integrity=\"PIN\" media=\"all\"/>\
            <script src=\"./a-ba7816bf8f01cfea.js\" integrity=\"PIN\"></script>\
            <link href=\"./a-ba7816bf8f01cfea_bg.wasm\" as=\"fetch\">";
        assert!(html.ends_with(&tags.replace("PIN", pin)), "{html}");
        let json = html.split(FILES).nth(1).unwrap().split('"').next().unwrap().replace("&quot;", "\"");
        let files: BTreeMap<String, [String; 2]> = serde_json::from_str(&json).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.js", "a_bg.wasm", "weights/catalog.json"]);
        assert_eq!(files["a_bg.wasm"], ["a-ba7816bf8f01cfea_bg.wasm", pin]);
    }

    #[test]
    fn the_app_manifest_names_its_icons_as_they_are_called() {
        let site = site("the_app_manifest_names_its_icons_as_they_are_called");
        fs::write(site.join("app.webmanifest"), r#"{ "icons": ["./a.js", "./b.js"] }"#).unwrap();
        release(&site, &BTreeSet::new(), HTML).unwrap();
        let names = paths(&site).unwrap();
        let app = names.iter().find(|name| name.ends_with(APP)).unwrap();
        let expected = format!(r#"{{ "icons": ["./a-{}.js", "./b.js"] }}"#, &ABC[..16]);
        assert_eq!(fs::read_to_string(site.join(app)).unwrap(), expected);
        assert!(app.contains(&hex(&Sha256::digest(&expected))[..16]), "{app}");
    }

    #[test]
    fn a_page_without_the_placeholders_is_refused_by_name() {
        for placeholder in [RELEASE, FILES] {
            let site = site("a_page_without_the_placeholders_is_refused_by_name");
            let error = release(&site, &BTreeSet::new(), &HTML.replace(placeholder, "")).unwrap_err().to_string();
            assert!(error.contains(placeholder), "{error}");
        }
    }
}
