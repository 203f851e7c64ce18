//! The model that is open.

use super::super::channel::Channel;
use super::super::memory_bytes;
use super::super::storage::{SplitFile, Unkept};
use super::super::team::{Crew, Team};
use super::backend;
use super::inside::Inside;
use super::threads::Chooser;
use super::verify::can_be_verified;
use crate::app::catalog::Shape;
use crate::app::protocol::{Event, FileLocation, GgufFile, ModelSummary};
use crate::checkpoint::export::{Format, notes};
use crate::checkpoint::{self, Contents, Model, OpenError};
use crate::generation::{Run, Settings};
use crate::wire::Unread;

/// An open model, and the last text that was generated with it.
pub struct Open {
    /// The model.
    pub model: Model,
    /// The description that the page has.
    pub summary: ModelSummary,
    /// The text.
    pub text: Option<Run>,
    /// What is asked about it.
    pub inside: Inside,
    /// The lock on its file, if storage has that only while the model is open.
    pub unkept: Option<Unkept>,
    /// The workers that compute with this one.
    pub team: Option<Team>,
}

/// A model, and who computes it.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// The workers that compute with this one.
    pub team: Option<Team>,
    /// How many threads were to compute it.
    pub threads: u32,
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
    /// Whether this is its file, which storage has only while the model is open.
    pub fn is_of(&self, file: &GgufFile) -> bool {
        matches!((&self.unkept, &file.location), (Some(unkept), FileLocation::Unkept(name)) if unkept.name() == name)
    }

    /// Answers what is asked about the text, until another request comes.
    pub async fn look(&mut self, channel: &Channel) {
        if let Some(run) = &mut self.text {
            self.inside.answer(channel, &self.model, run, false).await;
        }
    }

    /// Puts another text in the place of the one that there is.
    pub fn put(&mut self, channel: &Channel, run: Run) -> &mut Run {
        self.inside.forget(channel);
        self.text.insert(run)
    }

    /// Size of the WebAssembly memories of all workers that compute, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        memory_bytes() + self.team.as_ref().map_or(0, Team::memory_bytes)
    }

    /// A model that took `load_ms` milliseconds to load.
    pub fn new(Opened { model, team, threads }: Opened, identity: Identity, load_ms: f64) -> Self {
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
            shape: Shape::of(config).name(),
            threads,
            defaults: Unread(Some(Settings::defaults(model.tokenizer.vocabulary()))),
        };
        Open { model, summary, text: None, inside: Inside::default(), unkept: None, team }
    }
}

/// Builds the model, after the page had time to draw that it is opening; with others, if several threads are to compute
/// it and can.
pub async fn open(channel: &Channel, file: &mut SplitFile, chooser: &Chooser) -> Result<Opened, OpenError> {
    channel.send(&Event::Opening);
    channel.interrupted().await;
    if chooser.is_alone() {
        return Ok(Opened { model: Model::open(file)?, team: None, threads: chooser.asked() });
    }
    let contents = checkpoint::contents(file)?;
    let threads = chooser.choose(&Shape::of(&contents.config)).await;
    let mut crew = chooser.crew.take();
    let with_others = match threads {
        1 => Err(OpenWithOthersError::Alone),
        _ => open_with_others(file, contents, threads as usize, &mut crew).await,
    };
    // Those that have nothing to do.
    drop(crew);
    match with_others {
        Ok((model, team)) => Ok(Opened { model, team: Some(team), threads }),
        Err(OpenWithOthersError::Open(error)) => Err(error),
        Err(OpenWithOthersError::Alone) => Ok(Opened { model: Model::open(file)?, team: None, threads }),
        Err(OpenWithOthersError::Team(reason)) => {
            channel.send(&Event::Notice(format!("One thread computes: {reason}.")));
            Ok(Opened { model: Model::open(file)?, team: None, threads })
        }
    }
}

/// Why a model is not opened by several workers.
enum OpenWithOthersError {
    /// One is enough.
    Alone,
    /// The file is no model.
    Open(OpenError),
    /// The others cannot.
    Team(String),
}

async fn open_with_others(
    file: &mut SplitFile,
    contents: Contents,
    threads: usize,
    crew: &mut Crew,
) -> Result<(Model, Team), OpenWithOthersError> {
    let team = Team::form(&contents.config, threads, &file.pieces(), crew).await.map_err(OpenWithOthersError::Team)?;
    let model = Model::open_first(file, contents, team.leader()).map_err(OpenWithOthersError::Open)?;
    team.loaded().await.map_err(OpenWithOthersError::Team)?;
    Ok((model, team))
}
