//! Checkpoints as people have them: several files, told apart by what is in them.
//!
//! ```text
//! files ─▶ contents  what each file is
//!       ─▶ tensors   where the weights are, under the files' names
//!       ─▶ parts     under GGUF's names; several of one matrix put together
//!       ─▶ shape     the configuration: said, or told by the tensors
//!       ─▶ tokens    the tokenizer
//!       ─▶ Draft     what the model is ─▶ load ─▶ Checkpoint
//! ```
//!
//! [`inspect`] reads descriptions alone, and says what is missing; [`Draft::load`] reads the weights, a few rows at a
//! time, so that a file's optimiser state and its float32 matrices are never held. Texts are gone through in pieces:
//! [`inspect_by_steps`] pauses between them.

mod companions;
mod contents;
mod error;
mod json;
mod load;
mod names;
mod parts;
mod shape;
mod shards;
mod summary;
mod tensors;
mod texts;
mod tokens;

use std::io::{Read, Seek};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

pub use contents::Content;
pub use error::ImportError;
pub use load::Loading;
pub use summary::Summary;

use super::directory::Stored;
use super::gguf;
use super::quantize::Precision;
use super::source::Source;
use super::{Checkpoint, CheckpointError};
use crate::model::Config;
use crate::tokenizer::TokenizerSpec;
use shape::Shape;
use tensors::Tensors;

/// The characters of tiny Shakespeare, in the order of their ids: the alphabet of most character models of 65 tokens.
pub const TINY_SHAKESPEARE: &str = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A file that was handed over.
#[derive(Debug)]
pub struct Named<R> {
    /// Its name, without folders.
    pub name: String,
    /// Its bytes.
    pub reader: R,
}

/// What a reader answered to earlier [`Need`]s.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Attention heads per block.
    pub heads: Option<usize>,
    /// A character model's characters, in the order of their ids.
    pub alphabet: Option<String>,
    /// GPT-2's tokenizer, where it is at hand.
    pub tokenizer: Option<TokenizerSpec>,
}

/// Something without which the model cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// A file of this name.
    File {
        /// `merges.txt`, `model-00002-of-00003.safetensors`.
        name: String,
    },
    /// `vocab.json` with `merges.txt`, or `tokenizer.json`: GPT-2's own, where `tokens` is 50257 or more.
    Tokenizer {
        /// Rows of the token embedding.
        tokens: usize,
    },
    /// The number of heads: a divisor of the width.
    Heads {
        /// The model's width.
        n_embd: usize,
        /// Heads of 64 numbers, where the width has such.
        proposed: Option<usize>,
    },
    /// A character model's alphabet: `meta.pkl`, the text that it was trained on, or the characters themselves.
    Alphabet {
        /// Characters there are.
        tokens: usize,
        /// [`TINY_SHAKESPEARE`], where it has so many.
        proposed: Option<&'static str>,
    },
}

/// What files turned out to be.
#[derive(Debug)]
pub enum Outlook {
    /// A model that can be loaded.
    Ready(Box<Draft>),
    /// What is missing, each thing once.
    Needs(Vec<Need>),
}

/// A tensor of the model: nothing where it is zeros, several where the files have it in parts, one below the other.
#[derive(Debug)]
struct Slot {
    name: String,
    shape: Vec<usize>,
    parts: Vec<Part>,
}

/// A tensor of one of the files.
#[derive(Debug)]
struct Part {
    file: usize,
    stored: Stored,
}

/// Who made a GGUF file is not known.
const GGUF: &str = "GGUF";

/// A model that is known but for its weights.
#[derive(Debug)]
pub struct Draft {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    source: &'static str,
    padding: usize,
    ignored: Vec<String>,
    slots: Vec<Slot>,
}

/// What is awaited after each step. One type for all, since each would have the whole of what pauses compiled anew.
pub type Pause<'a> = &'a dyn Fn() -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// For who has nobody to give way to.
fn no_pause() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(std::future::ready(()))
}

/// Finds out what these files are, in whatever order they come.
///
/// Costs in proportion to the files' descriptions (headers, pickles, vocabularies), of which each has its limit; a pickle
/// 8 times its length, whatever it says.
pub fn inspect<R: Read + Seek>(files: &mut [Named<R>], answers: &Answers) -> Result<Outlook, ImportError> {
    at_once(inspect_by_steps(files, answers, &no_pause))
}

/// The same, `pause` being awaited after each step: some 128 KiB of a text, or the whole of what is not text.
pub async fn inspect_by_steps<R: Read + Seek>(
    files: &mut [Named<R>],
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Outlook, ImportError> {
    let contents = contents::all(files, pause).await?;
    let chosen = shards::choose(files, &contents, pause).await?;
    if !chosen.missing.is_empty() {
        return Ok(Outlook::Needs(chosen.missing.into_iter().map(|name| Need::File { name }).collect()));
    }
    if let (Content::Gguf, &[file]) = (chosen.content, chosen.files.as_slice()) {
        let draft = in_file(files, file, |source| inspect_gguf(file, source))?;
        return Ok(Outlook::Ready(Box::new(Draft { ignored: chosen.ignored(files, &contents), ..draft })));
    }
    let tensors = Tensors::read(files, &chosen)?;
    pause().await;
    let said = companions::config(files, &contents, pause).await?;
    let shape = Shape::of(tensors, said.as_ref(), files, pause).await?;
    let tokens = tokens::find(files, &contents, &shape, said.as_ref(), answers, pause).await?;
    finish(shape, tokens, answers, chosen.ignored(files, &contents))
}

/// Puts together what was found, or says what was not.
fn finish(
    shape: Shape,
    tokens: Result<TokenizerSpec, Need>,
    answers: &Answers,
    ignored: Vec<String>,
) -> Result<Outlook, ImportError> {
    let n_embd = shape.config.n_embd;
    let heads = shape.heads.or(answers.heads);
    let proposed = n_embd.is_multiple_of(64).then_some(n_embd / 64);
    let (heads, tokenizer) = match (heads.ok_or(Need::Heads { n_embd, proposed }), tokens) {
        (Ok(heads), Ok(tokenizer)) => (heads, tokenizer),
        (heads, tokens) => return Ok(Outlook::Needs(heads.err().into_iter().chain(tokens.err()).collect())),
    };
    let is_right = heads > 0 && n_embd.is_multiple_of(heads);
    if !is_right {
        let expected = format!("a divisor of the width, which is {n_embd}");
        return Err(CheckpointError::field(&"number of heads", 0, expected, heads).into());
    }
    let source = shape.source;
    let padding = shape.config.vocabulary_size - tokenizer.tokens.len();
    let config = Config { heads, vocabulary_size: tokenizer.tokens.len(), ..shape.config.clone() };
    let slots = shape.slots(&config)?;
    Ok(Outlook::Ready(Box::new(Draft { config, tokenizer, source, padding, ignored, slots })))
}

fn inspect_gguf<R: Read + Seek>(file: usize, source: &mut Source<R>) -> Result<Draft, CheckpointError> {
    let gguf::Outlook { config, tokenizer, directory } = gguf::outlook(source, gguf::Kinds::All)?;
    let slots = directory.into_shaped(&config)?.into_iter().map(|(stored, shape)| {
        let name = stored.slot.clone();
        Slot { name, shape, parts: vec![Part { file, stored }] }
    });
    let slots = slots.collect();
    Ok(Draft { config, tokenizer, source: GGUF, padding: 0, ignored: Vec::new(), slots })
}

impl Draft {
    /// Reads the weights: in this precision, or as the files keep them, what a model cannot keep becoming `F32` or, where
    /// it has 8 bits or less, `Q8_0`. `done` is called after each tensor.
    pub fn load<R: Read + Seek>(
        self,
        files: &mut [Named<R>],
        precision: Option<Precision>,
        mut done: impl FnMut(),
    ) -> Result<Checkpoint, ImportError> {
        let mut loading = self.loading(precision);
        while loading.left() > 0 {
            loading.step(files)?;
            done();
        }
        Ok(loading.finish())
    }

    /// The same, one tensor at a time.
    pub fn loading(self, precision: Option<Precision>) -> Loading {
        Loading::new(self, precision)
    }

    /// The precision that such files usually get: `Q8_0`, but a GGUF file's is its own.
    pub fn usual_precision(&self) -> Option<Precision> {
        (self.source != GGUF).then_some(Precision::Q8_0)
    }

    /// Tensors that [`load`](Self::load) reads.
    pub fn tensors(&self) -> usize {
        self.slots.len()
    }
}

/// A character model's alphabet from the text that it was trained on: Python's `sorted(set(text))`.
pub fn alphabet_of<R: Read + Seek>(text: &mut R) -> Result<String, CheckpointError> {
    let mut source = Source::new(text)?;
    Ok(at_once(tokens::alphabet::of_text(&mut source, usize::MAX, &no_pause))?.into_iter().collect())
}

/// What a future gives whose pauses end at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Does something with one of the files, and names it where that fails.
fn in_file<R: Read + Seek, T>(
    files: &mut [Named<R>],
    file: usize,
    work: impl FnOnce(&mut Source<R>) -> Result<T, CheckpointError>,
) -> Result<T, ImportError> {
    at_once(in_file_by_steps(files, file, async |source| work(source)))
}

/// The same with what takes several steps.
async fn in_file_by_steps<R: Read + Seek, T>(
    files: &mut [Named<R>],
    file: usize,
    work: impl AsyncFnOnce(&mut Source<R>) -> Result<T, CheckpointError>,
) -> Result<T, ImportError> {
    let Named { name, reader } = &mut files[file];
    let result = match Source::new(reader) {
        Ok(mut source) => work(&mut source).await,
        Err(error) => Err(error),
    };
    result.map_err(|source| ImportError::File { name: name.clone(), source })
}
