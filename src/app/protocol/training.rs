//! Messages between the page and the trainer's worker.

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};

use crate::app::training::TrainSettings;
use crate::wire::Read;

/// Page → trainer's worker. Each is answered in order; steps are taken in between.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum TrainRequest {
    /// Look for a run that is stored. Answered by [`TrainEvent::Stored`].
    Look,
    /// Have so many threads learn from now on; `None` for as many as there are cores.
    Threads(Option<u32>),
    /// Read the text that comes with this, and the model that is fine-tuned, whose file may come behind the text. Answered by
    /// [`TrainEvent::Text`], [`TrainEvent::ModelWanted`] or [`TrainEvent::Failed`].
    Read {
        /// The page's number of this question.
        number: u32,
        /// The id of the model that is fine-tuned.
        from: Option<String>,
        /// Decides the weights of new characters.
        seed: u32,
    },
    /// Measure how long a run on the text takes. Answered by [`TrainEvent::Measured`] or [`TrainEvent::Failed`].
    Measure {
        /// The page's number of this question.
        number: u32,
        /// What is chosen.
        settings: TrainSettings,
    },
    /// Begin a run on the text, in the place of a stored one.
    Begin {
        /// What is chosen.
        settings: TrainSettings,
        /// The text's name.
        title: String,
    },
    /// Go on with the stored run.
    Restore,
    /// Remove the stored run.
    Discard,
    /// Take no more steps.
    Pause,
    /// Take steps again.
    Resume,
    /// End the run; what it has learned is its model.
    Stop,
    /// Write the model as it is now. Answered by [`TrainEvent::Model`].
    Model,
}

/// Trainer's worker → page.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum TrainEvent {
    /// The stored run, if there is one; and why a run lives in this tab only, as a sentence, if that is so.
    Stored(Option<StoredRun>, Option<String>),
    /// What a text is; the number of the question before it.
    Text(u32, TextFacts),
    /// The model that is fine-tuned is not in the browser's storage: its file is to come with the text.
    ModelWanted(u32),
    /// How long a run takes here.
    Measured(u32, Estimate),
    /// A text or a measurement with its number, or a run, failed: what is wrong, as a sentence.
    Failed(Option<u32>, String),
    /// A run has begun, or goes on.
    Begun(Box<RunFacts>),
    /// Why one thread learns although more were wanted, as a sentence.
    Alone(String),
    /// How far it is; at most every 100 ms.
    Progress(TrainProgress),
    /// The curve has a new point; and what the model writes by now.
    Point(Curve, Sample),
    /// The run was stored as it was after this step, or could not be, for a reason that is a sentence.
    Saved(u64, Option<String>),
    /// It takes no more steps, or does again.
    Paused(bool),
    /// It measures on all that is held out: windows that were read, and windows there are.
    Evaluating(u64, u64),
    /// The run has ended.
    Ended(Ended),
    /// The model as a GGUF file of this name, which comes with this.
    Model(String),
}

/// A run in the browser's storage.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct StoredRun {
    /// The text's name.
    pub title: String,
    /// Steps taken.
    pub step: u64,
    /// Steps there are.
    pub steps: u64,
}

/// What a text is.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct TextFacts {
    /// Bytes in UTF-8.
    pub bytes: u64,
    /// Characters.
    pub characters: u64,
    /// The kinds of characters, in the order of their code points.
    pub alphabet: String,
    /// Those of them that the model to be fine-tuned does not know.
    pub added: String,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// How long a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Read!)]
pub struct Estimate {
    /// Weights of the model.
    pub parameters: u64,
    /// How many threads learn.
    pub threads: u32,
    /// Tokens learned in a second.
    pub tokens_per_second: f64,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// What a run learns.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct RunFacts {
    /// The text's name.
    pub title: String,
    /// What was chosen.
    pub settings: TrainSettings,
    /// Weights of the model.
    pub parameters: u64,
    /// Steps taken.
    pub step: u64,
    /// Steps there are.
    pub steps: u64,
    /// The curve so far.
    pub curve: Curve,
    /// What the model wrote on the way.
    pub samples: Vec<Sample>,
}

/// A run's curve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Read!)]
pub struct Curve {
    /// As numbers, comma-separated.
    pub csv: String,
    /// Drawn from these, in the page's colours.
    pub svg: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Read!)]
pub struct TrainProgress {
    /// Steps taken.
    pub step: u64,
    /// The loss of the last one, in nats per token.
    pub loss: f64,
    /// Tokens learned in a second.
    pub tokens_per_second: f64,
    /// Seconds that are left.
    pub seconds_left: f64,
    /// WebAssembly memory of all threads together.
    pub wasm_memory_bytes: u64,
}

/// What a model wrote behind a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
pub struct Sample {
    /// Steps taken.
    pub step: u64,
    /// What it was given.
    pub prompt: String,
    /// What it wrote behind that.
    pub text: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum Ended {
    /// With its last step: the loss on all that is held out, in nats per token, if something is.
    Learned(Option<f64>),
    /// By the reader.
    Stopped,
    /// Since a loss was no number, as this sentence says: the model is that of this step.
    Diverged(String, u64),
}
