//! The engine's program: fetches GGUF files of this site, opens GGUF files, and generates text with them.

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

/// The name of the kernels in use, for people.
fn backend() -> String {
    format!("WebAssembly {}, 1 thread", crate::kernels::selected().name)
}
