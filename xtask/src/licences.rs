//! `licences.txt`: what the site ships, by whom, and under which terms.
//!
//! The crates are those that Cargo resolves for the WebAssembly programs, so that the file follows Cargo.lock. Their texts
//! are taken from their packages, each once: where two differ in nothing but the lines of copyright, these stand with the
//! crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::output;

/// The package whose programs are shipped.
const ROOT: &str = "peargpt";

// Begins with a mark of UTF-8, since servers send text without saying what it is in.
const HEAD: &str = "\u{feff}What this site ships, and under which terms\n\
    ===========================================\n\n\
    Weights and texts\n\
    -----------------\n\n\
    pearGPT's weights, where the site offers them: MIT, as peargpt.\n\n\
    A model that somebody has published with this site: ask whoever did.\n\n\
    Tiny Shakespeare, the text that pearGPT has learned, put together by Andrej Karpathy: public domain.\n\n\
    GPT-2's weights, where the site offers them, and its tokenizer, which models of byte pairs have: Modified MIT License,\n\
    whose text stands at the end. They come from https://huggingface.co/openai-community/gpt2; the weights are converted to\n\
    8 bits.\n\n\
    Programs\n\
    --------\n\n\
    Where there is a choice of licences, the text is that of one of them.\n\n\
    Rust's standard library: MIT OR Apache-2.0, https://www.rust-lang.org/policies/licenses\n    \
    Copyright (c) The Rust Project Contributors\n";

const GPT2_HEAD: &str = "\nGPT-2's weights and tokenizer\n-----------------------------\n\n";
/// As it lies at <https://github.com/openai/gpt-2/blob/master/LICENSE>.
const GPT2: &str = include_str!("../../weights/gpt2-licence.txt");

/// A crate that is in a program.
#[derive(Debug, PartialEq)]
struct Shipped {
    name: String,
    version: String,
    /// SPDX.
    terms: String,
    authors: Vec<String>,
    folder: PathBuf,
}

/// The whole file. Cargo describes more crates than were built: those that are not on this machine yet it fetches.
pub fn licences() -> Result<String> {
    let metadata = metadata(&["--offline"]).or_else(|| metadata(&[]));
    let metadata = metadata.context("`cargo metadata` does not say which crates the site ships; check the network")?;
    render(&shipped(&serde_json::from_str(&metadata).context("`cargo metadata` wrote no JSON")?)?)
}

fn metadata(flags: &[&str]) -> Option<String> {
    let arguments = ["metadata", "--locked", "--format-version=1", "--filter-platform=wasm32-unknown-unknown"];
    output("cargo", &[&arguments, flags].concat())
}

/// What the root's programs are made of: neither what runs while they are built, nor what tests use. The root comes first.
fn shipped(metadata: &Value) -> Result<Vec<Shipped>> {
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let root = packages.iter().find(|(_, package)| package["name"] == ROOT);
    let root = *root.with_context(|| format!("Cargo knows no package {ROOT}"))?.0;
    let (mut seen, mut waiting, mut shipped) = (BTreeSet::new(), vec![root], Vec::new());
    while let Some(id) = waiting.pop() {
        let package = packages.get(id).with_context(|| format!("Cargo does not describe {id}"))?;
        if !seen.insert(id) || is_macro(package) {
            continue;
        }
        shipped.push(read(package)?);
        let dependencies = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        waiting.extend(dependencies.filter(|dependency| is_linked(dependency)).filter_map(|one| one["pkg"].as_str()));
    }
    let key = |one: &Shipped| (one.name != ROOT, one.name.clone(), one.version.clone());
    shipped.sort_by_key(key);
    Ok(shipped)
}

fn by_id(list: &Value) -> BTreeMap<&str, &Value> {
    list.as_array().into_iter().flatten().filter_map(|entry| Some((entry["id"].as_str()?, entry))).collect()
}

/// It runs in the compiler.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets.filter_map(|target| target["kind"].as_array()).flatten().any(|kind| kind == "proc-macro")
}

/// Neither for tests nor for build scripts only.
fn is_linked(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
}

fn read(package: &Value) -> Result<Shipped> {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_string();
    let folder = Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent();
    let authors = package["authors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(Shipped {
        name: text("name"),
        version: text("version"),
        terms: package["license"].as_str().unwrap_or("see its text").to_string(),
        authors: authors.map(|author| author.split(" <").next().unwrap_or(author).to_string()).collect(),
        folder: folder.with_context(|| format!("Cargo does not say where {} lies", package["name"]))?.to_path_buf(),
    })
}

/// The crates, then the texts that they are under.
fn render(crates: &[Shipped]) -> Result<String> {
    let mut file = HEAD.to_string();
    // By their words, in the order in which they come.
    let (mut numbers, mut texts) = (BTreeMap::new(), String::new());
    for Shipped { name, version, terms, authors, folder } in crates {
        let (mut lines, mut under) = (String::new(), Vec::new());
        for text in licence_texts(folder)? {
            let (copyright, body) = split(&text);
            copyright.iter().for_each(|line| lines.push_str(&format!("    {line}\n")));
            let words = body.split_whitespace().collect::<Vec<_>>().join(" ");
            let next = numbers.len() + 1;
            let number = *numbers.entry(words).or_insert(next);
            if number == next {
                write!(texts, "\nText {number}\n-------\n\n{body}\n")?;
            }
            under.push(format!(", text {number}"));
        }
        if under.is_empty() && !authors.is_empty() {
            lines = format!("    By {}\n", authors.join(", "));
        }
        write!(file, "\n{name} {version}: {terms}{}\n{lines}", under.concat())?;
    }
    Ok([&file, &texts, GPT2_HEAD, GPT2].concat())
}

/// The texts that are to be carried along; none where the package has none. Of several licences to choose from it is MIT.
fn licence_texts(folder: &Path) -> Result<Vec<String>> {
    let unread = || format!("{} cannot be read", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(unread)? {
        let entry = entry.with_context(unread)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let upper = name.to_uppercase();
        let is_text =
            ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"].iter().any(|start| upper.starts_with(start));
        if is_text && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    let other = if has("MIT") { Some("MIT") } else { None };
    let is_chosen = |name: &&String| match other {
        Some(chosen) => name.contains(chosen) || name.contains("UNICODE") || name.to_uppercase().starts_with("NOTICE"),
        None => !name.contains("APACHE") || names.len() == 1,
    };
    let read = |name: &String| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    names.iter().filter(is_chosen).map(read).collect()
}

/// The lines that name who has the copyright, and the rest.
fn split(text: &str) -> (Vec<String>, String) {
    let is_copyright = |line: &&str| {
        let line = line.trim_start().to_lowercase();
        line.starts_with("copyright (c)") || line.starts_with("copyright ©") || line.starts_with("copyright 2")
    };
    let copyright = text.lines().filter(is_copyright).map(|line| line.trim().to_string()).collect();
    let rest: Vec<&str> = text.lines().filter(|line| !is_copyright(line)).map(str::trim_end).collect();
    (copyright, rest.join("\n").trim_matches('\n').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Packages in a folder of the test's, each with its files.
    fn packages(test: &str, files: &[(&str, &str, &str)]) -> PathBuf {
        let folder = crate::run::root().join("target/tmp").join(test);
        let _ = fs::remove_dir_all(&folder);
        for (package, name, text) in files {
            fs::create_dir_all(folder.join(package)).unwrap();
            fs::write(folder.join(package).join(name), text).unwrap();
        }
        folder
    }

    fn package(folder: &Path, name: &str, kind: &str) -> Value {
        let manifest = folder.join(name).join("Cargo.toml");
        let authors = ["Ann <ann@example.org>", "Bob"];
        json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT", "authors": authors,
            "manifest_path": manifest, "targets": [{ "kind": [kind] }] })
    }

    fn metadata(folder: &Path) -> Value {
        let linked = json!([{ "kind": null }]);
        let needs = |name: &str, kinds: &Value| json!({ "pkg": name, "dep_kinds": kinds });
        let nodes = json!([
            { "id": "peargpt", "deps": [needs("zebra", &linked), needs("macro", &linked),
                needs("tested", &json!([{ "kind": "dev" }])), needs("built", &json!([{ "kind": "build" }]))] },
            { "id": "zebra", "deps": [needs("deep", &json!([{ "kind": "build" }, { "kind": null }]))] },
            { "id": "macro", "deps": [needs("parser", &linked)] },
            { "id": "deep", "deps": [needs("zebra", &linked)] },
        ]);
        let packages =
            ["deep", "zebra", "peargpt", "tested", "built", "parser"].map(|name| package(folder, name, "lib"));
        let packages: Vec<Value> = packages.into_iter().chain([package(folder, "macro", "proc-macro")]).collect();
        json!({ "packages": packages, "resolve": { "nodes": nodes } })
    }

    #[test]
    fn what_is_linked_is_shipped_and_what_only_builds_or_tests_is_not() {
        let shipped = shipped(&metadata(Path::new("/nowhere"))).unwrap();
        assert_eq!(shipped.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["peargpt", "deep", "zebra"]);
        assert_eq!((shipped[1].authors.join(" and "), shipped[1].terms.as_str()), ("Ann and Bob".into(), "MIT"));
        assert!(super::shipped(&json!({ "packages": [] })).unwrap_err().to_string().contains(ROOT));
    }

    #[test]
    fn a_text_stands_once_and_each_line_of_copyright_with_its_crate() {
        let folder = packages(
            "a_text_stands_once",
            &[
                ("peargpt", "LICENSE", "MIT\n\nCopyright (c) 2026 The authors\n\nDo as\nyou like.\n"),
                ("deep", "LICENSE-MIT", "MIT\nCopyright (c) 1999 Deep\n\nDo as you like.\n"),
                ("deep", "LICENSE-APACHE", "Another\n"),
                ("zebra", "src.rs", ""),
            ],
        );
        let file = render(&shipped(&metadata(&folder)).unwrap()).unwrap();
        for part in [
            "\npeargpt 1.0.0: MIT, text 1\n    Copyright (c) 2026 The authors\n",
            "\ndeep 1.0.0: MIT, text 1\n    Copyright (c) 1999 Deep\n",
            "\nzebra 1.0.0: MIT\n    By Ann, Bob\n",
            "Tiny Shakespeare",
            "Copyright (c) 2019 OpenAI",
            "indicate your content was created using GPT-2",
        ] {
            assert!(file.contains(part), "{part} is not in {file}");
        }
        assert_eq!(file.matches("you like.").count(), 1, "{file}");
        assert!(!file.contains("Text 2") && !file.contains("Another"), "{file}");
        fs::remove_dir_all(folder.join("zebra")).unwrap();
        let error = render(&shipped(&metadata(&folder)).unwrap()).unwrap_err().to_string();
        assert!(error.contains("zebra"), "{error}");
    }
}
