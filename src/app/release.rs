//! `release.json`: lists the files of a release of the site. The build writes it (`xtask/src/release.rs`).

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};

use crate::wire::Read;

/// A file of the release. `release.json` is an array of these, sorted by path. It lists all files but itself and
/// `index.html`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Read!)]
pub struct File {
    /// Relative to `index.html`. Except for weights it contains the first 16 digits of the hash.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}
