//! A model → files for other programs, a piece at a time.
//!
//! What is exported is what [`import::inspect`](super::import::inspect) found, the GGUF that runs among it: as
//! [`to_gguf`](super::import::to_gguf) in another precision, or as the folder of [`huggingface`].

mod huggingface;
mod notes;

pub use huggingface::huggingface;
pub use notes::{Format, notes};
