//! Measures a training step natively: forward, backward, AdamW or Muon, without dropout. Prints lines of JSON like
//! `pytorch.py`, which is run in turn with it:
//!
//! `cargo bench --bench train -- pear adamw 2` for the shape, the optimizer and the threads; a fourth word names a
//! kernel (`AVX2`) in place of the fastest. `-- products` measures the products alone; built for WebAssembly, it does so in
//! a browser's worker.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]
#![cfg_attr(target_arch = "wasm32", no_main)]

#[cfg(not(target_arch = "wasm32"))]
mod native;
mod products;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    native::main();
}

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn products_in_a_browser() {
    for line in products::measure() {
        wasm_bindgen_test::console_log!("{line}");
    }
}
