//! The programs of the web workers, [`engine`], [`converter`] and [`trainer`], and the modules that they share. No other code knows
//! that it runs in a worker.

pub mod converter;
pub mod engine;
pub mod trainer;

mod blob;
mod channel;
mod download;
mod held_weights;
mod storage;
mod team;
mod time;

use wasm_bindgen::JsValue;

/// Runs a program as long as the worker lives.
fn start(program: impl Future<Output = Result<(), JsValue>> + 'static) {
    wasm_bindgen_futures::spawn_local(async {
        if let Err(error) = program.await {
            wasm_bindgen::throw_val(error); // reaches the page as the worker's `error` event
        }
    });
}

/// Size of the WebAssembly memory, in bytes.
fn memory_bytes() -> u64 {
    use wasm_bindgen::JsCast;
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    u64::from(buffer.byte_length())
}
