//! The program of the Web Worker, and the only code that knows it is in one: fetches a model, and writes with it.

mod aside;
mod bench;
mod channel;
mod download;
mod serve;
mod shelf;
mod storage;
mod telegraph;
mod time;
mod verify;

pub use serve::serve;

/// What computes, for people to read.
pub const BACKEND: &str = "WebAssembly SIMD, 1 thread";

/// Size of the WebAssembly memory, in bytes.
fn memory_bytes() -> u64 {
    use wasm_bindgen::JsCast;
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    u64::from(buffer.byte_length())
}
