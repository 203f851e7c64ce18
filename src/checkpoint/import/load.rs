//! Weights from the files: some rows at a time into what the model computes with.

use std::io::{Read, Seek};

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use half::f16;

use super::super::quantize::Precision;
use super::super::source::{Source, room};
use super::super::tensor::{Kind, check_finite, decode, encode, zeros};
use super::super::{Checkpoint, CheckpointError};
use super::{Draft, ImportError, Named, Part, Slot, in_file};
use crate::kernels::ROW_BLOCK;
use crate::model::Config;
use crate::model::{Weight, Weights};
use crate::tokenizer::TokenizerSpec;

/// Elements that are converted at once, or eight rows where those are more.
const ELEMENTS: usize = 16 << 10;

/// A [`Draft`](super::Draft) whose weights are being read, one tensor at a time.
#[derive(Debug)]
pub struct Loading {
    config: Config,
    tokenizer: TokenizerSpec,
    precision: Option<Precision>,
    /// The smallest first, since the last is read next: the largest when there is least else in memory.
    slots: Vec<Slot>,
    weights: Weights,
}

impl Loading {
    pub(super) fn new(draft: Draft, precision: Option<Precision>) -> Self {
        let Draft { config, tokenizer, mut slots, .. } = draft;
        slots.sort_by_key(|slot| slot.shape.iter().product::<usize>());
        Loading { config, tokenizer, precision, slots, weights: Weights::default() }
    }

    /// Tensors that are still to be read.
    pub fn left(&self) -> usize {
        self.slots.len()
    }

    /// Reads the next tensor; nothing where none is left.
    pub fn step<R: Read + Seek>(&mut self, files: &mut [Named<R>]) -> Result<(), ImportError> {
        let Some(slot) = self.slots.pop() else { return Ok(()) };
        let weight = read(&slot, files, kept(&slot, self.precision))?;
        Ok(self.weights.put(&slot.name, weight).map_err(CheckpointError::from)?)
    }

    /// What has been read.
    pub fn finish(self) -> Checkpoint {
        Checkpoint { config: self.config, tokenizer: self.tokenizer, weights: self.weights }
    }
}

/// How a tensor is to be kept.
pub(super) fn kept(slot: &Slot, precision: Option<Precision>) -> GgmlDType {
    let kind = slot.parts.first().map_or(Kind::F32, |part| part.stored.kind);
    match (precision, kind) {
        (Some(precision), _) => precision.dtype(&slot.name, &slot.shape),
        (None, Kind::F16) => GgmlDType::F16,
        (None, Kind::F32 | Kind::Bf16) => GgmlDType::F32,
        // Of what has blocks only matrices keep them.
        (None, Kind::Q8_0 | Kind::Coarse(_)) => Precision::Q8_0.dtype(&slot.name, &slot.shape),
    }
}

fn read<R: Read + Seek>(slot: &Slot, files: &mut [Named<R>], dtype: GgmlDType) -> Result<Weight, ImportError> {
    if let [Part { file, stored }] = slot.parts.as_slice()
        && is_as_kept(stored.kind, dtype)
        && !stored.transposed
    {
        return in_file(files, *file, |source| stored.place(&slot.shape).read(source));
    }
    let mut rows = Target::new(slot, dtype)?;
    let mut left = rows.count;
    for Part { file, stored } in &slot.parts {
        let count = left.min(stored.shape().as_slice()[0] as usize);
        left -= count;
        in_file(files, *file, |source| convert(stored, count, source, &mut rows))?;
    }
    Ok(rows.finish(slot)?)
}

/// Whether the file has the very bytes.
fn is_as_kept(kind: Kind, dtype: GgmlDType) -> bool {
    matches!((kind, dtype), (Kind::F32, GgmlDType::F32) | (Kind::F16, GgmlDType::F16) | (Kind::Q8_0, GgmlDType::Q8_0))
}

/// Adds the first `count` rows of a tensor.
fn convert<R: Read + Seek>(
    stored: &super::Stored,
    count: usize,
    source: &mut Source<R>,
    target: &mut Target,
) -> Result<(), CheckpointError> {
    let columns = target.columns;
    if stored.transposed {
        let shape = [stored.shape().as_slice()[0] as usize, columns];
        let values = stored.place(&shape).read_f32(source)?;
        return target.add(&values[..count * columns]);
    }
    let (elements, size) = stored.kind.block();
    let step = (ELEMENTS / (ROW_BLOCK * columns)).max(1) * ROW_BLOCK;
    let mut offset = stored.span.start;
    source.seek(offset)?;
    let mut values: Vec<f32> = room(&stored.name, (step.min(count) * columns) as u64)?;
    let mut bytes: Vec<u8> = room(&stored.name, values.capacity() as u64 / elements * size)?;
    for first in (0..count).step_by(step) {
        values.resize(step.min(count - first) * columns, 0.0);
        bytes.resize(values.len() / elements as usize * size as usize, 0);
        source.fill(&stored.name, &mut bytes)?;
        check_finite(&stored.name, stored.kind, &bytes, offset)?;
        offset += bytes.len() as u64;
        decode(stored.kind, &bytes, &mut values);
        target.add(&values)?;
    }
    Ok(())
}

/// A tensor that rows are added to.
struct Target<'a> {
    name: &'a str,
    count: usize,
    columns: usize,
    /// Rows that have been put.
    done: usize,
    /// Rows that have come, fewer than four, where four are put at once.
    waiting: Vec<f32>,
    elements: Elements,
}

enum Elements {
    Q8(crate::kernels::Q8Matrix),
    F16(Vec<f16>),
    F32(Vec<f32>),
}

impl<'a> Target<'a> {
    /// A tensor of zeros.
    fn new(slot: &'a Slot, dtype: GgmlDType) -> Result<Self, CheckpointError> {
        let (count, columns) = match *slot.shape.as_slice() {
            [rows, columns] => (rows, columns),
            _ => (slot.shape.iter().product(), 1),
        };
        let all = count as u64 * columns as u64;
        let elements = match dtype {
            GgmlDType::Q8_0 => Elements::Q8(zeros(&slot.name, count, columns)?),
            GgmlDType::F16 => Elements::F16(room(&slot.name, all)?),
            _ => Elements::F32(room(&slot.name, all)?),
        };
        Ok(Target { name: &slot.name, count, columns, done: 0, waiting: Vec::new(), elements })
    }

    /// Adds whole rows.
    fn add(&mut self, values: &[f32]) -> Result<(), CheckpointError> {
        match &mut self.elements {
            Elements::F32(elements) => elements.extend(values),
            Elements::F16(elements) => {
                let start = elements.len();
                elements.extend(values.iter().map(|&value| f16::from_f32(value)));
                if !elements[start..].iter().all(|element| element.is_finite()) {
                    return Err(CheckpointError::too_large(self.name, "16 bits"));
                }
            }
            Elements::Q8(_) => {
                self.waiting.extend(values);
                self.put(ROW_BLOCK)?;
            }
        }
        Ok(())
    }

    /// Quantises what waits, but for what is left of whole groups of so many rows.
    fn put(&mut self, group: usize) -> Result<(), CheckpointError> {
        let Elements::Q8(matrix) = &mut self.elements else { return Ok(()) };
        let rows = self.waiting.len() / self.columns / group * group;
        let ready = self.waiting.drain(..rows * self.columns).as_slice().to_vec();
        let is_finite = matrix.put_rows(self.done, &encode(GgmlDType::Q8_0, &ready));
        self.done += rows;
        if is_finite { Ok(()) } else { Err(CheckpointError::too_large(self.name, "8 bits and a scale of 16")) }
    }

    fn finish(mut self, slot: &Slot) -> Result<Weight, CheckpointError> {
        self.put(1)?;
        let all = self.count * self.columns;
        let storage: QStorage = match self.elements {
            Elements::Q8(matrix) => return Ok(Weight::Q8(matrix)),
            Elements::F16(mut elements) => {
                elements.resize(all, f16::ZERO);
                QStorage::Cpu(Box::new(elements))
            }
            Elements::F32(mut elements) => {
                elements.resize(all, 0.0);
                QStorage::Cpu(Box::new(elements))
            }
        };
        let tensor = QTensor::new(storage, slot.shape.as_slice());
        tensor.map(Weight::Other).map_err(|source| CheckpointError::tensor(&slot.name, source))
    }
}
