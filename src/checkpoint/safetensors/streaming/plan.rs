//! The header of a safetensors file → the header of the GGUF, and what is to become of each tensor.

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::super::super::directory::{Directory, Stored};
use super::super::super::gguf::{self, ALIGNMENT, Outline};
use super::super::super::layout::{self, MOST, MOST_LAYERS};
use super::super::super::quantize::Precision;
use super::super::super::tensor::Kind;
use super::super::super::{CheckpointError, safetensors};
use super::{LENGTH, Texts};
use crate::model::Config;
use crate::model::config::{Activation, Head};
use safetensors::{header, names, vocabulary};

/// Length of a head in all of OpenAI's sizes; the tensors do not tell it.
const HEAD_WIDTH: u64 = 64;

/// What there is to do.
pub(super) struct Plan {
    /// The beginning of the GGUF.
    pub header: Vec<u8>,
    /// The tensors, in the order in which they come.
    pub tasks: Vec<Task>,
    /// Bytes of the whole GGUF.
    pub length: u64,
}

/// A tensor: what comes and what it becomes.
#[derive(Debug)]
pub(super) struct Task {
    /// Its name in the safetensors file.
    pub name: String,
    /// How its elements come.
    pub kind: Kind,
    /// Where they lie in the safetensors file.
    pub span: Range<u64>,
    /// How they are to be kept.
    pub dtype: GgmlDType,
    /// Rows of the GGUF's matrix that come side by side: all of a `Conv1D`'s, which comes as `[in, out]`; otherwise 1.
    pub rows: u64,
    /// Where the tensor begins in the GGUF.
    pub start: u64,
    /// Bytes it takes there, without the zeros behind it.
    pub bytes: u64,
}

impl Task {
    /// Bytes of the safetensors file that are converted at once: a block of each of the rows that come side by side.
    pub fn unit(&self) -> u64 {
        self.rows * self.dtype.block_size() as u64 * self.kind.block().1
    }

    /// The end of what has been written of it once the safetensors file has come up to `position`.
    pub fn written(&self, position: u64) -> u64 {
        let units = position.saturating_sub(self.span.start) / self.unit();
        match units {
            0 => 0,
            _ if self.rows == 1 => self.start + units * self.dtype.type_size() as u64,
            _ => self.start + self.padded(),
        }
    }

    /// Bytes of the GGUF up to where the next tensor may begin.
    pub fn padded(&self) -> u64 {
        self.bytes.next_multiple_of(ALIGNMENT)
    }
}

/// Reads the header of a safetensors file of that length; `name` is the GGUF's.
pub(super) fn plan(bytes: &[u8], length: u64, texts: Texts<'_>, name: &str) -> Result<Plan, CheckpointError> {
    let data = bytes.len() as u64..length;
    let described = header::parse(bytes.get(LENGTH as usize..).unwrap_or_default())?;
    let directory = Directory::new(names::stored(described, &data, true)?, data)?;
    let config = shape(&directory)?;
    directory.check(&config)?;
    let tokenizer = vocabulary::parse(texts.vocabulary, texts.merges, None, config.vocabulary_size)?;
    let tensors: Vec<_> = layout::tensors(&config).map(|(name, shape)| outline(name, shape)).collect();
    let gguf::Plan { header, starts, length } = gguf::plan(&config, &tokenizer, name, &tensors)?;
    let there = tensors.iter().zip(starts).filter_map(|(tensor, start)| {
        let stored = directory.get(&tensor.name)?;
        Some(task(stored, tensor, start))
    });
    let mut tasks: Vec<_> = there.collect();
    tasks.sort_unstable_by_key(|task| task.span.start);
    Ok(Plan { header, tasks, length })
}

fn outline(name: String, shape: Vec<usize>) -> Outline {
    let dtype = Precision::Q8_0.dtype(&name, &shape);
    Outline { name, shape, dtype }
}

fn task(stored: &Stored, tensor: &Outline, start: u64) -> Task {
    let Stored { name, kind, span, transposed, .. } = stored;
    let rows = if *transposed { tensor.shape[0] as u64 } else { 1 };
    let (name, span) = (name.clone(), span.clone());
    Task { name, kind: *kind, span, dtype: tensor.dtype, rows, start, bytes: tensor.bytes() }
}

/// The configuration that the tensors' shapes tell; the rest is OpenAI's.
fn shape(directory: &Directory) -> Result<Config, CheckpointError> {
    let [vocabulary_size, n_embd] = sizes(directory, "token_embd.weight")?;
    let [context, _] = sizes(directory, "position_embd.weight")?;
    // A Conv1D: [in, out].
    let [_, n_inner] = sizes(directory, "blk.0.ffn_up.weight")?;
    Ok(Config {
        layers: layers(directory)?,
        heads: heads(directory, n_embd)?,
        n_embd: n_embd as usize,
        n_inner: n_inner as usize,
        context: context as usize,
        vocabulary_size: vocabulary_size as usize,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    })
}

/// The sizes of a matrix that must be there, as the file has them.
fn sizes(directory: &Directory, slot: &str) -> Result<[u64; 2], CheckpointError> {
    let stored = directory.get(slot).ok_or_else(|| CheckpointError::Missing { name: slot.to_string() })?;
    match *stored.dims.as_slice() {
        [a, b] if (1..=MOST).contains(&a) && (1..=MOST).contains(&b) => Ok([a, b]),
        ref other => {
            let (field, expected) = (format!("shape of {}", stored.name), format!("two sizes from 1 to {MOST}"));
            Err(CheckpointError::field(&field, stored.at, expected, format!("{other:?}")))
        }
    }
}

/// One more than the highest number of a block; whether there is one of each, the directory checks.
fn layers(directory: &Directory) -> Result<usize, CheckpointError> {
    let numbers =
        directory.slots().filter_map(|slot| slot.strip_prefix("blk.")?.split_once('.')?.0.parse::<u64>().ok());
    match numbers.max() {
        Some(last) if last < MOST_LAYERS => Ok(last as usize + 1),
        Some(last) => Err(CheckpointError::field(&"number of a block", LENGTH, format!("below {MOST_LAYERS}"), last)),
        None => Err(CheckpointError::Missing { name: "blk.0.attn_norm.weight".to_string() }),
    }
}

fn heads(directory: &Directory, n_embd: u64) -> Result<usize, CheckpointError> {
    if n_embd.is_multiple_of(HEAD_WIDTH) {
        return Ok((n_embd / HEAD_WIDTH) as usize);
    }
    let (name, at) =
        directory.get("token_embd.weight").map(|stored| (stored.name.as_str(), stored.at)).unwrap_or_default();
    let expected = format!("a width that {HEAD_WIDTH}, the length of a head, divides");
    Err(CheckpointError::field(&format!("shape of {name}"), at, expected, n_embd))
}
