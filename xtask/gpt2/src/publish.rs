//! The model → parts and an entry in the catalog.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::files::Model;
use anyhow::{Context, Result, bail};
use peargpt::app::catalog::{self, Converted, Entry, sha256};
use peargpt::app::publish::{CatalogNote, files, slices};

/// The catalog's name for GPT-2, and the folder of its parts.
const ID: &str = "gpt2";

/// Writes the model into a catalog's folder; says what there is now.
pub fn publish(model: &mut Model, into: &Path, source: String) -> Result<String> {
    let bytes = model.gguf("GPT-2")?;
    let slices = slices(&bytes, &format!("{ID}/gpt2.gguf"));
    empty(&into.join(ID))?;
    files::write_slices(into, &slices)?;
    let about = CatalogNote { id: ID.to_string(), title: "GPT-2".to_string(), source };
    let catalog = into.join("catalog.json");
    files::write_entry(&catalog, about.entry(&model.info.config, &slices))?;
    let (folder, count, length) = (into.join(ID), slices.len(), bytes.len());
    Ok(format!(
        "{folder} holds GPT-2: {count} parts, {length} bytes, sha256 {sha256}; {catalog} lists it.\n\
         `cargo xtask serve` serves it; `cat {folder}/*.part* > gpt2.gguf` makes one file, which opens in llama.cpp too.",
        folder = folder.display(),
        sha256 = sha256(&bytes),
        catalog = catalog.display()
    ))
}

/// Notes in a catalog what becomes of GPT-2 where it is fetched from the hub, in files of these hashes; says what that is.
pub fn note(model: &mut Model, into: &Path, hashes: &[&str]) -> Result<String> {
    let path = into.join("catalog.json");
    let mut entry = fetched(&path, hashes)?;
    // What the reader's browser makes has the catalog's title inside.
    let file = model.gguf(&entry.title)?;
    let converted = Converted { bytes: file.len() as u64, sha256: sha256(&file) };
    let said = format!(
        "{}: GPT-2 from the hub becomes a file of {} bytes, sha256 {}.",
        path.display(),
        converted.bytes,
        converted.sha256
    );
    entry.converted = Some(converted);
    files::write_entry(&path, entry)?;
    Ok(said)
}

/// What the catalog says of GPT-2, which it has to fetch from the hub in these files.
fn fetched(path: &Path, hashes: &[&str]) -> Result<Entry> {
    let json = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let entries = catalog::parse(&json).with_context(|| path.display().to_string())?;
    let entry = catalog::find(entries, ID).with_context(|| path.display().to_string())?;
    let is_here = |hash: &&str| entry.parts.iter().any(|part| part.sha256.eq_ignore_ascii_case(hash));
    if entry.hub_files().is_none() || !hashes.iter().all(is_here) {
        bail!("{}: its GPT-2 is not what is fetched from {}", path.display(), crate::files::PAGE);
    }
    Ok(entry)
}

/// Makes the folder, or removes what is in it: parts of another file would only lie about.
fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
    .with_context(|| folder.display().to_string())
}

#[cfg(test)]
pub mod tests {
    use std::io::Cursor;
    use std::path::PathBuf;

    use peargpt::checkpoint::{self, Checkpoint, random};
    use peargpt::model::Config;

    use super::*;
    use crate::{files, vocabulary};

    /// An empty folder for one test's files.
    pub fn folder(test: &str) -> PathBuf {
        let folder = crate::root().join("target/tmp/gpt2").join(test);
        empty(&folder).unwrap();
        folder
    }

    /// GPT-2's vocabulary on a body of 2 blocks; a bit more than one file may have.
    fn long() -> Model {
        random(Config { layers: 2, n_embd: 320, heads: 5, n_inner: 640, context: 64, ..files::config() }, 1)
    }

    fn random(config: Config, seed: u64) -> Model {
        let tokenizer = vocabulary::gpt2(config.vocabulary_size).unwrap();
        let weights = random::weights(&config, seed).unwrap();
        Model::held(&Checkpoint { config, tokenizer, weights }).unwrap()
    }

    /// A catalog with a model of the site's own, and GPT-2 on the hub.
    fn catalog_of_the_hub() -> String {
        let part = |url: &str| format!(r#"{{"url":"{url}","bytes":1,"sha256":"{}"}}"#, "0".repeat(64));
        let hub =
            ["vocab.json", "merges.txt", "model.safetensors"].map(|name| part(&format!("https://example.org/{name}")));
        format!(
            r#"[{{"id":"a","title":"","parameters":1,"context":1,"format":"gguf","bytes":1,"parts":[{}],"source":""}},
            {{"id":"gpt2","title":"GPT-2","parameters":1,"context":1,"format":"safetensors","bytes":3,"parts":[{}],
            "source":""}}]"#,
            part("a.gguf"),
            hub.join(",")
        )
    }

    #[test]
    fn what_the_hubs_files_become_is_noted_and_nothing_else_changes() {
        let folder = folder("note");
        let path = folder.join("catalog.json");
        fs::write(&path, catalog_of_the_hub()).unwrap();
        let read = || catalog::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let (before, body) = (read(), Config { layers: 1, n_embd: 64, heads: 2, n_inner: 96, ..files::config() });
        let mut model = random(Config { context: 16, vocabulary_size: 300, ..body }, 3);
        let file = model.gguf("GPT-2").unwrap();
        let said = note(&mut model, &folder, &["0".repeat(64).as_str()]).unwrap();
        assert!(said.contains(&sha256(&file)), "{said}");
        let mut after = read();
        assert!(after[1].converted.take().unwrap().is_file(file.len() as u64, &sha256(&file)));
        assert_eq!(after, before);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        // Of other files, or of what the site serves itself, it would not be true.
        let error = note(&mut model, &folder, &["1".repeat(64).as_str()]).unwrap_err().to_string();
        assert!(error.contains("its GPT-2 is not what is fetched from"), "{error}");
        publish(&mut model, &folder, "random".to_string()).unwrap();
        note(&mut model, &folder, &[]).unwrap_err();
    }

    #[test]
    fn parts_are_a_model_that_opens_and_nothing_else_is_there() {
        let folder = folder("publish");
        fs::create_dir(folder.join(ID)).unwrap();
        fs::write(folder.join("gpt2/gpt2.gguf.part099"), "old").unwrap();
        fs::write(folder.join("catalog.json"), catalog_of_the_hub()).unwrap();
        publish(&mut long(), &folder, "random".to_string()).unwrap();
        let entries = catalog::parse(&fs::read_to_string(folder.join("catalog.json")).unwrap()).unwrap();
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!((ids, entries[1].format.as_str(), entries[1].parts.len()), (vec!["a", "gpt2"], "gguf", 5));
        let mut whole = Vec::new();
        for part in &entries[1].parts {
            let slice = fs::read(folder.join(&part.url)).unwrap();
            assert_eq!((sha256(&slice), slice.len() as u64), (part.sha256.clone(), part.bytes));
            assert!(slice.len() <= 4 << 20);
            whole.extend(slice);
        }
        assert_eq!(fs::read_dir(folder.join(ID)).unwrap().count(), 5);
        let model = checkpoint::Model::open(&mut Cursor::new(whole)).unwrap();
        assert_eq!(model.tokenizer.encode("The dog").unwrap(), [464, 3290]);
        assert_eq!(model.gpt.config().parameters() as u64, entries[1].parameters);
    }

    #[test]
    fn the_same_seed_makes_the_same_file() {
        let body = Config { layers: 1, n_embd: 64, heads: 2, n_inner: 96, ..files::config() };
        let config = Config { context: 16, vocabulary_size: 300, ..body };
        let file = |seed| {
            let bytes = random(config.clone(), seed).gguf("GPT-2").unwrap();
            checkpoint::read(&mut Cursor::new(&bytes)).unwrap();
            sha256(&bytes)
        };
        assert_eq!(file(7), file(7));
        assert_ne!(file(7), file(8));
    }
}
