//! What Trunk leaves undone: the files' names and the policy's origins, written into index.html.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::document::{allow, origins};
use crate::licences::licences;
use crate::release::{SHOW, release};

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
    fs::write(staging.join("licences.txt"), licences()?).context("licences.txt cannot be written")?;
    let html = String::from_utf8(read("index.html")?).context("index.html is not UTF-8")?;
    let origins = origins(catalog.as_array().into_iter().flatten().filter_map(|entry| entry["source"].as_str()));
    let show = String::from_utf8(read(SHOW)?).context("embed.html is not UTF-8")?;
    fs::write(staging.join(SHOW), allow(&show, &origins)?)?;
    let parts = listed.iter().filter(|path| !NAMED.iter().any(|name| path.ends_with(name)));
    let parts = parts.map(|path| Path::new("weights").join(path)).collect();
    fs::write(staging.join("index.html"), release(&staging, &parts, &html, &origins)?)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
