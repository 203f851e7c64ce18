//! The converter's program. It converts files of the reader's and of Hugging Face to the GGUF that the engine runs, and
//! that GGUF to files for other programs. The page starts it on demand; when it ends, its memory is freed.

mod export;
mod hub;
mod identify;
mod import;
mod keep;
mod model_pieces;
mod output;
mod publish;
mod read_ahead;
mod serve;

/// Serves as long as the worker lives.
pub fn start() {
    super::start(serve::serve());
}
