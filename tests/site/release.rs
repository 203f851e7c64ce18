//! The files of the built site, as the build names and lists them.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peargpt::app::release::File;
use sha2::{Digest, Sha256};

/// All files of a built site but `index.html` and `release.json`; none where the build wrote no list.
pub fn files(site: &Path) -> Vec<File> {
    let manifest = fs::read(site.join("release.json")).unwrap_or_default();
    serde_json::from_slice(&manifest).unwrap_or_default()
}

/// The file that the build made of the one of this name: `page_bg.wasm` is `page-0123456789abcdef_bg.wasm`.
pub fn file(site: &Path, name: &str) -> Option<File> {
    files(site).into_iter().find(|file| file.path == name || plain(&file.path) == name)
}

/// The path of that file; the name itself where the build does not know it.
pub fn path(site: &Path, name: &str) -> String {
    file(site, name).map_or_else(|| name.to_string(), |file| file.path)
}

/// A path without the 16 digits of the hash.
pub fn plain(path: &str) -> String {
    let is_hash = |part: &str| part.bytes().take_while(u8::is_ascii_hexdigit).count() == 16;
    match path.rsplit_once('-') {
        Some((stem, rest)) if is_hash(rest) => format!("{stem}{}", &rest[16..]),
        _ => path.to_string(),
    }
}

/// What `fetch` holds a file against, by its sha256.
pub fn integrity(sha256: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(sha256))
}

/// The integrity of these bytes.
pub fn integrity_of(bytes: &[u8]) -> String {
    integrity(&Sha256::digest(bytes))
}
