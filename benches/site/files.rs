//! The built files as hosts send them: compressed with brotli.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::samples::Figures;
use crate::server::mime_type;
use crate::targets::{FILES, PAGE_BYTES, WORKER_BYTES};

/// brotli's best, with the window that its own command takes for files of this size.
const QUALITY: i32 = 11;
const WINDOW: i32 = 22;

/// The files of a site's folder that hosts compress: text and programs, not weights. By name.
pub fn compressed(site: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    eprintln!("brotli, quality {QUALITY}, of what hosts compress of {}", site.display());
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(site);
    for entry in entries.with_context(|| format!("{} is no built site: it cannot be read", site.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if site.join(&name).is_file() && mime_type(&name) != "application/octet-stream" {
            files.insert(name.clone(), brotli(&fs::read(site.join(&name))?)?);
        }
    }
    Ok(files)
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: QUALITY, lgwin: WINDOW, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

/// What a built file is the program of: the page or a build of the worker. Its name ends with a
/// hash, but not in older sites.
pub fn program(file: &str) -> Option<&str> {
    let name = file.strip_suffix("_bg.wasm")?;
    let (stem, hash) = name.rsplit_once('-').unwrap_or((name, ""));
    let is_hash = hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some(if is_hash { stem } else { name })
}

/// Notes down the lengths of the two programs; of several builds of the worker the longest.
pub fn measure(compressed: &BTreeMap<String, Vec<u8>>, figures: &mut Figures) -> Result<()> {
    for (program, quantity) in [("worker", WORKER_BYTES), ("page", PAGE_BYTES)] {
        let builds = compressed.iter().filter(|(name, _)| name.starts_with(program) && name.ends_with(".wasm"));
        let longest = builds.map(|(_, bytes)| bytes.len()).max();
        let longest = longest.with_context(|| format!("dist/ holds no {program}….wasm"))?;
        figures.add(FILES, quantity, longest as f64);
    }
    Ok(())
}
