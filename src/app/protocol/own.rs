//! Messages about a model of the reader's own: files, answers, descriptions.

use macro_rules_attribute::derive;
use serde::Serialize;

use super::TransferPolicy;
use crate::app::catalog::Entry;
use crate::wire::Read;

/// The reader's answers about the files of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Read!)]
pub struct Answers {
    /// One of the models that the files hold.
    pub model: Option<String>,
    /// Attention heads per block.
    pub heads: Option<u32>,
    /// A character model's characters, in the order of their ids.
    pub alphabet: Option<String>,
    /// Whether the weights keep the dtypes of the files, or else get 8 bits each; `None` for the default of such files.
    pub as_they_are: Option<bool>,
}

/// The result of identifying files.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum Finding {
    /// A model that can be opened.
    Ready(Description),
    /// What is missing, each thing once.
    Needs(Vec<Question>),
    /// The files are no model; the sentence says why.
    Failed(String),
}

/// A model of which everything but the weights has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Description {
    /// A name for it, from the names of its files.
    pub name: String,
    /// Facts about it: label and value.
    pub facts: Vec<(String, String)>,
    /// Whether its weights keep the dtypes of the files.
    pub as_they_are: bool,
}

/// Something that is missing, and without which the model cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub struct Question {
    /// What is missing, and what to do, as a sentence.
    pub sentence: String,
    /// The kind of the answer.
    pub asks: Asked,
}

/// The kind of the answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum Asked {
    /// A further file.
    File,
    /// [`Answers::model`].
    Model {
        /// The file of each model's weights.
        models: Vec<String>,
    },
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

/// Names and describes a GGUF that the engine can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub struct GgufFile {
    /// The catalog's id, or SHA-256 of a model of the reader's own.
    pub id: String,
    /// The model's title.
    pub title: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// The checksum of each stretch, see [`checksum`](crate::app::checksum).
    #[serde(with = "crate::app::checksum::hex")]
    pub checksums: Vec<u64>,
    /// Where it is.
    pub location: FileLocation,
}

/// Where a GGUF is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum FileLocation {
    /// In the page's memory, or a file of the reader's. It comes with the message.
    Message,
    /// In storage under this name, until the model is closed.
    Unkept(String),
    /// In storage under the model's id.
    Kept,
}

/// The file of an open model.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum ModelFile {
    /// A model of the catalog. It is fetched again if storage does not have it.
    Catalog {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog.
        catalog_url: String,
        /// How its parts are fetched.
        policy: TransferPolicy,
    },
    /// A file that the converter has made, or found to run unchanged.
    Gguf(GgufFile),
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum Export {
    /// GGUF, 8 bits a weight.
    Gguf8,
    /// GGUF, 16 bits a weight.
    Gguf16,
    /// A folder as Hugging Face's libraries write it, in a zip file.
    HuggingFace,
}
