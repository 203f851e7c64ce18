//! Errors in importing several files.

use crate::checkpoint::CheckpointError;

/// The files are no model, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// One of the files is wrong.
    #[error("{name}: {source}")]
    File {
        /// The file.
        name: String,
        /// What is wrong.
        source: CheckpointError,
    },
    /// The files contradict each other, or do not form a model.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// None of them has weights.
    #[error("expected a model's weights (safetensors, a torch checkpoint or GGUF), found {}", listed(found))]
    NoWeights {
        /// The files, each with its kind.
        found: Vec<String>,
    },
    /// A zip file has files that are compressed.
    #[error("{file} is compressed inside {zip}; unpack {zip} and open the folder instead")]
    Compressed {
        /// The zip file.
        zip: String,
        /// The first file in it that is compressed.
        file: String,
    },
}

fn listed(found: &[String]) -> String {
    const SHOWN: usize = 8;
    match found {
        [] => "no file".to_string(),
        some if some.len() <= SHOWN => some.join(", "),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
