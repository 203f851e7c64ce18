//! Writes a model as files for other programs, a piece at a time.
//!
//! The input is what [`import::inspect`](super::import::inspect) found, which may be a GGUF of our own. The output is a
//! GGUF in another precision, made by [`to_gguf`](super::import::to_gguf), or the folder of [`huggingface`].

mod huggingface;
mod notes;

pub use huggingface::huggingface;
pub use notes::{Format, notes};
