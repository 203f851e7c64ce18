//! A model of the reader's own: what is handed over, and what it turns out to be.

use serde::{Deserialize, Serialize};

use super::TransferPolicy;
use crate::app::catalog::Entry;

/// What the reader says of the files that a request brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Attention heads per block.
    pub heads: Option<u32>,
    /// A character model's characters, in the order of their ids.
    pub alphabet: Option<String>,
    /// Whether the weights stay as they are in the files, or else take 8 bits each; nothing: as such files usually do.
    pub as_they_are: Option<bool>,
}

/// What files turned out to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Finding {
    /// A model that can be opened.
    Ready(Description),
    /// What is missing, each thing once.
    Needs(Vec<Question>),
    /// No model; the sentence says why.
    Failed(String),
}

/// A model that is known but for its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// What its files are called.
    pub name: String,
    /// What it is, line by line: a word, and what it stands for.
    pub facts: Vec<(String, String)>,
    /// Whether its weights stay as they are in the files.
    pub as_they_are: bool,
}

/// Something without which the model cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is missing, and what to do, as a sentence.
    pub sentence: String,
    /// What is to be typed.
    pub asks: Asked,
}

/// What the answer to a [`Question`] is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A further file.
    File,
    /// [`Answers::heads`].
    Heads {
        /// The likeliest answer.
        proposed: Option<u32>,
    },
    /// [`Answers::alphabet`], or a further file.
    Alphabet {
        /// The likeliest answer.
        proposed: Option<String>,
    },
}

/// A GGUF that runs, and what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GgufFile {
    /// The catalog's id, or SHA-256 of a model of the reader's own.
    pub id: String,
    /// What the model is called.
    pub title: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Of each stretch, see [`checksum`](crate::app::checksum).
    #[serde(with = "crate::app::checksum::hex")]
    pub checksums: Vec<u64>,
    /// Where it is.
    pub location: FileLocation,
}

/// Where a GGUF is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileLocation {
    /// In the memory of the page, or a file of the reader's: it comes with the message.
    Message,
    /// In storage until the model is left, under this name.
    Unkept(String),
    /// In storage for good, under the model's id.
    Kept,
}

/// The file of a model that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelFile {
    /// One of the catalog's, which is fetched again where storage does not have it.
    Catalog {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog.
        catalog_url: String,
        /// How its parts are fetched.
        policy: TransferPolicy,
    },
    /// One that the converter has made or found.
    Gguf(GgufFile),
}

/// What a model is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Export {
    /// GGUF, 8 bits a weight.
    Gguf8,
    /// GGUF, 16 bits a weight.
    Gguf16,
    /// A folder as Hugging Face's libraries write it, in a zip file.
    HuggingFace,
}
