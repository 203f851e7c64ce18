//! `weights/catalog.json`: the models on offer.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::sha256::hex;

/// One model of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name in addresses: `peargpt`, `gpt2`.
    pub id: String,
    /// Name that readers see.
    pub title: String,
    /// Number of weights.
    pub parameters: u64,
    /// Longest window, in tokens.
    pub context: u32,
    /// Format of the file that the parts make up: `gguf`.
    pub format: String,
    /// Length of that file, in bytes.
    pub bytes: u64,
    /// Consecutive slices of the file, in order; `cat` of them is the file.
    pub parts: Vec<Part>,
    /// Where the weights come from, for people to read.
    pub source: String,
}

/// One consecutive slice of a model's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Address, relative to the catalog's.
    pub url: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the slice, 64 hex digits.
    pub sha256: String,
}

/// A catalog that does not say what it must.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not JSON of the catalog's shape.
    #[error("the catalog is not an array of models: {0}")]
    Json(#[from] serde_json::Error),
    /// A model whose parts do not add up.
    #[error("the catalog's `{id}`: parts add up to {found} bytes, expected {expected}")]
    Bytes {
        /// The model.
        id: String,
        /// The entry's `bytes`.
        expected: u64,
        /// The sum of its parts' `bytes`.
        found: u64,
    },
    /// A hash that is not one.
    #[error("the catalog's `{id}`: sha256 of `{url}` takes 64 hex digits, found `{found}`")]
    Sha256 {
        /// The model.
        id: String,
        /// The part.
        url: String,
        /// What stands there.
        found: String,
    },
    /// A model that the catalog does not have.
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
    let entries: Vec<Entry> = serde_json::from_str(json)?;
    for entry in &entries {
        let found = entry.parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.bytes));
        if found != entry.bytes {
            return Err(CatalogError::Bytes { id: entry.id.clone(), expected: entry.bytes, found });
        }
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(part) = entry.parts.iter().find(|part| !is_hash(&part.sha256)) {
            let (url, found) = (part.url.clone(), part.sha256.clone());
            return Err(CatalogError::Sha256 { id: entry.id.clone(), url, found });
        }
    }
    Ok(entries)
}

/// SHA-256 as 64 hex digits, as a catalog has it.
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
}
