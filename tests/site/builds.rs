//! The WebAssembly programs of the site: how much of them comes over the wire.

use std::fs;

use brotli::enc::BrotliEncoderParams;

use crate::server::dist;

/// Bytes after brotli that the page's program may have.
const PAGE_LIMIT: usize = 200_000;
/// Bytes after brotli that a worker's program may have.
const WORKER_LIMIT: usize = 500_000;

/// A program of the built site, `page` with the hash that Trunk puts into its name.
fn program(start: &str) -> Vec<u8> {
    let is_it = |name: &str| name.starts_with(start) && name.ends_with("_bg.wasm");
    let files = fs::read_dir(dist()).unwrap().map(|entry| entry.unwrap());
    let found: Vec<_> = files.filter(|entry| is_it(entry.file_name().to_str().unwrap())).collect();
    assert_eq!(found.len(), 1, "dist/ must hold one {start}…_bg.wasm: {found:?}");
    fs::read(found[0].path()).unwrap()
}

/// How many bytes come where a server compresses with brotli, as static hosts do.
fn after_brotli(bytes: &[u8]) -> usize {
    let best = BrotliEncoderParams { quality: 11, size_hint: bytes.len(), ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &best).unwrap();
    compressed.len()
}

#[test]
fn the_programs_are_small() {
    for (start, limit) in [("page-", PAGE_LIMIT), ("worker_", WORKER_LIMIT)] {
        let program = program(start);
        let bytes = after_brotli(&program);
        eprintln!("{start}: {} bytes, {bytes} after brotli", program.len());
        assert!(bytes <= limit, "{start}: expected at most {limit} bytes after brotli, found {bytes}");
    }
}
