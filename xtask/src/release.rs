//! The files of a release: each is named by its content, `release.json` lists them, and `index.html` pins the list. How is
//! said in `src/app/publish/document.rs`, by which a browser publishes a site, too.
//!
//! Other pages import the module for them by a name that stays: `peargpt.js` is one line that names the file with its hash.
//! It is no file of the release, nor is `embed.html`, which names files as `index.html` does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::document::{
    APP, About, Listed, MANIFEST, MODULES, PAGE, SERVICE_WORKER, SITE, TEMPLATE, document, link, manifest, module,
    with_service_worker,
};

/// A page of the site beside that one.
pub const SHOW: &str = "embed.html";
/// What keeps its name and is no file of a release.
const UNLISTED: [&str; 4] = [PAGE, MANIFEST, SERVICE_WORKER, SHOW];
/// What names other files, after those that it names: the web app manifest its icons, the module its parts and programs.
const NAMING: [&str; 7] = [APP, "programs.js", "options.js", "engine.js", "peargpt.js", "pear-gpt.js", "embed.js"];

/// Names the files in `site` by their content, but not those that the catalog already lists with their sha256 (`kept`);
/// writes the list of them and the template, and returns the page, which may ask these origins.
pub fn release(site: &Path, kept: &BTreeSet<PathBuf>, html: &str, origins: &[String]) -> Result<String> {
    let (title, sentence) = about(site)?;
    let mut files: Vec<(String, Listed)> = Vec::new();
    let mut paths: Vec<String> = paths(site)?.into_iter().filter(|path| !UNLISTED.contains(&path.as_str())).collect();
    let naming = |path: &str| NAMING.iter().position(|name| path.ends_with(name));
    paths.sort_by_key(|path| naming(path));
    for old in paths {
        if naming(&old).is_some() {
            rename_in(&site.join(&old), &files)?;
        }
        let file = read(site, &old, kept)?;
        fs::rename(site.join(&old), site.join(&file.path)).with_context(|| format!("{old} cannot be named"))?;
        files.push((old, file));
    }
    let worker = fs::read(site.join(SERVICE_WORKER)).context("service-worker.js is not part of the site")?;
    let template = with_service_worker(html, &sha256(&worker))?;
    let template = files.iter().fold(template, |html, (old, file)| link(&html, old, file));
    let mut files: Vec<Listed> = files.into_iter().map(|(_, file)| file).collect();
    show(site, &files)?;
    for name in MODULES {
        if let Some(text) = module(&files, name) {
            fs::write(site.join(name), text).with_context(|| format!("{name} cannot be written"))?;
        }
    }
    let file = Listed::named(TEMPLATE, template.len() as u64, sha256(template.as_bytes()));
    fs::write(site.join(&file.path), &template).with_context(|| format!("{} cannot be written", file.path))?;
    files.push(file);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let manifest = manifest(&files);
    fs::write(site.join(MANIFEST), &manifest).context("release.json cannot be written")?;
    let about = About { title: &title, sentence: &sentence };
    Ok(document(&template, about, &files, &sha256(manifest.as_bytes()), origins)?)
}

/// Title and sentence of the site.
fn about(site: &Path) -> Result<(String, String)> {
    let text = fs::read(site.join(SITE)).context("site.json is not part of the site: index.html must copy it")?;
    let json: Value = serde_json::from_slice(&text).context("site.json is not JSON")?;
    let text = |name: &str| json[name].as_str().map(String::from).with_context(|| format!("site.json has no {name}"));
    Ok((text("title")?, text("sentence")?))
}

/// Gives files their new names in the page beside the first, if there is one.
fn show(site: &Path, files: &[Listed]) -> Result<()> {
    let path = site.join(SHOW);
    let Ok(html) = fs::read_to_string(&path) else { return Ok(()) };
    let html = files.iter().fold(html, |html, file| link(&html, &file.name, file));
    fs::write(&path, html).context("embed.html cannot be written")
}

/// Gives files their new names in one that names them.
fn rename_in(path: &Path, files: &[(String, Listed)]) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let renamed = |text: String, (_, file): &(String, Listed)| {
        text.replace(&format!("\"./{}\"", file.name), &format!("\"./{}\"", file.path))
    };
    fs::write(path, files.iter().fold(text, renamed)).with_context(|| format!("{} cannot be written", path.display()))
}

fn read(site: &Path, old: &str, kept: &BTreeSet<PathBuf>) -> Result<Listed> {
    let content = fs::read(site.join(old)).with_context(|| format!("{old} cannot be read"))?;
    let (bytes, sha256) = (content.len() as u64, sha256(&content));
    Ok(match kept.contains(Path::new(old)) {
        true => Listed::kept(old.to_string(), bytes, sha256),
        false => Listed::named(old, bytes, sha256),
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    /// A page that names two files, as Trunk writes it.
    const HTML: &str = "<!-- a.js --><title></title><meta property=\"og:title\" content=\"\"><meta name=\"description\" \
        content=\"\"><meta property=\"og:description\" content=\"\"><meta http-equiv=\"Content-Security-Policy\" \
        content=\"connect-src 'self'\"><meta name=\"peargpt:release\" content=\"\" /><meta name=\"peargpt:files\" \
        content=\"\" /><meta name=\"peargpt:service-worker\" content=\"\">\
        <link href=\"./b-0123456789abcdef.css\" integrity=\"sha384-old\" media=\"all\"/><script src=\"./a.js\"></script>";
    const FILES: &str = "name=\"peargpt:files\" content=\"";
    const SITE_TEXT: &str = r#"{ "title": "A site", "sentence": "It is." }"#;
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
            SHOW,
        ] {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "abc").unwrap();
        }
        fs::write(folder.join(SITE), SITE_TEXT).unwrap();
        folder
    }

    fn released(site: &Path, kept: &[&str]) -> Result<String> {
        release(site, &kept.iter().map(PathBuf::from).collect(), HTML, &[])
    }

    #[test]
    fn every_file_is_named_by_its_content_and_listed() {
        let site = site("every_file_is_named_by_its_content_and_listed");
        let html = released(&site, &["weights/w/part0"]).unwrap();
        let hash = &ABC[..16];
        let manifest = fs::read_to_string(site.join(MANIFEST)).unwrap();
        let listed: Vec<Value> = serde_json::from_str(&manifest).unwrap();
        let mut expected: Vec<String> = listed.iter().map(|file| file["path"].as_str().unwrap().to_string()).collect();
        for path in [
            &format!("a-{hash}.js"),
            &format!("a-{hash}_bg.wasm"),
            &format!("b-{hash}.css"),
            &format!("weights/catalog-{hash}.json"),
            "weights/w/part0",
        ] {
            assert!(listed.contains(&json!({ "path": path, "bytes": 3, "sha256": ABC })), "{path}: {manifest}");
        }
        assert_eq!(expected.len(), 7, "and site.json and the template: {expected:?}");
        let mut found = paths(&site).unwrap();
        found.sort();
        expected.extend(UNLISTED.map(String::from));
        expected.sort();
        assert_eq!(found, expected);
        assert!(
            html.contains(&format!("name=\"peargpt:release\" content=\"{}\"", sha256(manifest.as_bytes()))),
            "{html}"
        );
        assert!(html.contains("<title>A site</title>"), "{html}");
    }

    #[test]
    fn the_page_and_its_template_pin_what_they_name() {
        let site = site("the_page_and_its_template_pin_what_they_name");
        let html = released(&site, &[]).unwrap();
        // `openssl dgst -sha256 -binary | base64` of `abc`.
        let pin = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let tags = "<link href=\"./b-ba7816bf8f01cfea.css\" integrity=\"PIN\" media=\"all\"/>\
            <script src=\"./a-ba7816bf8f01cfea.js\" integrity=\"PIN\"></script>";
        let is_template = |path: &String| path.starts_with("template-");
        let template =
            fs::read_to_string(site.join(paths(&site).unwrap().into_iter().find(is_template).unwrap())).unwrap();
        for text in [&html, &template] {
            assert!(text.ends_with(&tags.replace("PIN", pin)), "{text}");
            assert!(text.contains(&format!("name=\"peargpt:service-worker\" content=\"{ABC}\"")), "{text}");
        }
        let json = html.split(FILES).nth(1).unwrap().split('"').next().unwrap().replace("&quot;", "\"");
        let files: BTreeMap<String, [String; 2]> = serde_json::from_str(&json).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.js", "a_bg.wasm", "site.json", "weights/catalog.json"]);
        assert_eq!(files["a_bg.wasm"], ["a-ba7816bf8f01cfea_bg.wasm", pin]);
    }

    #[test]
    fn the_app_manifest_names_its_icons_as_they_are_called() {
        let site = site("the_app_manifest_names_its_icons_as_they_are_called");
        fs::write(site.join("app.webmanifest"), r#"{ "icons": ["./a.js", "./b.js"] }"#).unwrap();
        released(&site, &[]).unwrap();
        let names = paths(&site).unwrap();
        let app = names.iter().find(|name| name.ends_with(APP)).unwrap();
        let expected = format!(r#"{{ "icons": ["./a-{}.js", "./b.js"] }}"#, &ABC[..16]);
        assert_eq!(fs::read_to_string(site.join(app)).unwrap(), expected);
        assert!(app.contains(&sha256(expected.as_bytes())[..16]), "{app}");
    }

    #[test]
    fn modules_name_their_parts_and_are_named_by_names_that_stay() {
        let site = site("modules_name_their_parts_and_are_named_by_names_that_stay");
        for (name, text) in [
            ("programs.js", "new URL(\"./a_bg.wasm\", import.meta.url)"),
            ("peargpt.js", "import { Bridge } from \"./programs.js\"; \"./weights/catalog.json\""),
            (SHOW, "<link href=\"./b.css\"><script src=\"./peargpt.js\"></script>"),
        ] {
            fs::write(site.join(name), text).unwrap();
        }
        released(&site, &[]).unwrap();
        let read = |name: &str| fs::read_to_string(site.join(name)).unwrap();
        let stable = read("peargpt.js");
        let (part, whole) = stable.strip_suffix("\";\n").unwrap().split_once("\";\nexport * from \"./").unwrap();
        let part = part.strip_prefix("import \"./").unwrap();
        assert!(read(part).contains(&format!("\"./a-{}_bg.wasm\"", &ABC[..16])), "{}", read(part));
        let expected = format!("import {{ Bridge }} from \"./{part}\"; \"./weights/catalog-{}.json\"", &ABC[..16]);
        assert_eq!(read(whole), expected);
        let show = read(SHOW);
        assert!(show.contains(&format!("src=\"./{whole}\" integrity=\"sha256-")), "{show}");
        assert!(show.contains(&format!("href=\"./b-{}.css\" integrity", &ABC[..16])), "{show}");
        let manifest = read(MANIFEST);
        assert!(!manifest.contains("\"peargpt.js\"") && !manifest.contains(SHOW), "they are no files of the release");
    }

    #[test]
    fn a_site_that_does_not_say_what_it_is_is_refused() {
        let site = site("a_site_that_does_not_say_what_it_is_is_refused");
        fs::write(site.join(SITE), "{}").unwrap();
        let error = released(&site, &[]).unwrap_err().to_string();
        assert!(error.contains("site.json has no title"), "{error}");
    }
}
