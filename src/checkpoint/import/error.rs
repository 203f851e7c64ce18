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
    /// More than one of them has weights, and they are not parts of one model.
    #[error("expected the weights of one model, found {}", listed(found))]
    Several {
        /// Their names.
        found: Vec<String>,
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
