//! What Trunk leaves undone: the files' names and the policy's origins, written into index.html.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::release::{release, split_once};

const POLICY: &str = "http-equiv=\"Content-Security-Policy\"";
const CONNECT: &str = "connect-src 'self'";
/// The hub answers a download with a redirect to hosts under these names.
const HUB: &str = "https://huggingface.co";
const HUB_HOSTS: [&str; 3] = [HUB, "https://*.huggingface.co", "https://*.hf.co"];

/// Files of `weights/` that the site knows by name: the models, and the text that `#/train` offers.
const NAMED: [&str; 2] = ["catalog.json", "tinyshakespeare.txt"];

/// Trunk's post_build hook.
pub fn finish() -> Result<()> {
    let staging = std::env::var_os("TRUNK_STAGING_DIR")
        .map(PathBuf::from)
        .context("this is Trunk's post_build hook and finds the site in TRUNK_STAGING_DIR; run `cargo xtask dist`")?;
    let read = |name: &str| fs::read(staging.join(name)).with_context(|| format!("Trunk did not build {name}"));
    let catalog = read_catalog(&staging)?;
    let listed = listed(&catalog);
    remove_unlisted(&staging.join("weights"), &listed).context("the site's weights/ cannot be tidied")?;
    let html = String::from_utf8(read("index.html")?).context("index.html is not UTF-8")?;
    let html = allow(&html, &origins(&catalog))?;
    let parts = listed.iter().filter(|path| !NAMED.iter().any(|name| path.ends_with(name)));
    let parts = parts.map(|path| Path::new("weights").join(path)).collect();
    fs::write(staging.join("index.html"), release(&staging, &parts, &html)?)?;
    Ok(())
}

fn read_catalog(staging: &Path) -> Result<Value> {
    let path = staging.join("weights/catalog.json");
    let text =
        fs::read(&path).context("weights/catalog.json is not part of the site: index.html must copy weights/")?;
    serde_json::from_slice(&text).context("weights/catalog.json is not JSON")
}

/// What the site serves of `weights/`: the files that it knows by name, and the parts that the catalog lists, by their paths.
fn listed(catalog: &Value) -> BTreeSet<PathBuf> {
    let parts = catalog.as_array().into_iter().flatten().filter_map(|entry| entry["parts"].as_array()).flatten();
    let urls = parts.filter_map(|part| part["url"].as_str());
    NAMED.into_iter().chain(urls).map(PathBuf::from).collect()
}

/// Removes files that nobody could ask for, such as a model that has been taken from the catalog; `listed` is
/// relative to `folder`.
fn remove_unlisted(folder: &Path, listed: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, name) = entry.map(|entry| (entry.path(), PathBuf::from(entry.file_name())))?;
        if path.is_dir() {
            let below = listed.iter().filter_map(|path| Some(path.strip_prefix(&name).ok()?.to_path_buf())).collect();
            remove_unlisted(&path, &below)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path)?;
            }
        } else if !listed.contains(&name) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The origins that the catalog's models come from where `source` is an address.
fn origins(catalog: &Value) -> BTreeSet<String> {
    let sources = catalog.as_array().into_iter().flatten().filter_map(|entry| entry["source"].as_str());
    sources.filter_map(origin).flat_map(allowed).collect()
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

/// The page, its policy allowing these origins.
fn allow(html: &str, origins: &BTreeSet<String>) -> Result<String> {
    ensure!(html.contains(POLICY), "index.html must contain `<meta {POLICY} content=\"…\">`");
    let (before, after) = split_once(html, CONNECT)?;
    let connect = std::iter::once(CONNECT).chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    Ok(format!("{before}{connect}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HTML: &str =
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; connect-src 'self'\">";

    #[test]
    fn the_policy_allows_what_the_catalog_names_and_no_more() {
        let catalog = |sources: &[&str]| sources.iter().map(|source| json!({ "source": source })).collect::<Value>();
        assert!(origins(&catalog(&["trained for this project on https://example.org/text"])).is_empty());
        assert!(origins(&catalog(&["http://example.org/", "https://", "https://a b/", "https://a;b/"])).is_empty());
        let found =
            origins(&catalog(&["https://huggingface.co/openai-community/gpt2", "https://example.org:8443/x?y"]));
        let expected =
            ["https://*.hf.co", "https://*.huggingface.co", "https://example.org:8443", "https://huggingface.co"];
        assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn origins_are_written_where_they_belong() {
        let origins = BTreeSet::from(["https://a.example".to_string(), "https://b.example".to_string()]);
        let html = allow(HTML, &origins).unwrap();
        assert!(html.ends_with("connect-src 'self' https://a.example https://b.example\">"), "{html}");
        assert_eq!(allow(HTML, &BTreeSet::new()).unwrap(), HTML);
    }

    #[test]
    fn a_page_without_a_policy_is_refused_by_name() {
        for part in [POLICY, CONNECT] {
            let error = allow(&HTML.replace(part, ""), &BTreeSet::new()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn only_what_the_catalog_lists_is_left() {
        let folder = crate::run::root().join("target/tmp/only_what_the_catalog_lists_is_left");
        let _ = fs::remove_dir_all(&folder);
        for name in ["a.gguf", "b.gguf", "README.md", "catalog.json", "gpt2/p0", "gpt2/p1", "old/deep/p0"] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let catalog = json!([
            { "parts": [{ "url": "a.gguf" }] },
            { "parts": [{ "url": "gpt2/p1" }, { "url": "https://example.org/b.gguf" }] },
        ]);
        remove_unlisted(&folder, &listed(&catalog)).unwrap();
        let names = |folder: &Path| -> BTreeSet<_> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        assert_eq!(names(&folder), ["a.gguf", "catalog.json", "gpt2"].map(String::from).into());
        assert_eq!(names(&folder.join("gpt2")), ["p1".to_string()].into());
    }
}
