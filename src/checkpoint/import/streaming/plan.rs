//! Makes the header of the GGUF from that of a safetensors file, and plans what each tensor becomes.

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

/// Everything that follows from the header.
pub(super) struct Plan {
    /// The bytes of the GGUF up to the first tensor.
    pub header: Vec<u8>,
    /// The tensors, in the order in which they arrive.
    pub tasks: Vec<TransferPlan>,
    /// Bytes of the whole GGUF.
    pub length: u64,
}

/// A tensor: how it arrives, and what it becomes.
#[derive(Debug)]
pub(super) struct TransferPlan {
    /// Its name in the safetensors file.
    pub name: String,
    /// The dtype in which its elements arrive.
    pub stored: GgmlDType,
    /// Where they lie in the safetensors file.
    pub span: Range<u64>,
    /// The dtype in which they are written.
    pub dtype: GgmlDType,
    /// Rows of the GGUF's matrix that arrive interleaved: all rows of a `Conv1D`, which arrives as `[in, out]`;
    /// otherwise 1.
    pub rows: u64,
    /// Where the tensor begins in the GGUF.
    pub start: u64,
    /// Bytes it takes in the GGUF, without the padding behind it.
    pub bytes: u64,
}

impl TransferPlan {
    /// Bytes of the safetensors file that are converted at once: a block of each of the interleaved rows.
    pub fn unit(&self) -> u64 {
        self.rows * self.dtype.block_size() as u64 * self.stored.type_size() as u64
    }

    /// Where the written part of the tensor ends, once `position` bytes of the safetensors file have been taken.
    pub fn written(&self, position: u64) -> u64 {
        let units = position.saturating_sub(self.span.start) / self.unit();
        match units {
            0 => 0,
            _ if self.rows == 1 => self.start + units * self.dtype.type_size() as u64,
            _ => self.start + self.padded(),
        }
    }

    /// Its bytes in the GGUF, with the padding before the next tensor.
    pub fn padded(&self) -> u64 {
        self.bytes.next_multiple_of(ALIGNMENT)
    }
}

/// Reads the header of a safetensors file of this length. `name` becomes the GGUF's.
pub(super) fn plan(bytes: &[u8], length: u64, texts: Texts<'_>, name: &str) -> Result<Plan, CheckpointError> {
    let data = bytes.len() as u64..length;
    let described = header::parse(bytes.get(LENGTH as usize..).unwrap_or_default())?;
    let info = inspect(Shape::of_openai(place_all(described, &data)?)?, texts)?;
    let specs = output::specs(&info, Some(Precision::Q8_0));
    let gguf::FileLayout { header, starts, length } = gguf::lay_out(&info.config, &info.tokenizer, name, &specs)?;
    let mut tasks: Vec<TransferPlan> = Vec::with_capacity(specs.len());
    // OpenAI's models have every bias, so none has to be made of zeros.
    for ((spec, number), start) in specs.iter().zip(output::numbers(&info, &specs)?).zip(starts) {
        let parts = number.map_or(&[][..], |number| &info.tensors[number].parts);
        let [part] = parts else { return Err(CheckpointError::Missing { name: spec.name.clone() }) };
        tasks.push(task(part, spec, start));
    }
    tasks.sort_unstable_by_key(|task| task.span.start);
    Ok(Plan { header, tasks, length })
}

/// The model with this shape and these texts. It has a token for each row of the embedding.
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
