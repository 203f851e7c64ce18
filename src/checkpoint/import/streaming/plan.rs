//! The header of a safetensors file → the header of the GGUF, and what is to become of each tensor.

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::super::safetensors::header;
use super::super::shape::Shape;
use super::super::tensors::place_all;
use super::super::{CheckpointInfo, TensorPart, assemble, at_once, no_pause, output, tokens};
use super::{LENGTH, Texts};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::gguf::{self, ALIGNMENT, TensorSpec};
use crate::checkpoint::precision::Precision;

/// What there is to do.
pub(super) struct Plan {
    /// The beginning of the GGUF.
    pub header: Vec<u8>,
    /// The tensors, in the order in which they come.
    pub tasks: Vec<TransferPlan>,
    /// Bytes of the whole GGUF.
    pub length: u64,
}

/// A tensor: what comes and what it becomes.
#[derive(Debug)]
pub(super) struct TransferPlan {
    /// Its name in the safetensors file.
    pub name: String,
    /// How its elements come.
    pub stored: GgmlDType,
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

impl TransferPlan {
    /// Bytes of the safetensors file that are converted at once: a block of each of the rows that come side by side.
    pub fn unit(&self) -> u64 {
        self.rows * self.dtype.block_size() as u64 * self.stored.type_size() as u64
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
    let info = inspect(Shape::of_openai(place_all(described, &data)?)?, texts)?;
    let specs = output::specs(&info, Some(Precision::Q8_0));
    let gguf::FileLayout { header, starts, length } = gguf::lay_out(&info.config, &info.tokenizer, name, &specs)?;
    let mut tasks: Vec<TransferPlan> = Vec::with_capacity(specs.len());
    // OpenAI's models have every bias: none is made up.
    for ((spec, number), start) in specs.iter().zip(output::numbers(&info, &specs)?).zip(starts) {
        let parts = number.map_or(&[][..], |number| &info.tensors[number].parts);
        let [part] = parts else { return Err(CheckpointError::Missing { name: spec.name.clone() }) };
        tasks.push(task(part, spec, start));
    }
    tasks.sort_unstable_by_key(|task| task.span.start);
    Ok(Plan { header, tasks, length })
}

/// The model of this shape and these texts: it has a token for each row of the embedding.
fn inspect(shape: Shape, texts: Texts<'_>) -> Result<CheckpointInfo, CheckpointError> {
    let (rows, heads) = (shape.config.vocabulary_size, shape.heads.unwrap_or_default());
    let tokenizer = at_once(tokens::of_texts(texts.vocabulary, texts.merges, rows, None, &no_pause))?;
    if tokenizer.tokens.len() != rows {
        let expected = format!("{rows} tokens, as the model has");
        return Err(CheckpointError::field(&"vocab.json", 0, expected, tokenizer.tokens.len()));
    }
    assemble(shape, heads, tokenizer, Vec::new())
}

fn task(part: &TensorPart, spec: &TensorSpec, start: u64) -> TransferPlan {
    let info = &part.info;
    let rows = if info.transposed { spec.shape[0] as u64 } else { 1 };
    let (name, span) = (info.name.clone(), info.span.clone());
    TransferPlan { name, stored: info.dtype, span, dtype: spec.dtype, rows, start, bytes: spec.bytes() }
}
