//! The program of the Web Worker, and the only code that knows it is in one: fetches a model, and writes with it.

mod background;
mod bench;
mod blob;
mod channel;
mod download;
mod held_weights;
mod open;
mod own;
mod serve;
mod storage;
mod text_stream;
mod time;
mod verify;

/// Serves as long as the worker lives.
pub fn start() {
    wasm_bindgen_futures::spawn_local(async {
        if let Err(error) = serve::serve().await {
            wasm_bindgen::throw_val(error); // reaches the page as the worker's `error` event
        }
    });
}

/// What computes, for people to read.
fn backend() -> String {
    format!("WebAssembly {}, 1 thread", crate::kernels::selected().name)
}

/// Size of the WebAssembly memory, in bytes.
fn memory_bytes() -> u64 {
    use wasm_bindgen::JsCast;
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    u64::from(buffer.byte_length())
}
