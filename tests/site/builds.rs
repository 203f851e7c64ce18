//! The WebAssembly programs of the site: how much of them comes over the wire, what they ask of a browser, and
//! which worker a browser is given.

use std::fs;

use brotli::enc::BrotliEncoderParams;
use wasmparser::{Validator, WasmFeatures};

use crate::reader::Reader;
use crate::release;
use crate::server::dist;

/// What each program's WebAssembly may have after brotli, in kilobytes of 1000 bytes. What comes beside it (glue, styles,
/// the document) is some 19 KB of the page, and 7 KB of a worker.
const BUDGETS: [(&str, usize); 6] = [
    ("page", 316),
    ("worker", 400),
    ("worker-relaxed", 400),
    ("converter", 430),
    ("trainer", 400),
    ("trainer-relaxed", 400),
];

/// What the module for other pages and its engine may have together after brotli, without weights.
const MODULE: usize = 450;

/// In a browser like those before relaxed SIMD, as far as `programs.js` can tell.
const WITHOUT_RELAXED_SIMD: &str = "
    const validate = WebAssembly.validate;
    WebAssembly.validate = (bytes) => !String(bytes).includes('253,147,2') && validate(bytes);";

/// A file of the built site, by its name without a hash.
fn read(name: &str) -> Vec<u8> {
    let path = release::path(&dist(), name);
    fs::read(dist().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A program of the built site.
fn program(name: &str) -> Vec<u8> {
    read(&format!("{name}_bg.wasm"))
}

/// How many bytes come where a server compresses with brotli, as static hosts do.
fn after_brotli(bytes: &[u8]) -> usize {
    let best = BrotliEncoderParams { quality: 11, size_hint: bytes.len(), ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &best).unwrap();
    compressed.len()
}

/// Something that the page needs beside the first version of WebAssembly.
struct Need {
    what: &'static str,
    features: WasmFeatures,
    /// The versions of Chrome, Firefox and Safari from which on it is there, by MDN's tables; of what is old they say
    /// by which version at the latest.
    since: [f32; 3],
    /// The program in `start.js` that a browser without it refuses.
    probe: Option<&'static str>,
}

const fn need(what: &'static str, features: WasmFeatures, since: [f32; 3], probe: Option<&'static str>) -> Need {
    Need { what, features, since, probe }
}

const NEEDS: [Need; 9] = [
    need("mutable globals", WasmFeatures::MUTABLE_GLOBAL, [80.0, 72.0, 13.1], None),
    need("sign extension", WasmFeatures::SIGN_EXTENSION, [80.0, 72.0, 14.1], None),
    need("floats to integers", WasmFeatures::SATURATING_FLOAT_TO_INT, [80.0, 72.0, 15.1], None),
    need("bulk memory", WasmFeatures::BULK_MEMORY, [80.0, 78.0, 15.1], None),
    need("several values", WasmFeatures::MULTI_VALUE, [86.0, 78.0, 13.1], None),
    need("i64 as BigInt", WasmFeatures::empty(), [85.0, 78.0, 14.1], None),
    need("reference types", WasmFeatures::REFERENCE_TYPES, [96.0, 79.0, 15.1], Some("REFERENCES")),
    need("SIMD", WasmFeatures::SIMD, [91.0, 89.0, 16.4], Some("SIMD")),
    // Firefox did not hold WebAssembly to a page's policy before it knew the word, in 102.
    need("'wasm-unsafe-eval' in a policy", WasmFeatures::empty(), [97.0, 0.0, 16.0], Some("SIMD")),
];

/// What the browsers have that the page says it needs.
fn stated() -> WasmFeatures {
    NEEDS.iter().fold(WasmFeatures::MVP, |all, need| all.union(need.features))
}

fn validates(features: WasmFeatures, program: &[u8]) -> Result<(), String> {
    let mut validator = Validator::new_with_features(features);
    validator.validate_all(program).map(drop).map_err(|error| error.to_string())
}

/// A file of the built site, with each white space as one space.
fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A program in `start.js`, or in `programs.js`, which chooses the engine's.
fn probe(name: &str) -> Vec<u8> {
    let script = ["start.js", "programs.js"].map(text).join(" ");
    let (_, rest) = script.split_once(&format!("const {name} = new Uint8Array([")).unwrap();
    let (bytes, _) = rest.split_once("])").unwrap();
    bytes.split(',').map(str::trim).filter(|byte| !byte.is_empty()).map(|byte| byte.parse().unwrap()).collect()
}

#[test]
fn the_programs_are_small() {
    for (name, limit) in BUDGETS {
        let bytes = after_brotli(&program(name));
        eprintln!("{name}: {bytes} bytes after brotli");
        assert!(bytes <= 1000 * limit, "{name}: expected at most {limit} KB after brotli, found {bytes} bytes");
    }
}

#[test]
fn the_module_and_its_engine_are_small() {
    let module = ["peargpt.js", "engine.js", "options.js", "errors.js", "programs.js"];
    for engine in ["worker", "worker-relaxed"] {
        let files = [format!("{engine}.js"), format!("{engine}_bg.wasm")].into_iter().chain(module.map(String::from));
        let bytes: usize = files.map(|name| after_brotli(&read(&name))).sum();
        eprintln!("the module with {engine}: {bytes} bytes after brotli");
        assert!(bytes <= 1000 * MODULE, "{engine}: expected at most {MODULE} KB after brotli, found {bytes} bytes");
    }
}

/// By the release's manifest.
#[test]
fn every_program_of_the_release_has_a_budget() {
    for file in release::files(&dist()) {
        let name = release::plain(&file.path);
        if let Some(program) = name.strip_suffix("_bg.wasm") {
            assert!(BUDGETS.iter().any(|(known, _)| *known == program), "{program} has no budget");
        }
    }
}

#[test]
fn the_programs_use_nothing_that_is_not_named() {
    for start in ["page", "worker", "converter", "trainer"] {
        assert_eq!(validates(stated(), &program(start)), Ok(()), "{start}");
    }
    for relaxed in ["worker-relaxed", "trainer-relaxed"].map(program) {
        assert_eq!(validates(stated().union(WasmFeatures::RELAXED_SIMD), &relaxed), Ok(()));
        assert!(validates(stated(), &relaxed).is_err_and(|error| error.contains("relaxed")), "it has no relaxed SIMD");
    }
}

#[test]
fn the_versions_that_are_named_are_the_first_with_all_that_is_needed() {
    let first = |browser: usize| NEEDS.iter().map(|need| need.since[browser]).fold(0.0, f32::max);
    let [chrome, firefox, safari] = [0, 1, 2].map(first);
    let sentence = format!("Chrome or Edge {chrome}, Firefox {firefox}, Safari {safari}, or newer.");
    for name in ["start.js", "index.html"] {
        assert!(text(name).contains(&sentence), "{name} does not say `{sentence}`");
    }
}

#[test]
fn what_is_not_tried_before_the_programs_load_is_older_than_something_that_is() {
    for need in NEEDS.iter().filter(|need| need.probe.is_none()) {
        let is_older = |tried: &Need| need.since.iter().zip(tried.since).all(|(since, tried)| *since <= tried);
        let tried = NEEDS.iter().filter(|need| need.probe.is_some()).any(is_older);
        assert!(tried, "{}: a browser may lack it that has all that start.js tries", need.what);
    }
}

#[test]
fn each_program_that_is_tried_needs_its_feature_and_nothing_newer() {
    for need in NEEDS.iter().filter(|need| !need.features.is_empty()) {
        let Some(name) = need.probe else { continue };
        let program = probe(name);
        assert_eq!(validates(WasmFeatures::MVP.union(need.features), &program), Ok(()), "{name}");
        assert!(validates(WasmFeatures::MVP, &program).is_err(), "{name} tells nothing");
    }
    let relaxed = probe("RELAXED_SIMD");
    assert_eq!(validates(stated().union(WasmFeatures::RELAXED_SIMD), &relaxed), Ok(()));
    assert!(validates(stated(), &relaxed).is_err());
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
    let count = |name: String| reader.server.count(&format!("/{}", reader.server.path(&name)));
    for end in [".js", "_bg.wasm"] {
        assert_eq!(count(format!("{given}{end}")), 1, "{given}{end}");
        assert_eq!(count(format!("{other}{end}")), 0, "{other}{end}");
    }
    reader.browser.find("stats").await.unwrap().attr("data-backend").await.unwrap().unwrap()
}

#[tokio::test]
async fn each_browser_runs_the_worker_that_it_can() {
    let relaxed = backend_after("").await;
    // Where the processor's dot product saturates, this worker computes as the other does.
    let possible = ["WebAssembly relaxed SIMD, 1 thread", "WebAssembly SIMD, 1 thread"];
    // For the last line of `cargo xtask test`, which says what could not be run.
    if let Some(file) = std::env::var_os("PEARGPT_BACKEND_FILE") {
        std::fs::write(file, &relaxed).unwrap();
    }
    assert!(possible.contains(&relaxed.as_str()), "{relaxed}");
    assert_eq!(backend_after(WITHOUT_RELAXED_SIMD).await, "WebAssembly SIMD, 1 thread");
}
