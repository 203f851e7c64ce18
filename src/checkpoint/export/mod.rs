//! A model → files for other programs, a piece at a time, so that nobody waits and nothing is held twice.
//!
//! ```text
//! Source ─▶ gguf         File ──┐
//!       └▶ huggingface  Files ─┴▶ step, step, … ─▶ writer
//! ```
//!
//! A [`Source`] is a model that is loaded, or a checkpoint that has been read: both give their tensors by GGUF's names.
//! A [`File`] is planned as a whole, so that its length is known, and written tensor by tensor, some rows at a time.

mod huggingface;
mod notes;
mod tensor;

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

use candle_core::quantized::GgmlDType;

pub use huggingface::huggingface;
pub use notes::{Format, notes};
pub use tensor::Tensor;

use super::gguf::{self, Outline};
use super::quantize::Precision;
use super::{Checkpoint, CheckpointError, Model, layout};
use crate::model::{Config, Weight};
use crate::tokenizer::TokenizerSpec;
use tensor::Form;

/// Bytes that are written at once, or a row where that is more; a matrix that is turned comes as a whole.
const PIECE: usize = 256 << 10;

/// What can be exported.
pub trait Source {
    /// The model's shape.
    fn config(&self) -> &Config;
    /// The tokenizer's pieces.
    fn tokenizer(&self) -> TokenizerSpec;
    /// How a file keeps the tensor of this name where nothing else is asked for.
    fn kept(&self, name: &str) -> GgmlDType;
    /// The tensor of this name.
    fn tensor(&self, name: &str) -> Option<Tensor<'_>>;
}

impl Source for Model {
    fn config(&self) -> &Config {
        self.gpt.config()
    }

    fn tokenizer(&self) -> TokenizerSpec {
        self.tokenizer.spec()
    }

    fn kept(&self, name: &str) -> GgmlDType {
        self.gpt.kept(name)
    }

    fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.gpt.tensor(name).map(Tensor::from)
    }
}

impl Source for Checkpoint {
    fn config(&self) -> &Config {
        &self.config
    }

    fn tokenizer(&self) -> TokenizerSpec {
        self.tokenizer.clone()
    }

    fn kept(&self, name: &str) -> GgmlDType {
        self.weights.get(name).map_or(GgmlDType::F32, Weight::dtype)
    }

    fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        Some(match self.weights.get(name)? {
            Weight::Q8(matrix) => Tensor::Q8(matrix),
            Weight::F32(tensor) => Tensor::F32(tensor),
            Weight::Other(tensor) => Tensor::Stored(tensor),
        })
    }
}

/// A file on its way out. It is written once; after an error it is of no use.
#[derive(Debug)]
pub struct File {
    name: String,
    length: u64,
    pieces: Vec<Piece>,
    /// The piece that is next.
    piece: usize,
    /// Its rows that have been written.
    row: usize,
}

/// A part of a file.
#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Zeros(u64),
    /// A tensor as GGUF has it.
    Rows(Form),
    /// A matrix `[in, out]`.
    Turned(Form),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Zeros(count) => *count,
            Piece::Rows(form) | Piece::Turned(form) => form.length(),
        }
    }

    /// Rows that can be written one without the other.
    fn rows(&self) -> usize {
        if let Piece::Rows(form) = self { form.rows } else { 1 }
    }

    /// The rows from this one on that are written at once.
    fn next(&self, row: usize) -> Range<usize> {
        let bytes = (self.length() / self.rows() as u64).max(1) as usize;
        row..self.rows().min(row + (PIECE / bytes).max(1))
    }

    /// The bytes of some rows.
    fn bytes(&self, source: &impl Source, rows: Range<usize>) -> Result<Cow<'_, [u8]>, CheckpointError> {
        Ok(match self {
            Piece::Bytes(bytes) => bytes.into(),
            Piece::Zeros(count) => vec![0; *count as usize].into(),
            Piece::Rows(form) => find(source, &form.name)?.rows(form, rows)?.into(),
            Piece::Turned(form) => find(source, &form.name)?.turned(form)?.into(),
        })
    }
}

fn find<'a>(source: &'a impl Source, name: &str) -> Result<Tensor<'a>, CheckpointError> {
    source.tensor(name).ok_or_else(|| CheckpointError::Missing { name: name.to_string() })
}

/// The GGUF file of a model: in this precision, or as it was loaded. `name` is its `general.name`.
///
/// The same model, name and precision always give the same bytes, whether it is loaded or has only been read.
pub fn gguf(source: &impl Source, name: &str, precision: Option<Precision>) -> Result<File, CheckpointError> {
    let outlines = outlines(source, precision);
    let gguf::Plan { header, .. } = gguf::plan(source.config(), &source.tokenizer(), name, &outlines)?;
    let mut pieces = vec![Piece::Bytes(header)];
    for outline in &outlines {
        let bytes = outline.bytes();
        pieces.push(piece(source, outline)?);
        pieces.push(Piece::Zeros(bytes.next_multiple_of(gguf::ALIGNMENT) - bytes));
    }
    Ok(File::new(format!("{name}.gguf"), pieces))
}

/// Writes the GGUF file of a model as it was loaded.
pub fn write_gguf(source: &impl Source, name: &str, writer: &mut impl Write) -> Result<(), CheckpointError> {
    gguf(source, name, None)?.write(source, writer)
}

/// The tensors that other programs' GPT-2 has, in the order of the file.
fn outlines(source: &impl Source, precision: Option<Precision>) -> Vec<Outline> {
    let outline = |(name, shape): (String, Vec<usize>)| {
        let dtype = precision.map_or_else(|| source.kept(&name), |precision| precision.dtype(&name, &shape));
        Outline { name, shape, dtype }
    };
    layout::tensors(&Config { qkv_bias: true, ..source.config().clone() }).map(outline).collect()
}

/// A tensor that must be there; but a bias that the model does not have is zeros.
fn piece(source: &impl Source, outline: &Outline) -> Result<Piece, CheckpointError> {
    let Outline { name, shape, dtype } = outline;
    let (rows, columns) = match *shape.as_slice() {
        [rows, columns] => (rows, columns),
        _ => (1, shape.iter().product()),
    };
    match find(source, name) {
        Ok(_) => Ok(Piece::Rows(Form { name: name.clone(), rows, columns, dtype: *dtype })),
        Err(_) if name.ends_with(gguf::QKV_BIAS) && !source.config().qkv_bias => Ok(Piece::Zeros(outline.bytes())),
        Err(missing) => Err(missing),
    }
}

impl File {
    fn new(name: String, pieces: Vec<Piece>) -> Self {
        let length = pieces.iter().map(Piece::length).sum();
        File { name, length, pieces, piece: 0, row: 0 }
    }

    /// Its name, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of all of it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes the next piece, of the same source that it was planned for; `false` when that was the last.
    pub fn step(&mut self, source: &impl Source, writer: &mut impl Write) -> Result<bool, CheckpointError> {
        let Some(piece) = self.pieces.get(self.piece) else { return Ok(false) };
        let rows = piece.next(self.row);
        writer.write_all(&piece.bytes(source, rows.clone())?)?;
        match rows.end < piece.rows() {
            true => self.row = rows.end,
            false => (self.piece, self.row) = (self.piece + 1, 0),
        }
        Ok(self.piece < self.pieces.len())
    }

    /// Writes all that is left.
    pub fn write(mut self, source: &impl Source, writer: &mut impl Write) -> Result<(), CheckpointError> {
        while self.step(source, writer)? {}
        Ok(writer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::Head;
    use crate::testing::{random_gpt, small};

    #[test]
    fn a_model_has_every_tensor_that_a_file_asks_for_and_no_other() {
        let gpt = random_gpt(&small(), 1);
        let missing = |config: &Config| -> Vec<String> {
            layout::tensors(config).map(|(name, _)| name).filter(|name| gpt.tensor(name).is_none()).collect()
        };
        assert!(missing(&small()).is_empty());
        let more = Config { layers: 3, head: Head::Untied { bias: true }, ..small() };
        assert_eq!(missing(&more).len(), 13);
        assert!(missing(&more).contains(&"output.bias".to_string()));
        let others = ["blk.0.attn_k.weight", "blk.x.ffn_up.weight", "blk.0.ffn_up.scale", "rope.weight", "weight"];
        assert!(others.iter().all(|name| gpt.tensor(name).is_none()));
    }
}
