//! `weights/catalog.json`: the models that the site offers.

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checkpoint::sha256::hex;
use crate::model::Config;
use crate::wire::Read;

/// One model of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in addresses: `peargpt`, `gpt2`.
    pub id: String,
    /// Its name for readers.
    pub title: String,
    /// Number of weights.
    pub parameters: u64,
    /// Longest window, in tokens.
    pub context: u32,
    /// The sizes that its speed depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// [`GGUF`]: the parts are slices of one file on this site. [`SAFETENSORS`]: the parts are the files of a model on
    /// the hub. The reader's browser fetches these from there, and converts them.
    pub format: String,
    /// Length of all parts, in bytes.
    pub bytes: u64,
    /// The consecutive slices of a GGUF file, in order, whose concatenation is the file; or the hub's files, see
    /// [`HubFiles`].
    pub parts: Vec<Part>,
    /// For a model on the hub: the GGUF file that it is converted to, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Converted>,
    /// Where the weights come from, for people to read.
    pub source: String,
}

/// A model's sizes; the rest of its shape is GPT-2's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Blocks.
    pub layers: usize,
    /// Attention heads per block.
    pub heads: usize,
    /// Length of the embedding.
    pub n_embd: usize,
    /// Width of the MLP's hidden layer.
    pub n_inner: usize,
    /// Tokens there are.
    pub vocabulary_size: usize,
}

impl Shape {
    /// The sizes of a configuration.
    pub fn of(config: &Config) -> Self {
        let Config { layers, heads, n_embd, n_inner, vocabulary_size, .. } = *config;
        Shape { layers, heads, n_embd, n_inner, vocabulary_size }
    }

    /// A name for what was measured with it.
    pub fn name(&self) -> String {
        let Shape { layers, heads, n_embd, n_inner, vocabulary_size } = self;
        format!("{layers}x{n_embd}x{n_inner}x{heads}x{vocabulary_size}")
    }
}

/// The GGUF file that a model of the hub is converted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
#[serde(deny_unknown_fields)]
pub struct Converted {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

impl Converted {
    /// Whether a file with this length and SHA-256 is this file.
    pub fn is_file(&self, bytes: u64, sha256: &str) -> bool {
        self.bytes == bytes && self.sha256.eq_ignore_ascii_case(sha256)
    }
}

/// The format of an entry whose parts are the slices of a GGUF file.
pub const GGUF: &str = "gguf";
/// The format of an entry whose parts are a Hugging Face model's files.
pub const SAFETENSORS: &str = "safetensors";

/// The files of a model on the hub, recognised by the ends of their URLs.
#[derive(Clone, Copy, Debug)]
pub struct HubFiles<'a> {
    /// `vocab.json`.
    pub vocabulary: &'a Part,
    /// `merges.txt`.
    pub merges: &'a Part,
    /// `model.safetensors`.
    pub weights: &'a Part,
}

impl Entry {
    /// The entry of a model of the reader's own. Only its id is known.
    pub fn own(id: String) -> Entry {
        let nothing = String::new;
        let (title, format, source, parts) = (nothing(), nothing(), nothing(), Vec::new());
        Entry { id, title, parameters: 0, context: 0, format, bytes: 0, parts, shape: None, converted: None, source }
    }

    /// The hub's files, if the format is [`SAFETENSORS`].
    pub fn hub_files(&self) -> Option<HubFiles<'_>> {
        let file = |end| self.parts.iter().find(|part| part.url.ends_with(end));
        let [vocabulary, merges, weights] = [file("vocab.json")?, file("merges.txt")?, file("model.safetensors")?];
        (self.format == SAFETENSORS).then_some(HubFiles { vocabulary, merges, weights })
    }
}

/// A slice of a model's file, or one of several files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// URL, relative to the catalog's.
    pub url: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the slice, 64 hex digits.
    pub sha256: String,
}

/// A catalog that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The catalog is not JSON of the expected form.
    #[error("the catalog is not an array of models: {0}")]
    Json(#[from] serde_json::Error),
    /// The lengths of a model's parts do not add up.
    #[error("the catalog's `{id}`: parts add up to {found} bytes, expected {expected}")]
    Bytes {
        /// The model.
        id: String,
        /// The entry's `bytes`.
        expected: u64,
        /// The sum of its parts' `bytes`.
        found: u64,
    },
    /// A SHA-256 is not 64 hex digits.
    #[error("the catalog's `{id}`: sha256 of `{url}` takes 64 hex digits, found `{found}`")]
    Sha256 {
        /// The model.
        id: String,
        /// The part.
        url: String,
        /// What stands there.
        found: String,
    },
    /// The format is unknown, or files that it needs are missing.
    #[error(
        "the catalog's `{id}`: expected format `gguf`, or `safetensors` with vocab.json, merges.txt and model.safetensors; found `{found}` with {parts} parts"
    )]
    Format {
        /// The model.
        id: String,
        /// The entry's `format`.
        found: String,
        /// How many parts it has.
        parts: usize,
    },
    /// The catalog does not have this model.
    #[error("the catalog has no model `{id}`; it has: {known}")]
    Missing {
        /// The model asked for.
        id: String,
        /// The models there are.
        known: String,
    },
}

/// Reads a catalog and checks that each model's parts add up.
pub fn parse(json: &str) -> Result<Vec<Entry>, CatalogError> {
    check(serde_json::from_str(json)?)
}

/// Checks that each model's parts add up.
pub fn check(entries: Vec<Entry>) -> Result<Vec<Entry>, CatalogError> {
    for entry in &entries {
        let found = entry.parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.bytes));
        if found != entry.bytes {
            return Err(CatalogError::Bytes { id: entry.id.clone(), expected: entry.bytes, found });
        }
        let is_known = entry.format == GGUF && !entry.parts.is_empty();
        if !is_known && (entry.hub_files().is_none() || entry.parts.len() != 3) {
            let (id, found) = (entry.id.clone(), entry.format.clone());
            return Err(CatalogError::Format { id, found, parts: entry.parts.len() });
        }
        check_hashes(entry)?;
    }
    Ok(entries)
}

fn check_hashes(entry: &Entry) -> Result<(), CatalogError> {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = entry.parts.iter().map(|part| (part.url.as_str(), &part.sha256));
    let converted = entry.converted.iter().map(|converted| ("converted", &converted.sha256));
    match parts.chain(converted).find(|(_, sha256)| !is_hash(sha256)) {
        Some((url, found)) => {
            let (url, found) = (url.to_string(), found.clone());
            Err(CatalogError::Sha256 { id: entry.id.clone(), url, found })
        }
        None => Ok(()),
    }
}

/// SHA-256 as 64 hex digits, as in a catalog.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The model of this id.
pub fn find(entries: Vec<Entry>, id: &str) -> Result<Entry, CatalogError> {
    let known = entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>().join(", ");
    let missing = CatalogError::Missing { id: id.to_string(), known };
    entries.into_iter().find(|entry| entry.id == id).ok_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: u64, sha256: &str) -> String {
        format!(
            r#"[{{"id":"tiny","title":"Tiny","parameters":1,"context":8,"format":"gguf","bytes":{bytes},
                "parts":[{{"url":"a","bytes":3,"sha256":"{sha256}"}},{{"url":"b","bytes":4,"sha256":"{sha256}"}}],
                "source":"made here"}}]"#
        )
    }

    #[test]
    fn a_catalog_that_adds_up_is_read() {
        let entries = parse(&entry(7, &"a0".repeat(32))).unwrap();
        assert_eq!(find(entries.clone(), "tiny").unwrap().parts[1].url, "b");
        let error = find(entries, "large").unwrap_err().to_string();
        assert_eq!(error, "the catalog has no model `large`; it has: tiny");
    }

    #[test]
    fn a_catalog_that_does_not_is_refused_by_name() {
        let error = parse(&entry(8, &"a0".repeat(32))).unwrap_err().to_string();
        assert_eq!(error, "the catalog's `tiny`: parts add up to 7 bytes, expected 8");
        let error = parse(&entry(7, "short")).unwrap_err().to_string();
        assert!(error.contains("takes 64 hex digits, found `short`"), "{error}");
        assert!(parse("{}").unwrap_err().to_string().contains("not an array"));
    }

    #[test]
    fn the_hubs_files_are_told_by_their_names() {
        let part = |name: &str| format!(r#"{{"url":"https://hub/{name}","bytes":1,"sha256":"{}"}}"#, "a0".repeat(32));
        let catalog = |format: &str, names: &[&str]| {
            let parts: Vec<String> = names.iter().map(|name| part(name)).collect();
            format!(
                r#"[{{"id":"tiny","title":"Tiny","parameters":1,"context":8,"format":"{format}","bytes":{},
                    "parts":[{}],"source":"https://hub/"}}]"#,
                parts.len(),
                parts.join(",")
            )
        };
        let all = ["merges.txt", "model.safetensors", "vocab.json"];
        let entry = find(parse(&catalog(SAFETENSORS, &all)).unwrap(), "tiny").unwrap();
        let files = entry.hub_files().unwrap();
        assert_eq!(files.weights.url, "https://hub/model.safetensors");
        assert_eq!((files.vocabulary, files.merges), (&entry.parts[2], &entry.parts[0]));
        assert!(find(parse(&catalog(GGUF, &all)).unwrap(), "tiny").unwrap().hub_files().is_none());
        assert_eq!(entry.converted, None);
        let named = |sha256: &str| {
            let converted = format!(r#""converted":{{"bytes":9,"sha256":"{sha256}"}},"source""#);
            parse(&catalog(SAFETENSORS, &all).replace(r#""source""#, &converted))
        };
        let converted = named(&"b1".repeat(32)).unwrap().remove(0).converted.unwrap();
        assert!(converted.is_file(9, &"B1".repeat(32)));
        assert!(!converted.is_file(8, &"b1".repeat(32)) && !converted.is_file(9, &"b2".repeat(32)));
        let error = named("short").unwrap_err().to_string();
        assert!(error.contains("sha256 of `converted` takes 64 hex digits, found `short`"), "{error}");
        for (format, names) in [(SAFETENSORS, &all[..2]), (GGUF, &[]), ("pickle", &all)] {
            let error = parse(&catalog(format, names)).unwrap_err().to_string();
            assert!(error.contains(&format!("found `{format}` with {} parts", names.len())), "{error}");
        }
    }
}
