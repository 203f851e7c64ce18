//! The engine's program: opens GGUF files, those of this site it fetches, and writes with them.

mod background;
mod bench;
mod open;
mod serve;
mod text_stream;
mod verify;

/// Serves as long as the worker lives.
pub fn start() {
    super::start(serve::serve());
}

/// What computes, for people to read.
fn backend() -> String {
    format!("WebAssembly {}, 1 thread", crate::kernels::selected().name)
}
