//! The files of the built site, as the build names and lists them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peargpt::app::release::File;
use serde_json::{Value, json};
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

/// What becomes of a file's contents.
pub type Change<'a> = (&'a str, &'a dyn Fn(Vec<u8>) -> Vec<u8>);

/// Another release of a site, in which the files of these names are changed.
pub fn another(name: &str, site: &Path, changes: &[Change]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(name);
    drop(fs::remove_dir_all(&folder));
    copy(site, &folder);
    let read = |name: &str| fs::read_to_string(site.join(name)).unwrap();
    let (mut page, before) = (read("index.html"), read("release.json"));
    let mut list: Vec<Value> = serde_json::from_str(&before).unwrap();
    for (name, change) in changes {
        let old = file(site, name).unwrap();
        let bytes = change(fs::read(site.join(&old.path)).unwrap());
        let sha256 = hex(&Sha256::digest(&bytes));
        let path = old.path.replace(&old.sha256[..16], &sha256[..16]);
        fs::remove_file(folder.join(&old.path)).unwrap();
        fs::write(folder.join(&path), &bytes).unwrap();
        page = page.replace(&old.path, &path).replace(&integrity(&bytes_of(&old.sha256)), &integrity_of(&bytes));
        let entry = list.iter_mut().find(|entry| entry["path"] == old.path).unwrap();
        *entry = json!({ "path": path, "bytes": bytes.len(), "sha256": sha256 });
    }
    let list = serde_json::to_string(&list).unwrap();
    page = page.replace(&hex(&Sha256::digest(&before)), &hex(&Sha256::digest(&list)));
    fs::write(folder.join("index.html"), page).unwrap();
    fs::write(folder.join("release.json"), list).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that these digits say.
pub fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..][..2], 16).unwrap()).collect()
}
