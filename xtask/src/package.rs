//! `cargo xtask package`: the npm package, from the files of the site and of `embed/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::document::plain;
use crate::run::root;
use crate::site;

/// Where it is written, below the repository's root.
const FOLDER: &str = "package";

/// The hand-written modules, and their types.
const MODULES: [&str; 8] = [
    "peargpt.js",
    "peargpt.d.ts",
    "pear-gpt.js",
    "pear-gpt.d.ts",
    "engine.js",
    "errors.js",
    "options.js",
    "programs.js",
];

/// The programs that they start.
const PROGRAMS: [&str; 3] = ["worker", "worker-relaxed", "converter"];

/// Builds the site unless `--skip-build` is given, and writes the package.
pub fn package(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => site::dist(&[])?,
        [flag] if flag == "--skip-build" => {}
        _ => bail!("`cargo xtask package` takes nothing but --skip-build, which takes dist/ as it is"),
    }
    let to = root().join(FOLDER);
    write(&root().join("dist"), &to)?;
    eprintln!("xtask: {FOLDER}/ is ready; `npm pack ./{FOLDER}` makes a file of it, `npm install ./{FOLDER}` uses it");
    Ok(())
}

/// Writes the package from a built site.
fn write(site: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        fs::remove_dir_all(to).with_context(|| format!("{} cannot be removed", to.display()))?;
    }
    let names = names(site)?;
    for program in PROGRAMS {
        for name in [format!("{program}.js"), format!("{program}_bg.wasm")] {
            let path = names.get(&name).with_context(|| format!("dist/ has no {name}; run `cargo xtask dist`"))?;
            copy(&site.join(path), &to.join(&name))?;
        }
    }
    for name in MODULES {
        copy(&root().join("embed").join(name), &to.join(name))?;
    }
    copy(&root().join("embed/package.md"), &to.join("README.md"))?;
    copy(&root().join("LICENSE"), &to.join("LICENSE"))?;
    weights(site, &names, to)?;
    put(&to.join("package.json"), &format!("{:#}\n", described()))
}

/// The paths of the site's files, by their names without a hash.
fn names(site: &Path) -> Result<BTreeMap<String, String>> {
    let list = fs::read(site.join("release.json")).context("dist/ is not there; run `cargo xtask dist`")?;
    let list: Value = serde_json::from_slice(&list).context("dist/release.json is not JSON")?;
    let paths = list.as_array().into_iter().flatten().filter_map(|file| file["path"].as_str());
    Ok(paths.map(|path| (plain(path), path.to_string())).collect())
}

/// The models: those of one file with that, those of the hub by their addresses. One that the site serves in parts is too
/// much for a package.
fn weights(site: &Path, names: &BTreeMap<String, String>, to: &Path) -> Result<()> {
    let catalog = names.get("weights/catalog.json").context("dist/ has no catalog")?;
    let catalog = fs::read(site.join(catalog)).context("the catalog cannot be read")?;
    let catalog: Vec<Value> = serde_json::from_slice(&catalog).context("the catalog is not a list of models")?;
    let is_far = |url: &str| url.starts_with("https://");
    let urls = |entry: &Value| -> Vec<String> {
        let parts = entry["parts"].as_array().into_iter().flatten();
        parts.filter_map(|part| part["url"].as_str().map(str::to_string)).collect()
    };
    let (mut kept, mut script, mut types) = (Vec::new(), String::new(), String::new());
    for entry in catalog {
        let urls = urls(&entry);
        let near: Vec<&String> = urls.iter().filter(|url| !is_far(url)).collect();
        if near.len() > 1 {
            continue;
        }
        for url in &near {
            copy(&site.join("weights").join(url), &to.join("weights").join(url))?;
        }
        let id = entry["id"].as_str().context("a model of the catalog has no id")?;
        script += &format!("\nexport const {} = {};\n", identifier(id), literal(&entry, &near));
        types += &format!("\n/** {}. */\nexport declare const {}: CatalogEntry;\n", entry["title"], identifier(id));
        kept.push(entry);
    }
    let intro = "// The models of the catalog, for `load`. Their files lie beside this module.\n";
    put(&to.join("weights.js"), &format!("{intro}{script}"))?;
    put(&to.join("weights.d.ts"), &format!("import type {{ CatalogEntry }} from \"./peargpt.js\";\n{types}"))?;
    put(&to.join("weights/catalog.json"), &format!("{:#}\n", Value::from(kept)))
}

/// An entry as a script has it: addresses of files beside it in the form that bundlers find.
fn literal(entry: &Value, near: &[&String]) -> String {
    near.iter().fold(format!("{entry:#}"), |text, url| {
        let found = format!("\"./weights/{url}\"");
        text.replace(&format!("\"url\": \"{url}\""), &format!("\"url\": new URL({found}, import.meta.url).href"))
    })
}

/// The name of an id in a script: `gpt2-medium` is `gpt2_medium`.
fn identifier(id: &str) -> String {
    id.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

/// `package.json`.
fn described() -> Value {
    let module = |name: &str| json!({ "types": format!("./{name}.d.ts"), "default": format!("./{name}.js") });
    json!({
        "name": "peargpt",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Small GPTs in a web page: pearGPT and GPT-2, in WebAssembly, in a worker of their own.",
        "license": "MIT",
        "type": "module",
        "keywords": ["gpt", "gpt-2", "webassembly", "browser", "text-generation"],
        "exports": {
            ".": module("peargpt"),
            "./element": module("pear-gpt"),
            "./weights": module("weights"),
            "./weights/*": "./weights/*",
            "./package.json": "./package.json",
        },
        "types": "./peargpt.d.ts",
        "sideEffects": ["./pear-gpt.js"],
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    prepare(to)?;
    fs::copy(from, to).map(drop).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))
}

fn put(to: &Path, text: &str) -> Result<()> {
    prepare(to)?;
    fs::write(to, text).with_context(|| format!("{} cannot be written", to.display()))
}

/// Makes the folder of a file.
fn prepare(to: &Path) -> Result<()> {
    let folder: PathBuf = to.parent().unwrap_or(to).to_path_buf();
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_one_file_come_with_it_and_those_in_parts_do_not() {
        let folder = root().join("target/tmp/models_of_one_file_come_with_it");
        let _ = fs::remove_dir_all(&folder);
        let entry = |id: &str, urls: &[&str]| {
            let parts = urls.iter().map(|url| json!({ "url": url })).collect::<Value>();
            json!({ "id": id, "title": id, "parts": parts })
        };
        let catalog =
            json!([entry("a", &["a.gguf"]), entry("b-1", &["https://hub/b"]), entry("c", &["c/part0", "c/part1"])]);
        put(&folder.join("site/weights/catalog-0.json"), &catalog.to_string()).unwrap();
        put(&folder.join("site/weights/a.gguf"), "abc").unwrap();
        let names = BTreeMap::from([("weights/catalog.json".to_string(), "weights/catalog-0.json".to_string())]);
        weights(&folder.join("site"), &names, &folder.join("to")).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join("to").join(name)).unwrap();
        let script = read("weights.js");
        assert!(script.contains("new URL(\"./weights/a.gguf\", import.meta.url).href"), "{script}");
        assert!(script.contains("export const b_1 = ") && script.contains("\"https://hub/b\""), "{script}");
        assert!(!script.contains("export const c "), "{script}");
        assert!(read("weights.d.ts").contains("export declare const a: CatalogEntry;"));
        let kept: Vec<Value> = serde_json::from_str(&read("weights/catalog.json")).unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(read("weights/a.gguf"), "abc");
    }
}
