//! Reads and writes slices and the catalog on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::with_entry;
use crate::app::catalog::{self, CatalogError, Entry, Part};

/// A catalog or a slice that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a catalog.
    #[error("{}: {source}", path.display())]
    Catalog {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CatalogError,
    },
}

/// Writes each slice to its URL, taken as a path relative to `folder`.
pub fn write_slices(folder: &Path, slices: &[(Part, &[u8])]) -> Result<(), PublishError> {
    for (part, slice) in slices {
        let path = folder.join(&part.url);
        fs::write(&path, slice).map_err(failed(&path))?;
    }
    Ok(())
}

/// Writes `entry` into the catalog, and replaces the entry with its id. Creates the catalog if there is none.
pub fn write_entry(path: &Path, entry: Entry) -> Result<(), PublishError> {
    let entries = if path.exists() { read_catalog(path)? } else { Vec::new() };
    let json = serde_json::to_string_pretty(&with_entry(entries, entry));
    let json = json.map_err(|source| PublishError::Catalog { path: path.into(), source: source.into() })?;
    fs::write(path, json + "\n").map_err(failed(path))
}

fn read_catalog(path: &Path) -> Result<Vec<Entry>, PublishError> {
    let json = fs::read_to_string(path).map_err(failed(path))?;
    catalog::parse(&json).map_err(|source| PublishError::Catalog { path: path.into(), source })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    |source| PublishError::File { path: path.into(), source }
}
