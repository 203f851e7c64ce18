//! A site whose home is one model: the files of a release, what is written anew for it, and the model's slices.

use super::document::{
    APP, About, DocumentError, Listed, MANIFEST, MODULES, PAGE, SERVICE_WORKER, SITE, TEMPLATE, app, document, link,
    manifest, module, origins, plain, put, rename, service_worker,
};
use crate::app::catalog::{Entry, sha256};
use crate::app::own::texts;
use crate::app::protocol::{Export, Publication};
use crate::app::release::File;
use crate::app::site::{Site, SiteError, WITH_PAGES};

/// The catalog's path in a release, without a hash.
pub const CATALOG: &str = "weights/catalog.json";
/// What Netlify and others read, and its text: pages of other origins may have the files.
const HEADERS: (&str, &str) = ("_headers", "/*\n  Access-Control-Allow-Origin: *\n");
/// What only `embed.html` needs, which shows pearGPT in another page: a published site does without it.
const SHOW: [&str; 2] = ["embed.js", "embed.css"];

/// Why a site cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WebsiteError {
    /// What was asked for is wrong.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The release's document is not what the build writes.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The release lacks a file.
    #[error("this release has no {0}")]
    Missing(&'static str),
    /// Something cannot be written.
    #[error("it cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// What is known of a release.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// What `release.json` lists.
    pub files: &'a [File],
    /// The text of the template.
    pub template: &'a str,
    /// The text of the web app manifest.
    pub app: &'a str,
    /// The texts of [`MODULES`].
    pub modules: [&'a str; 2],
    /// The models.
    pub catalog: &'a [Entry],
}

/// Where the contents of a file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file of the release, which has this SHA-256.
    Release {
        /// Its path there.
        path: String,
        /// In hex.
        sha256: String,
    },
    /// These bytes.
    Bytes(Vec<u8>),
    /// A slice of the model's file, by its number.
    Slice(usize),
}

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFile {
    /// Its path.
    pub path: String,
    /// What is in it.
    pub contents: Contents,
}

/// The file of a release that has this name without a hash; of the web app manifest, its extension.
pub fn find<'a>(files: &'a [File], name: &'static str) -> Result<&'a File, WebsiteError> {
    let is_it = |file: &&File| match name {
        APP => file.path.ends_with(APP),
        _ => plain(&file.path) == name,
    };
    files.iter().find(is_it).ok_or(WebsiteError::Missing(name))
}

/// The name of the site's zip file.
pub fn zip_name(title: &str) -> String {
    match texts::file_name(title, Export::HuggingFace) {
        name if name.starts_with('.') => "site.zip".to_string(),
        name => name,
    }
}

/// Fails where a text of what is asked for cannot be shown, before the model is read.
pub fn check_texts(asked: &Publication) -> Result<(), SiteError> {
    described(None, &[], asked).check_texts()
}

/// All files of a site whose home is this model, in the order in which they are written. The site has to pass `check`.
pub fn website(
    release: &Release<'_>,
    home: &Entry,
    asked: &Publication,
    check: fn(&Site) -> Result<(), SiteError>,
) -> Result<Vec<SiteFile>, WebsiteError> {
    let is_offered = |entry: &&Entry| asked.others && entry.id != home.id && WITH_PAGES.contains(&entry.id.as_str());
    let others: Vec<&Entry> = release.catalog.iter().filter(is_offered).collect();
    let site = described(Some(home), &others, asked);
    check(&site)?;
    let about = About { title: &site.title, sentence: &site.sentence };

    let mut files = unchanged(release, home, &others);
    for (index, part) in home.parts.iter().enumerate() {
        let slice = Listed::kept(path(&part.url), part.bytes, part.sha256.clone());
        files.push((slice, Contents::Slice(index)));
    }
    let catalog: Vec<&Entry> = std::iter::once(home).chain(others.iter().copied()).collect();
    let old_app = find(release.files, APP)?;
    let new_app = made(&old_app.path, app(release.app, about)?);
    let template = link(release.template, &old_app.path, &new_app.0);
    files.push(new_app);
    let worker = Contents::Release { path: SERVICE_WORKER.into(), sha256: service_worker(&template)?.to_string() };
    files.extend(rewritten(release, &catalog, &site, &template)?);
    let mut sorted = Vec::with_capacity(files.len());
    for file in files {
        put(&mut sorted, file, |(file, _)| &file.path);
    }

    let (mut listed, mut contents) = (Vec::with_capacity(sorted.len()), Vec::with_capacity(sorted.len()));
    for (file, of_file) in sorted {
        listed.push(file);
        contents.push(of_file);
    }

    let manifest = manifest(&listed);
    let origins = origins(catalog.iter().map(|entry| entry.source.as_str()));
    let page = document(&template, about, &listed, &sha256(manifest.as_bytes()), &origins)?;
    let modules = MODULES.map(|name| module(&listed, name).unwrap_or_default());
    let [peargpt, pear_gpt] = modules.map(bytes);
    let mut written = vec![
        (PAGE, bytes(page)),
        ("README.md", bytes(readme(about, &home.id))),
        (HEADERS.0, bytes(HEADERS.1.to_string())),
        (MANIFEST, bytes(manifest)),
        (SERVICE_WORKER, worker),
        (MODULES[0], peargpt),
        (MODULES[1], pear_gpt),
    ];
    written.extend(listed.iter().map(|file| file.path.as_str()).zip(contents));
    Ok(written.into_iter().map(|(path, contents)| SiteFile { path: path.to_string(), contents }).collect())
}

/// The files that are written anew, but the web app manifest, which the template names. Each module names the one before it,
/// and the first names the catalog.
fn rewritten(
    release: &Release<'_>,
    catalog: &[&Entry],
    site: &Site,
    template: &str,
) -> Result<Vec<(Listed, Contents)>, WebsiteError> {
    let [peargpt, pear_gpt] = release.modules;
    let texts = [
        (CATALOG, serde_json::to_string_pretty(catalog)? + "\n"),
        (MODULES[0], peargpt.to_string()),
        (MODULES[1], pear_gpt.to_string()),
        (SITE, serde_json::to_string_pretty(site)? + "\n"),
        (TEMPLATE, template.to_string()),
    ];
    let (mut files, mut renamed) = (Vec::with_capacity(texts.len()), None::<(&str, String)>);
    for (name, mut text) in texts {
        if let Some((old, new)) = renamed.take().filter(|_| MODULES.contains(&name)) {
            text = rename(&text, old, &new)?;
        }
        let new = made(name, text);
        renamed = Some((&find(release.files, name)?.path, new.0.path.clone()));
        files.push(new);
    }
    Ok(files)
}

fn bytes(text: String) -> Contents {
    Contents::Bytes(text.into_bytes())
}

fn described(home: Option<&Entry>, others: &[&Entry], asked: &Publication) -> Site {
    Site {
        title: asked.title.trim().to_string(),
        sentence: asked.sentence.trim().to_string(),
        home: home.map(|home| home.id.clone()),
        prompts: asked.prompts.clone(),
        defaults: asked.defaults.clone(),
        offers: others.iter().map(|entry| entry.id.clone()).collect(),
    }
}

/// The files that are as in the release: all but those that are written anew, and the weights of models that are not
/// offered.
fn unchanged(release: &Release<'_>, home: &Entry, others: &[&Entry]) -> Vec<(Listed, Contents)> {
    let weights = |entries: &mut dyn Iterator<Item = &Entry>| -> Vec<String> {
        entries.flat_map(|entry| &entry.parts).map(|part| path(&part.url)).collect()
    };
    let offered = weights(&mut others.iter().copied());
    let mut left_out = weights(&mut release.catalog.iter().filter(|entry| !offered_has(others, entry)));
    left_out.extend(weights(&mut std::iter::once(home)));
    let is_another = |path: &str| {
        let name = plain(path);
        let is_made = [CATALOG, SITE, TEMPLATE].contains(&&*name) || MODULES.contains(&&*name) || name.ends_with(APP);
        is_made || SHOW.contains(&&*name)
    };
    let is_left = |path: &String| offered.contains(path) || !(left_out.contains(path) || is_another(path));
    let files = release.files.iter().filter(|file| is_left(&file.path));
    files
        .map(|File { path, bytes, sha256 }| {
            let listed = Listed { name: plain(path), path: path.clone(), bytes: *bytes, sha256: sha256.clone() };
            (listed, Contents::Release { path: path.clone(), sha256: sha256.clone() })
        })
        .collect()
}

fn offered_has(others: &[&Entry], entry: &Entry) -> bool {
    others.iter().any(|other| other.id == entry.id)
}

/// A part's path in the site.
fn path(url: &str) -> String {
    format!("weights/{url}")
}

/// A file that is written anew.
fn made(name: &str, text: String) -> (Listed, Contents) {
    let bytes = text.into_bytes();
    (Listed::named(name, bytes.len() as u64, sha256(&bytes)), Contents::Bytes(bytes))
}

/// What to do with the files.
fn readme(about: About<'_>, id: &str) -> String {
    let text = |text: &str| {
        let mut escaped = String::new();
        for one in text.chars() {
            if "\\`*_[]<>&#".contains(one) {
                escaped.push('\\');
            }
            escaped.push(one);
        }
        escaped
    };
    format!(
        "# {}\n\n{}\n\n\
         These files are a website. Any static server can serve them, under any path; opened from a disk they do not run.\n\n\
         - GitHub Pages: put them into a repository; Settings, Pages, Deploy from a branch. 1 GB at most.\n\
         - Netlify: drop this folder on <https://app.netlify.com/drop>.\n\
         - This machine: run `python3 -m http.server` in this folder and open <http://localhost:8000>.\n\
         - In another page: `<script type=\"module\" src=\"SITE/pear-gpt.js\"></script>`, SITE being the address of these \
         files, and `<pear-gpt model=\"{id}\"></pear-gpt>`; or `load(\"{id}\")` of `SITE/peargpt.js`. The server has to send \
         `Access-Control-Allow-Origin: *`, as GitHub Pages does, and Netlify with the file `_headers`.\n",
        text(about.title),
        text(about.sentence)
    )
}

#[cfg(test)]
mod tests;
