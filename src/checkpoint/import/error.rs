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

impl ImportError {
    /// What to do, and after that what is wrong and where.
    pub fn sentence(&self) -> String {
        match self {
            ImportError::File { name, source } => source.sentence(name),
            ImportError::Model(source) => source.sentence("The model"),
            other => format!("This cannot be opened: {other}."),
        }
    }
}

fn listed(found: &[String]) -> String {
    const SHOWN: usize = 8;
    match found {
        [] => "no file".to_string(),
        some if some.len() <= SHOWN => some.join(", "),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_comes_before_what_is_wrong() {
        let source =
            CheckpointError::Truncated { field: "blk.0.attn_qkv.weight".into(), offset: 12, needed: 400, left: 100 };
        let error = ImportError::File { name: "truncated.gguf".into(), source };
        assert_eq!(
            error.sentence(),
            "truncated.gguf is incomplete. Download it again. \
             (`blk.0.attn_qkv.weight` at byte 12 takes 400 bytes, and the file has 100 left.)"
        );
        let error = ImportError::Model(CheckpointError::Missing { name: "wte".into() });
        assert_eq!(
            error.sentence(),
            "The model is damaged, or no model that runs here. Download it again, or choose another file. \
             (the file has no tensor `wte`.)"
        );
        let error = ImportError::NoWeights { found: vec!["pear.png: an image".into()] };
        assert!(error.sentence().ends_with("found pear.png: an image."), "{}", error.sentence());
    }
}
