//! The converter's program: turns whatever is handed over, or comes from Hugging Face, into the GGUF that the engine runs,
//! and that into files for other programs. It is started on demand, and its memory goes with it.

mod export;
mod hub;
mod identify;
mod import;
mod keep;
mod output;
mod serve;

/// Serves as long as the worker lives.
pub fn start() {
    super::start(serve::serve());
}
