//! What can be wrong with several files.

use crate::checkpoint::CheckpointError;

/// Files that are no model, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something is wrong with one of them.
    #[error("{name}: {source}")]
    File {
        /// The file.
        name: String,
        /// What is wrong.
        source: CheckpointError,
    },
    /// Something is wrong with what they say together.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// None of them has weights.
    #[error("expected a model's weights (safetensors, a torch checkpoint or GGUF), found {}", listed(found))]
    NoWeights {
        /// Each file with what it is.
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
