//! Imports checkpoints as people have them: several files, recognised by their contents, become the GGUF that runs.
//!
//! ```text
//! files ─▶ contents  what each file is; before, zip files are replaced by the files in them ([`zipped_files`])
//!       ─▶ models    whose weights they are, and which model is meant
//!       ─▶ tensors   where the weights are, under the files' names
//!       ─▶ parts     under GGUF's names; the parts of one matrix joined
//!       ─▶ shape     the configuration, from the files or inferred from the tensors
//!       ─▶ tokens    the tokenizer
//!       ─▶ CheckpointInfo ─▶ to_gguf ─▶ step, step, … ─▶ writer
//! ```
//!
//! [`inspect`] reads descriptions alone, and names what is missing. [`to_gguf`] reads the weights, a few rows at a
//! time, and never holds a file's optimizer state or its float32 matrices. [`inspect_by_steps`] reads long texts in
//! pieces, and pauses between these. [`streaming`] converts a safetensors file while it arrives from the network.

mod companions;
mod contents;
mod error;
mod json;
mod models;
mod named;
mod names;
mod output;
mod parts;
mod safetensors;
mod shape;
mod shards;
pub mod streaming;
mod summary;
mod tensors;
mod texts;
mod tokens;
mod torch;
mod unzip;
mod values;

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use candle_core::quantized::GgmlDType;

pub use contents::Content;
pub use error::ImportError;
pub use named::{Named, folder_and_name};
pub use output::{OutputFile, TensorOutline, to_gguf};
pub(super) use output::{OutputPiece, numbers, piece, specs};
pub(super) use safetensors::names::theirs;
pub use summary::Summary;
pub use unzip::{ZippedFile, zipped_files};

use super::CheckpointError;
use super::gguf;
use super::precision::Precision;
use super::source::Source;
use super::tensor_info::TensorInfo;
use crate::model::Config;
use crate::tokenizer::TokenizerSpec;
use models::ChosenModel;
use shape::Shape;
use tensors::FileTensors;

/// The characters of tiny Shakespeare, in the order of their ids: the alphabet of most character models of 65 tokens.
pub const TINY_SHAKESPEARE: &str = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What the reader answered to earlier [`Need`]s.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// One of [`Need::Choice`].
    pub model: Option<String>,
    /// Attention heads per block.
    pub heads: Option<usize>,
    /// A character model's characters, in the order of their ids.
    pub alphabet: Option<String>,
    /// GPT-2's tokenizer, if it was handed over as an answer.
    pub tokenizer: Option<TokenizerSpec>,
}

/// Something that is missing, and without which the model cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The weights: only what goes with them is here.
    Weights,
    /// Which model is meant, where the files hold several.
    Choice {
        /// The file of each model's weights; of shards the first.
        models: Vec<String>,
    },
    /// A file of this name.
    File {
        /// `merges.txt`, `model-00002-of-00003.safetensors`.
        name: String,
    },
    /// `vocab.json` with `merges.txt`, or `tokenizer.json`. It is GPT-2's own where `tokens` is at least 50257.
    Tokenizer {
        /// Rows of the token embedding.
        tokens: usize,
    },
    /// The number of heads: a divisor of the width.
    Heads {
        /// The model's width.
        n_embd: usize,
        /// The number of heads that gives heads of 64 numbers, if the width is a multiple of 64.
        proposed: Option<usize>,
    },
    /// A character model's alphabet: `meta.pkl`, the text that it was trained on, or the characters themselves.
    Alphabet {
        /// How many characters there are.
        tokens: usize,
        /// [`TINY_SHAKESPEARE`], if it has as many characters.
        proposed: Option<&'static str>,
    },
}

/// The result of looking at files.
#[derive(Debug)]
pub enum Inspection {
    /// A model that can be loaded.
    Ready(Box<CheckpointInfo>),
    /// What is missing, each thing once.
    Needs(Vec<Need>),
}

/// A tensor of the model. It has no part where it is all zeros, and several parts where the files split it; parts
/// follow each other by rows.
#[derive(Debug)]
pub(super) struct ModelTensor {
    name: String,
    shape: Vec<usize>,
    parts: Vec<TensorPart>,
}

impl ModelTensor {
    /// Numbers in a row; a vector counts as one row.
    fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// A tensor of one of the files.
#[derive(Debug)]
struct TensorPart {
    file: usize,
    info: TensorInfo,
}

/// The source of a model from a GGUF file: the file does not say who made it.
const GGUF: &str = "GGUF";

/// Everything about a model but its weights, and where the weights are.
#[derive(Debug)]
pub struct CheckpointInfo {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    source: &'static str,
    padding: usize,
    ignored: Vec<String>,
    /// The tensors, in the order of a file.
    tensors: Vec<ModelTensor>,
}

/// What import awaits after each step. It is one type, so that code which pauses is compiled once.
pub type Pause<'a> = &'a dyn Fn() -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The pause of a caller that has nothing else to do.
fn no_pause() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(std::future::ready(()))
}

/// Finds out what these files are; their order does not matter.
///
/// Time and memory are in proportion to the files' descriptions (headers, pickles, vocabularies), each of which has a
/// limit. A pickle takes at most 8 times its length, whatever it claims.
pub fn inspect<R: Read + Seek>(files: &mut [Named<R>], answers: &Answers) -> Result<Inspection, ImportError> {
    at_once(inspect_by_steps(files, answers, &no_pause))
}

/// What a file says that is known to be a GGUF.
pub fn of_gguf<R: Read + Seek>(file: &mut Named<R>) -> Result<CheckpointInfo, ImportError> {
    in_file(std::slice::from_mut(file), 0, |source| inspect_gguf(0, source))
}

/// The same as [`inspect`] in steps, and awaits `pause` after each. A step is some 128 KiB of a text, or the whole of a description
/// that is not text.
pub async fn inspect_by_steps<R: Read + Seek>(
    files: &mut [Named<R>],
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Inspection, ImportError> {
    let contents = contents::all(files, pause).await?;
    let chosen = match models::choose(files, &contents, answers.model.as_deref(), pause).await {
        Err(ImportError::NoWeights { .. }) if is_without_weights(&contents) => Err(Need::Weights),
        chosen => chosen?,
    };
    let chosen = match chosen {
        Ok(chosen) => chosen,
        Err(need) => return Ok(Inspection::Needs(vec![need])),
    };
    let mut views = chosen.views(files, contents).into_iter();
    let first = inspect_model(files, &chosen, &views.next().unwrap_or_default(), answers, pause).await;
    if first.is_err() {
        for contents in views {
            if let Ok(inspection) = inspect_model(files, &chosen, &contents, answers, pause).await {
                return Ok(inspection);
            }
        }
    }
    first
}

/// Inspects the chosen model. `contents` are the kinds of the files that go with it.
async fn inspect_model<R: Read + Seek>(
    files: &mut [Named<R>],
    chosen: &ChosenModel,
    contents: &[Content],
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Inspection, ImportError> {
    let weights = &chosen.weights;
    if !weights.missing.is_empty() {
        return Ok(Inspection::Needs(weights.missing.iter().map(|name| Need::File { name: name.clone() }).collect()));
    }
    let ignored = chosen.ignored(files, contents);
    if let (Content::Gguf, &[file]) = (weights.content, weights.files.as_slice()) {
        let info = in_file(files, file, |source| inspect_gguf(file, source))?;
        return Ok(Inspection::Ready(Box::new(CheckpointInfo { ignored, ..info })));
    }
    let tensors = FileTensors::read(files, weights)?;
    pause().await;
    let said = companions::config(files, contents, pause).await?;
    let shape = Shape::of(tensors, said.as_ref(), files, pause).await?;
    let tokens = tokens::find(files, contents, &shape, said.as_ref(), answers, pause).await?;
    finish(shape, tokens, answers, ignored)
}

/// Whether these files are what goes with weights, and none of them may be weights that are damaged.
fn is_without_weights(contents: &[Content]) -> bool {
    // A text of pairs of words looks like merges.
    let may_go_with =
        |content: &Content| content.goes_with_weights() || matches!(content, Content::Text | Content::Merges);
    contents.iter().all(may_go_with) && contents.iter().any(|content| content.goes_with_weights())
}

/// Puts the findings together, or lists what is missing.
fn finish(
    shape: Shape,
    tokens: Result<TokenizerSpec, Need>,
    answers: &Answers,
    ignored: Vec<String>,
) -> Result<Inspection, ImportError> {
    let n_embd = shape.config.n_embd;
    let heads = shape.heads.or(answers.heads);
    let proposed = n_embd.is_multiple_of(64).then_some(n_embd / 64);
    let (heads, tokenizer) = match (heads.ok_or(Need::Heads { n_embd, proposed }), tokens) {
        (Ok(heads), Ok(tokenizer)) => (heads, tokenizer),
        (heads, tokens) => return Ok(Inspection::Needs(heads.err().into_iter().chain(tokens.err()).collect())),
    };
    let is_right = heads > 0 && n_embd.is_multiple_of(heads);
    if !is_right {
        let expected = format!("a divisor of the width, which is {n_embd}");
        return Err(CheckpointError::field(&"number of heads", 0, expected, heads).into());
    }
    Ok(Inspection::Ready(Box::new(assemble(shape, heads, tokenizer, ignored)?)))
}

/// The model, once its heads and its tokenizer are known.
fn assemble(
    shape: Shape,
    heads: usize,
    tokenizer: TokenizerSpec,
    ignored: Vec<String>,
) -> Result<CheckpointInfo, CheckpointError> {
    let source = shape.source;
    let padding = shape.config.vocabulary_size - tokenizer.tokens.len();
    let config = Config { heads, vocabulary_size: tokenizer.tokens.len(), ..shape.config.clone() };
    let tensors = shape.tensors(&config)?;
    Ok(CheckpointInfo { config, tokenizer, source, padding, ignored, tensors })
}

fn inspect_gguf<R: Read + Seek>(file: usize, source: &mut Source<R>) -> Result<CheckpointInfo, CheckpointError> {
    let gguf::Contents { config, tokenizer, tensors } = gguf::read_contents(source, gguf::DTypes::All)?;
    let tensors = tensors.into_iter().map(|(info, shape)| {
        let name = info.name.clone();
        ModelTensor { name, shape, parts: vec![TensorPart { file, info }] }
    });
    let tensors = tensors.collect();
    Ok(CheckpointInfo { config, tokenizer, source: GGUF, padding: 0, ignored: Vec::new(), tensors })
}

impl CheckpointInfo {
    /// The precision that such a model gets by default: `Q8_0`; a GGUF keeps its own.
    pub fn usual_precision(&self) -> Option<Precision> {
        (self.source != GGUF).then_some(Precision::Q8_0)
    }

    /// The number of the file that is a GGUF and can run unchanged, if there is one.
    pub fn as_it_stands(&self) -> Option<usize> {
        let runs = |dtype| matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::Q8_0);
        let mut parts = self.tensors.iter().flat_map(|tensor| &tensor.parts);
        let file = parts.clone().next()?.file;
        (self.source == GGUF && parts.all(|part| runs(part.info.dtype))).then_some(file)
    }

    /// The numbers of the files that have its weights.
    pub fn weight_files(&self) -> BTreeSet<usize> {
        set_of(self.tensors.iter().flat_map(|tensor| &tensor.parts).map(|part| part.file))
    }

    /// The coarsest precision of any of the weights that [`to_gguf`] writes.
    pub fn precision(&self, asked: Option<Precision>) -> Precision {
        Precision::coarsest(self.tensors.iter().map(|tensor| self.dtype(tensor, asked)))
    }

    /// The dtype in which a tensor is written: by `precision`, or without one as the file keeps it. A dtype that the
    /// model cannot run with then becomes `Q8_0` if it comes from a GGUF, where most of them have 8 bits or fewer, and
    /// else `F32`.
    fn dtype(&self, tensor: &ModelTensor, precision: Option<Precision>) -> GgmlDType {
        let kept = tensor.parts.first().map_or(GgmlDType::F32, |part| part.info.dtype);
        match (precision, kept) {
            (Some(precision), _) => precision.dtype(&tensor.name, &tensor.shape),
            (None, GgmlDType::F32 | GgmlDType::F16) => kept,
            (None, GgmlDType::BF16) if self.source != GGUF => GgmlDType::F32,
            // Only matrices keep their blocks.
            (None, _) => Precision::Q8_0.dtype(&tensor.name, &tensor.shape),
        }
    }
}

/// A character model's alphabet from the text that it was trained on: Python's `sorted(set(text))`.
pub fn alphabet_of<R: Read + Seek>(text: &mut R) -> Result<String, CheckpointError> {
    let mut source = Source::new(text)?;
    Ok(at_once(tokens::alphabet::of_text(&mut source, usize::MAX, &no_pause))?.into_iter().collect())
}

/// A set of these. `collect` sorts them first, which is kilobytes of code for each type.
fn set_of<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The result of a future whose pauses end at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Does `work` with one of the files; an error names the file.
fn in_file<R: Read + Seek, T>(
    files: &mut [Named<R>],
    file: usize,
    work: impl FnOnce(&mut Source<R>) -> Result<T, CheckpointError>,
) -> Result<T, ImportError> {
    at_once(in_file_by_steps(files, file, async |source| work(source)))
}

/// The same with `work` that takes several steps.
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
