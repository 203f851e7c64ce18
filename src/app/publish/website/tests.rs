//! The files of a site.

use super::*;
use crate::app::catalog::{Part, parse};

const TEMPLATE_TEXT: &str = "<title></title><meta property=\"og:title\" content=\"\"><meta name=\"description\" \
    content=\"\"><meta property=\"og:description\" content=\"\"><meta http-equiv=\"Content-Security-Policy\" \
    content=\"connect-src 'self'\"><meta name=\"peargpt:release\" content=\"\"><meta name=\"peargpt:files\" \
    content=\"\"><meta name=\"peargpt:service-worker\" content=\"aa\"><link href=\"./a-0123456789abcdef.webmanifest\">";
const PEARGPT: &str = "peargpt-0123456789abcdef.js";
const APP_TEXT: &str = "{ \"name\": \"\", \"short_name\": \"\", \"description\": \"\" }";

fn release_files() -> Vec<File> {
    let paths = [
        "a-0123456789abcdef.webmanifest",
        "embed-0123456789abcdef.css",
        "embed-0123456789abcdef.js",
        "page-0123456789abcdef.js",
        PEARGPT,
        "pear-gpt-0123456789abcdef.js",
        "programs-0123456789abcdef.js",
        "site-0123456789abcdef.json",
        "template-0123456789abcdef.html",
        "weights/catalog-0123456789abcdef.json",
        "weights/peargpt.gguf",
    ];
    paths.map(|path| File { path: path.into(), bytes: 1, sha256: "0f".repeat(32) }).to_vec()
}

fn home(contents: &str) -> Entry {
    let sha256 = sha256(contents.as_bytes());
    let part = Part { url: "model.gguf".into(), bytes: 3, sha256: sha256.clone() };
    let (title, format, source) = ("Mine".into(), "gguf".into(), "made here".into());
    let (shape, converted) = (None, None);
    Entry {
        id: sha256,
        title,
        parameters: 1,
        context: 1,
        shape,
        format,
        bytes: 3,
        parts: vec![part],
        converted,
        source,
    }
}

fn asked(title: &str, others: bool) -> Publication {
    let (title, prompts) = (title.to_string(), vec!["ROMEO:\n".to_string()]);
    Publication { title, sentence: "It <writes>.".into(), prompts, defaults: "words=20".into(), others }
}

fn publish(home: &Entry, asked: &Publication) -> Vec<SiteFile> {
    let catalog = parse(include_str!("../../../../weights/catalog.json")).unwrap();
    let files = release_files();
    let naming = format!("import {{ load }} from \"./{PEARGPT}\";");
    let modules = ["const CATALOG = \"./weights/catalog-0123456789abcdef.json\";", naming.as_str()];
    let release = Release { files: &files, template: TEMPLATE_TEXT, app: APP_TEXT, modules, catalog: &catalog };
    website(&release, home, asked, Site::check).unwrap()
}

fn text(files: &[SiteFile], name: &str) -> String {
    let file = files.iter().find(|file| plain(&file.path) == name).unwrap();
    match &file.contents {
        Contents::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_site_has_its_model_and_no_other() {
    let files = publish(&home("abc"), &asked("Mine", false));
    let paths: Vec<String> = files.iter().map(|file| plain(&file.path)).collect();
    let expected = [
        "index.html",
        "README.md",
        "_headers",
        "release.json",
        "service-worker.js",
        "peargpt.js",
        "pear-gpt.js",
        "a.webmanifest",
        "page.js",
        "pear-gpt.js",
        "peargpt.js",
        "programs.js",
        "site.json",
        "template.html",
        "weights/catalog.json",
        "weights/model.gguf",
    ];
    assert_eq!(paths, expected);
    assert_eq!(files[15].contents, Contents::Slice(0));
    assert_eq!(parse(&text(&files, "weights/catalog.json")).unwrap(), [home("abc")]);
    let site = Site::parse(&text(&files, "site.json")).unwrap();
    assert_eq!((site.home, site.offers), (Some(home("abc").id), Vec::new()));
    assert_eq!(site.defaults, "words=20");
    assert!(text(&files, "index.html").contains("\"connect-src 'self'\""), "no origin that is not offered");
    assert_eq!(text(&files, "README.md").lines().count(), 10);
    let listed: Vec<File> = serde_json::from_str(&text(&files, "release.json")).unwrap();
    assert_eq!(listed.len(), 9);
    assert!(text(&files, "index.html").contains(&sha256(text(&files, "release.json").as_bytes())));
}

#[test]
fn other_pages_get_its_model() {
    let files = publish(&home("abc"), &asked("Mine", false));
    let written = |path: &str| match &files.iter().find(|file| file.path == path).unwrap().contents {
        Contents::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{path}: {other:?}"),
    };
    let path = |name: &str| files.iter().rfind(|file| plain(&file.path) == name).unwrap().path.clone();
    let [catalog, peargpt, pear_gpt] = ["weights/catalog.json", "peargpt.js", "pear-gpt.js"].map(path);
    assert_eq!(written(&peargpt), format!("const CATALOG = \"./{catalog}\";"));
    assert_eq!(written(&pear_gpt), format!("import {{ load }} from \"./{peargpt}\";"));
    let programs = "import \"./programs-0123456789abcdef.js\";\n";
    assert_eq!(written("peargpt.js"), format!("{programs}export * from \"./{peargpt}\";\n"));
    let expected = format!("{programs}import \"./{peargpt}\";\nexport * from \"./{pear_gpt}\";\n");
    assert_eq!(written("pear-gpt.js"), expected);
    assert!(text(&files, "README.md").contains(&format!("<pear-gpt model=\"{}\">", home("abc").id)));
}

#[test]
fn other_models_are_offered_where_that_is_asked_for() {
    let files = publish(&home("abc"), &asked("Mine", true));
    let other = files.iter().find(|file| file.path == "weights/peargpt.gguf").unwrap();
    let (path, sha256) = (other.path.clone(), "0f".repeat(32));
    assert_eq!(other.contents, Contents::Release { path, sha256 });
    assert_eq!(Site::parse(&text(&files, "site.json")).unwrap().offers, WITH_PAGES);
    assert!(
        text(&files, "index.html").contains("'self' https://*.hf.co https://*.huggingface.co https://huggingface.co\"")
    );
}

#[test]
fn a_catalogs_model_stays_where_it_is() {
    let pear = parse(include_str!("../../../../weights/catalog.json")).unwrap().remove(0);
    let files = publish(&pear, &asked("Mine", false));
    let own = files.iter().find(|file| file.path == "weights/peargpt.gguf").unwrap();
    assert_eq!(own.contents, Contents::Slice(0));
    assert_eq!(files.iter().filter(|file| file.path.ends_with(".gguf")).count(), 1);
}

#[test]
fn the_same_makes_the_same_and_names_change_with_what_is_in_them() {
    let paths = |files: &[SiteFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let one = publish(&home("abc"), &asked("Mine", false));
    assert_eq!(publish(&home("abc"), &asked("Mine", false)), one);
    let differ = |other: &[SiteFile]| -> Vec<String> {
        let (one, other) = (paths(&one), paths(other));
        one.iter().zip(&other).filter(|(one, other)| one != other).map(|(one, _)| plain(one)).collect()
    };
    let titled = publish(&home("abc"), &asked("Yours", false));
    let modules = ["pear-gpt.js", "peargpt.js"];
    let of_model = [&modules[..], &["site.json", "weights/catalog.json"]].concat();
    assert_eq!(differ(&titled), ["a.webmanifest", "site.json", "template.html"]);
    assert_eq!(differ(&publish(&home("abd"), &asked("Mine", false))), of_model);
}

#[test]
fn a_title_is_text() {
    let title = "<b>\"Mine\"</b> & 'yours'";
    let files = publish(&home("abc"), &asked(title, false));
    let page = text(&files, "index.html");
    assert!(page.contains("<title>&lt;b&gt;&quot;Mine&quot;&lt;/b&gt; &amp; &#39;yours&#39;</title>"), "{page}");
    assert!(!page.contains("<b>"));
    assert!(text(&files, "README.md").starts_with("# \\<b\\>\"Mine\"\\</b\\> \\& 'yours'\n"));
    let app: serde_json::Value = serde_json::from_str(&text(&files, "a.webmanifest")).unwrap();
    assert_eq!(app["name"], title);
    assert_eq!(Site::parse(&text(&files, "site.json")).unwrap().title, title);
    assert_eq!((zip_name(title).as_str(), zip_name("?!").as_str()), ("b--Mine---b-----yours.zip", "site.zip"));
}

#[test]
fn what_cannot_be_published_is_told() {
    let files = release_files();
    let (template, app, modules) = (TEMPLATE_TEXT, APP_TEXT, [""; 2]);
    let release = Release { files: &files[1..], template, app, modules, catalog: &[] };
    let error =
        |release: &Release<'_>, title| website(release, &home("abc"), &asked(title, false), Site::check).unwrap_err();
    assert_eq!(error(&release, "Mine").to_string(), "this release has no .webmanifest");
    assert!(error(&release, "").to_string().contains("title"));
    let release = Release { files: &files, template: "", ..release };
    assert!(error(&release, "Mine").to_string().contains("service-worker"));
}
