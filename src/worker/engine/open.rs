//! The model that is open.

use super::super::storage::Unkept;
use super::super::team::Team;
use super::backend;
use super::verify::can_be_verified;
use crate::app::protocol::ModelSummary;
use crate::checkpoint::Model;
use crate::checkpoint::export::{Format, notes};
use crate::generation::Run;

/// An open model, and the last text that was generated with it.
pub struct Open {
    /// The model.
    pub model: Model,
    /// The description that the page has.
    pub summary: ModelSummary,
    /// The text.
    pub text: Option<Run>,
    /// The lock on its file, if storage has that only while the model is open.
    pub unkept: Option<Unkept>,
    /// The workers that compute with this one.
    pub _team: Option<Team>,
}

/// Names a model, and describes its file.
pub struct Identity {
    /// The catalog's id, or SHA-256 of a model of the reader's own.
    pub id: String,
    /// The title.
    pub title: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
}

impl Open {
    /// A model that took `load_ms` milliseconds to load.
    pub fn new((model, team): (Model, Option<Team>), identity: Identity, load_ms: f64) -> Self {
        let (config, spec) = (model.gpt.config(), model.tokenizer.spec());
        let summary = ModelSummary {
            id: identity.id,
            title: identity.title,
            parameters: config.parameters() as u64,
            weight_bytes: identity.bytes,
            sha256: identity.sha256,
            context: config.context as u32,
            layers: config.layers as u32,
            heads: config.heads as u32,
            n_embd: config.n_embd as u32,
            vocabulary_size: config.vocabulary_size as u32,
            vocabulary: model.tokenizer.vocabulary(),
            alphabet: model.tokenizer.alphabet(),
            can_be_verified: can_be_verified(&model),
            gguf_notes: notes(config, &spec, Format::Gguf),
            huggingface_notes: notes(config, &spec, Format::HuggingFace),
            load_ms,
            backend: backend(model.gpt.threads()),
        };
        Open { model, summary, text: None, unkept: None, _team: team }
    }
}
