//! The files of a release and the document that pins them.
//!
//! Each file is named by its content, but for weights, whose sha256 stands in the catalog. `release.json` lists them as
//! `{bytes, path, sha256}`, sorted by path: all files of a site but itself, `service-worker.js` and `index.html`. That is
//! [`TEMPLATE`], itself a file of the release, with what depends on the others filled in.
//!
//! The build (`xtask`) uses this file too, by its path, and so it uses nothing of this library.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The document.
pub const PAGE: &str = "index.html";
/// The document before anything is filled in.
pub const TEMPLATE: &str = "template.html";
/// The list of files.
pub const MANIFEST: &str = "release.json";
/// Browsers know it by its name.
pub const SERVICE_WORKER: &str = "service-worker.js";
/// What the site is called, and which model is its home.
pub const SITE: &str = "site.json";
/// The web app manifest's extension; it names other files.
pub const APP: &str = ".webmanifest";

/// What other pages import, by these names. Each names the one before it, and the first names the catalog.
pub const MODULES: [&str; 2] = ["peargpt.js", "pear-gpt.js"];
/// The parts that the first is made of; the second is made of these and the first.
const PARTS: [&str; 5] = ["programs.js", "errors.js", "options.js", "engine.js", MODULES[0]];

/// Digits of the sha256 in a file's name.
const DIGITS: usize = 16;
/// Digits that Trunk puts there at least: 16, less the zeros at the front. Fewer than these come once in a million files.
const TRUNKS_DIGITS: usize = 11;
const RELEASE: &str = "name=\"peargpt:release\" content=\"";
const FILES: &str = "name=\"peargpt:files\" content=\"";
/// Where the template has the sha256 of the service worker.
const WORKER: &str = "name=\"peargpt:service-worker\" content=\"";
const POLICY: &str = "http-equiv=\"Content-Security-Policy\"";
const CONNECT: &str = "connect-src 'self'";
/// The hub answers a download with a redirect to hosts under these names.
const HUB: &str = "https://huggingface.co";
const HUB_HOSTS: [&str; 3] = [HUB, "https://*.huggingface.co", "https://*.hf.co"];

/// The document does not have a place that is filled in, or has it several times.
#[derive(Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// How the place begins.
    pub part: String,
    /// How often it is there.
    pub times: usize,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the document must contain `{}` once, it does {} times", self.part, self.times)
    }
}

impl std::error::Error for DocumentError {}

/// A file of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path without a hash.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// In hex.
    pub sha256: String,
}

impl Listed {
    /// A file that is named by its content; `name` may have a hash of other content.
    pub fn named(name: &str, bytes: u64, sha256: String) -> Self {
        let name = plain(name);
        Listed { path: hashed(&name, &sha256), name, bytes, sha256 }
    }

    /// A file that keeps its name.
    pub fn kept(path: String, bytes: u64, sha256: String) -> Self {
        Listed { name: path.clone(), path, bytes, sha256 }
    }
}

/// What the document says of the site.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The site's title.
    pub title: &'a str,
    /// What it is, in a sentence.
    pub sentence: &'a str,
}

/// What stands before and after the hash in a path: `page` and `_bg.wasm`, `styles/a.b` and `.css`.
fn ends(path: &str) -> (&str, &str) {
    let folder = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[folder..].rfind('.').map_or(path.len(), |dot| folder + dot);
    path.split_at(path.find("_bg.wasm").unwrap_or(dot))
}

/// The path without a hash.
pub fn plain(path: &str) -> String {
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
    format!("{stem}-{}{end}", sha256.get(..DIGITS).unwrap_or(sha256))
}

/// What `fetch` holds a file against.
pub fn integrity(sha256: &str) -> String {
    let digits = |at| u8::from_str_radix(sha256.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..sha256.len()).step_by(2).filter_map(digits).collect();
    format!("sha256-{}", STANDARD.encode(bytes))
}

/// The text of `release.json`, whose order is that of `files`.
pub fn manifest(files: &[Listed]) -> String {
    let line = |Listed { path, bytes, sha256, .. }: &Listed| {
        format!("  {{ \"bytes\": {bytes}, \"path\": {}, \"sha256\": \"{sha256}\" }}", quoted(path))
    };
    format!("[\n{}\n]\n", files.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

/// What `start.js` and the page load by name: `{"page.js": ["page-….js", "sha256-…"]}`.
fn loaded(files: &[Listed]) -> String {
    let is_loaded = |file: &&Listed| [".js", ".wasm", ".json", ".txt"].iter().any(|end| file.path.ends_with(end));
    let mut named: Vec<&Listed> = Vec::new();
    for file in files.iter().filter(is_loaded) {
        put(&mut named, file, |file| &file.name);
    }
    let pair =
        |file: &Listed| format!("{}:[{},\"{}\"]", quoted(&file.name), quoted(&file.path), integrity(&file.sha256));
    format!("{{{}}}", named.into_iter().map(pair).collect::<Vec<_>>().join(","))
}

/// The text of one of [`MODULES`] as other pages import it, under a name that stays: it names the file with the hash, and the
/// parts, which are then fetched at once. `None` where the site has no such file.
pub fn module(files: &[Listed], name: &str) -> Option<String> {
    let path = |name: &str| files.iter().find(|file| file.name == name).map(|file| file.path.as_str());
    let mut text = String::new();
    for part in PARTS.into_iter().take_while(|part| *part != name).filter_map(path) {
        text += &["import \"./", part, "\";\n"].concat();
    }
    Some(text + &["export * from \"./", path(name)?, "\";\n"].concat())
}

/// Puts one more into a list that is in the order of these names, once. Lists are short here, and sorting is much code.
pub fn put<T>(list: &mut Vec<T>, one: T, name: impl Fn(&T) -> &str) {
    let place = list.partition_point(|other| name(other) < name(&one));
    if list.get(place).is_none_or(|other| name(other) != name(&one)) {
        list.insert(place, one);
    }
}

/// A text in JSON, with its quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text in HTML, between tags or in an attribute.
fn escaped(text: &str) -> String {
    let marks = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    marks.iter().fold(text.to_string(), |text, (mark, name)| text.replace(*mark, name))
}

/// The template with a file's new path, and its integrity, in each tag that names it by the old one.
pub fn link(html: &str, old: &str, file: &Listed) -> String {
    let (old, new) = (format!("=\"./{old}\""), format!("=\"./{}\"", file.path));
    html.split_inclusive('>')
        .map(|tag| if tag.contains(&old) { pinned(&tag.replace(&old, &new), file) } else { tag.into() })
        .collect()
}

/// A tag with the file's integrity in the place of another one. Chromium knows none for what is preloaded to be fetched,
/// and complains; `start.js` then fetches with it.
fn pinned(tag: &str, file: &Listed) -> String {
    if tag.contains("as=\"fetch\"") {
        return tag.to_string();
    }
    const OTHER: &str = " integrity=\"";
    let (before, after) = match tag.split_once(OTHER) {
        Some((before, after)) => (before, after.split_once('"').map_or(after, |(_, after)| after)),
        None => tag.split_at(tag.len() - if tag.ends_with("/>") { 2 } else { 1 }),
    };
    format!("{before} integrity=\"{}\"{after}", integrity(&file.sha256))
}

/// The template with the sha256 of the service worker, which no other file pins.
pub fn with_service_worker(template: &str, sha256: &str) -> Result<String, DocumentError> {
    fill(template, WORKER, '"', sha256)
}

/// The sha256 of the service worker that a template pins.
pub fn service_worker(template: &str) -> Result<&str, DocumentError> {
    let (_, after) = split_once(template, WORKER)?;
    Ok(after.split('"').next().unwrap_or_default())
}

/// `index.html`: the template with the names of these files, what the site is, and the origins that it may ask.
pub fn document(
    template: &str,
    about: About<'_>,
    files: &[Listed],
    manifest_sha256: &str,
    origins: &[String],
) -> Result<String, DocumentError> {
    let (title, sentence) = (escaped(about.title), escaped(about.sentence));
    let html = fill(template, "<title>", '<', &title)?;
    let html = fill(&html, "property=\"og:title\" content=\"", '"', &title)?;
    let html = fill(&html, "name=\"description\" content=\"", '"', &sentence)?;
    let html = fill(&html, "property=\"og:description\" content=\"", '"', &sentence)?;
    let html = allow(&html, origins)?;
    let html = fill(&html, RELEASE, '"', manifest_sha256)?;
    fill(&html, FILES, '"', &escaped(&loaded(files)))
}

/// The web app manifest of a site.
pub fn app(text: &str, about: About<'_>) -> Result<String, DocumentError> {
    let values = [("name", about.title), ("short_name", about.title), ("description", about.sentence)];
    values.into_iter().try_fold(text.to_string(), |text, (key, value)| {
        let (before, after) = split_once(&text, &format!("\"{key}\": \""))?;
        let mut is_escaped = false;
        let end = after.find(|character| {
            let is_end = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            is_end
        });
        Ok(format!("{before}\"{key}\": {}{}", quoted(value), &after[end.map_or(after.len(), |end| end + 1)..]))
    })
}

/// The origins of models that come from these sources, where those are addresses.
pub fn origins<'a>(sources: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut origins = Vec::new();
    for origin in sources.into_iter().filter_map(origin).flat_map(allowed) {
        put(&mut origins, origin, |origin| origin);
    }
    origins
}

/// `https://host` of `https://host/path`; nothing for a source in words.
fn origin(source: &str) -> Option<String> {
    let host = source.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
    let is_host = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
    (!host.is_empty() && is_host(host)).then(|| format!("https://{host}"))
}

/// What the policy must allow for a download from this origin.
fn allowed(origin: String) -> Vec<String> {
    if origin == HUB { HUB_HOSTS.map(str::to_string).to_vec() } else { vec![origin] }
}

/// A page, its policy allowing these origins and no others.
pub fn allow(html: &str, origins: &[String]) -> Result<String, DocumentError> {
    split_once(html, POLICY)?;
    let (before, after) = split_once(html, CONNECT)?;
    let after = &after[after.find([';', '"']).unwrap_or(after.len())..];
    let connect = std::iter::once(CONNECT).chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    Ok(format!("{before}{connect}{after}"))
}

/// A file that names another one, by its new path.
pub fn rename(text: &str, old: &str, new: &str) -> Result<String, DocumentError> {
    let (before, after) = split_once(text, old)?;
    Ok([before, new, after].concat())
}

/// Writes what stands behind `beginning`, up to a character.
fn fill(html: &str, beginning: &str, end: char, value: &str) -> Result<String, DocumentError> {
    let (before, after) = split_once(html, beginning)?;
    let after = after.trim_start_matches(|character| character != end);
    Ok(format!("{before}{beginning}{value}{after}"))
}

/// What stands around the only place where `text` has `part`.
fn split_once<'a>(text: &'a str, part: &str) -> Result<(&'a str, &'a str), DocumentError> {
    let times = text.matches(part).count();
    let missing = || DocumentError { part: part.to_string(), times };
    text.split_once(part).filter(|_| times == 1).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template that names two files.
    const HTML: &str = "<!-- a.js --><title></title><meta property=\"og:title\" content=\"\"><meta name=\"description\" \
        content=\"\"><meta property=\"og:description\" content=\"\"><meta http-equiv=\"Content-Security-Policy\" \
        content=\"default-src 'none'; connect-src 'self'; base-uri 'none'\"><meta name=\"peargpt:release\" content=\"\" />\
        <meta name=\"peargpt:files\" content=\"\" /><meta name=\"peargpt:service-worker\" content=\"\">\
        <link href=\"./b-0123456789abcdef.css\" integrity=\"sha384-old\" media=\"all\"/><script src=\"./a.js\"></script>\
        <link href=\"./a_bg.wasm\" as=\"fetch\">";
    /// The sha256 of `abc`, FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    /// `openssl dgst -sha256 -binary | base64` of `abc`.
    const PIN: &str = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    const ABOUT: About<'_> = About { title: "A \"B\" <i>&amp;", sentence: "It's." };

    fn of(html: &str, origins: &[&str]) -> Result<String, DocumentError> {
        let files = [Listed::named("a.js", 3, ABC.into()), Listed::named("c.css", 3, ABC.into())];
        document(html, ABOUT, &files, ABC, &origins.iter().map(|origin| origin.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_hash_goes_also_where_it_begins_with_zeros_and_nothing_else_does() {
        assert_eq!(plain("page-b080d9e3e6e9948_bg.wasm"), "page_bg.wasm");
        assert_eq!(plain("worker-relaxed-57927baea519c438.js"), "worker-relaxed.js");
        for name in ["icon-192.png", "worker-relaxed.js", "weights/a-b.css", "cafe-decade.js"] {
            assert_eq!(plain(name), name);
        }
    }

    #[test]
    fn a_tag_pins_the_file_that_it_names() {
        let file = |name| Listed::named(name, 3, ABC.into());
        let html = link(HTML, "b-0123456789abcdef.css", &file("b.css"));
        let html = link(&link(&html, "a.js", &file("a.js")), "a_bg.wasm", &file("a_bg.wasm"));
        let tags = "<link href=\"./b-ba7816bf8f01cfea.css\" integrity=\"PIN\" media=\"all\"/>\
            <script src=\"./a-ba7816bf8f01cfea.js\" integrity=\"PIN\"></script>\
            <link href=\"./a-ba7816bf8f01cfea_bg.wasm\" as=\"fetch\">";
        assert!(html.ends_with(&tags.replace("PIN", PIN)), "{html}");
    }

    #[test]
    fn what_a_site_is_stands_in_its_document_as_text_however_often_it_is_written() {
        let html = of(HTML, &[]).unwrap();
        assert!(html.contains("<title>A &quot;B&quot; &lt;i&gt;&amp;amp;</title>"), "{html}");
        assert!(html.contains("og:title\" content=\"A &quot;B&quot; &lt;i&gt;&amp;amp;\""), "{html}");
        assert!(html.contains("name=\"description\" content=\"It&#39;s.\""), "{html}");
        assert!(html.contains(&format!("{RELEASE}{ABC}\"")), "{html}");
        let files = format!("{{\"a.js\":[\"a-ba7816bf8f01cfea.js\",\"{PIN}\"]}}");
        assert!(html.contains(&format!("{FILES}{}\"", files.replace('"', "&quot;"))), "{html}");
        assert_eq!(of(&html, &[]).unwrap(), html);
    }

    #[test]
    fn the_policy_allows_what_is_offered_and_no_more() {
        assert!(origins(["trained on https://example.org/text", "http://example.org/", "https://"]).is_empty());
        assert!(origins(["https://a b/", "https://a;b/", "https://a\"b/"]).is_empty());
        let found = origins(["https://huggingface.co/openai-community/gpt2", "https://example.org:8443/x?y"]);
        let expected =
            ["https://*.hf.co", "https://*.huggingface.co", "https://example.org:8443", "https://huggingface.co"];
        assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        let html = of(HTML, &["https://a.example", "https://b.example"]).unwrap();
        assert!(html.contains("; connect-src 'self' https://a.example https://b.example; base-uri"), "{html}");
        assert!(of(&html, &[]).unwrap().contains("; connect-src 'self'; base-uri"));
    }

    #[test]
    fn a_document_without_a_place_is_refused_by_its_name() {
        for part in [RELEASE, FILES, POLICY, CONNECT, "<title>", "name=\"description\" content=\""] {
            assert_eq!(of(&HTML.replace(part, ""), &[]), Err(DocumentError { part: part.into(), times: 0 }));
        }
    }

    #[test]
    fn the_service_worker_is_pinned() {
        let html = with_service_worker(HTML, ABC).unwrap();
        assert_eq!(service_worker(&html), Ok(ABC));
        assert!(service_worker("").is_err());
    }

    #[test]
    fn an_app_is_called_as_the_site_whatever_that_is() {
        let text = "{\n  \"name\": \"a \\\"b\\\\\",\n  \"short_name\": \"b\",\n  \"description\": \"c\"\n}";
        let named = app(text, ABOUT).unwrap();
        let expected = "{\n  \"name\": \"A \\\"B\\\" <i>&amp;\",\n  \"short_name\": \"A \\\"B\\\" <i>&amp;\",\n  \
                        \"description\": \"It's.\"\n}";
        assert_eq!((named.as_str(), app(&named, ABOUT).unwrap().as_str()), (expected, expected));
    }

    #[test]
    fn the_list_of_files_is_json() {
        let text = manifest(&[Listed::kept("a".into(), 1, ABC.into()), Listed::named("b.js", 2, ABC.into())]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list[1], serde_json::json!({ "path": "b-ba7816bf8f01cfea.js", "bytes": 2, "sha256": ABC }));
    }
}
