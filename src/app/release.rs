//! `release.json`: what a release of the site consists of. The build writes it (`xtask/src/release.rs`).

use serde::{Deserialize, Serialize};

/// A file of the release; `release.json` is an array of them, sorted by path. It lists all but itself and `index.html`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Relative to `index.html`; it carries the first 16 digits of the hash, but for weights.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash, as 64 hexadecimal digits.
    pub sha256: String,
}
