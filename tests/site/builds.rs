//! The three WebAssembly programs of the site: how much of them comes over the wire, what they ask of a browser, and
//! which worker a browser is given.

use std::fs;

use brotli::enc::BrotliEncoderParams;
use wasmparser::{Validator, WasmFeatures};

use crate::reader::Reader;
use crate::server::dist;

/// Bytes after brotli that the page's program may have.
const PAGE_LIMIT: usize = 200_000;
/// Bytes after brotli that a worker's program may have.
const WORKER_LIMIT: usize = 500_000;

/// In a browser like those before relaxed SIMD, as far as `start.js` can tell.
const WITHOUT_RELAXED_SIMD: &str = "
    const validate = WebAssembly.validate;
    WebAssembly.validate = (bytes) => !String(bytes).includes('253,147,2') && validate(bytes);";

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

/// Whether a browser of this day without relaxed SIMD takes the program.
fn runs_without_relaxed_simd(program: &[u8]) -> bool {
    let features = WasmFeatures::default().difference(WasmFeatures::RELAXED_SIMD);
    Validator::new_with_features(features).validate_all(program).is_ok()
}

#[test]
fn the_programs_are_small() {
    for (start, limit) in [("page-", PAGE_LIMIT), ("worker_", WORKER_LIMIT), ("worker-relaxed_", WORKER_LIMIT)] {
        let program = program(start);
        let bytes = after_brotli(&program);
        eprintln!("{start}: {} bytes, {bytes} after brotli", program.len());
        assert!(bytes <= limit, "{start}: expected at most {limit} bytes after brotli, found {bytes}");
    }
}

#[test]
fn a_browser_without_relaxed_simd_takes_all_but_one() {
    for (start, is_taken) in [("page-", true), ("worker_", true), ("worker-relaxed_", false)] {
        assert_eq!(runs_without_relaxed_simd(&program(start)), is_taken, "{start}");
    }
}

/// What computes, as the page says it, where this script runs before it.
async fn backend_after(script: &str) -> String {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(script).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.expect_recovery("").await.unwrap();
    let (given, other) = match script {
        "" => ("worker-relaxed", "worker"),
        _ => ("worker", "worker-relaxed"),
    };
    for file in [format!("/{given}.js"), format!("/{given}_bg.wasm")] {
        assert!(reader.server.count(&file) > 0, "{file}");
    }
    assert_eq!(reader.server.count(&format!("/{other}.js")), 0);
    assert_eq!(reader.server.count(&format!("/{other}_bg.wasm")), 0);
    reader.browser.find("stats").await.unwrap().attr("data-backend").await.unwrap().unwrap()
}

#[tokio::test]
async fn each_browser_runs_the_worker_that_it_can() {
    let relaxed = backend_after("").await;
    // Where the processor's dot product saturates, this worker computes as the other does.
    let possible = ["WebAssembly relaxed SIMD, 1 thread", "WebAssembly SIMD, 1 thread"];
    eprintln!("with relaxed SIMD: {relaxed}");
    assert!(possible.contains(&relaxed.as_str()), "{relaxed}");
    assert_eq!(backend_after(WITHOUT_RELAXED_SIMD).await, "WebAssembly SIMD, 1 thread");
}
