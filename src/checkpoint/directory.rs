//! The tensors that a file claims to have, held against those that its configuration asks for.

use std::io::{Read, Seek};
use std::ops::Range;

use super::source::Source;
use super::tensor::{Dims, Kind, Place};
use super::{CheckpointError, layout};
use crate::model::{Config, Weights};

/// A tensor as the header describes it.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its name in the file.
    pub name: String,
    /// The name that the model asks for.
    pub slot: String,
    /// Where the header describes it.
    pub at: u64,
    /// How its elements are kept.
    pub kind: Kind,
    /// Its shape in the file, rows first.
    pub dims: Dims,
    /// Whether the file keeps a matrix `[in, out]`.
    pub transposed: bool,
    /// Where its bytes lie in the file.
    pub span: Range<u64>,
}

/// Every tensor of a file, sorted by slot: each within the data, none over another, no name twice.
#[derive(Debug)]
pub(super) struct Directory(Vec<Stored>);

impl Directory {
    /// Checks what can be checked without a configuration; `data` is where tensors may lie.
    pub fn new(mut stored: Vec<Stored>, data: Range<u64>) -> Result<Self, CheckpointError> {
        check_spans(&mut stored, data)?;
        stored.sort_unstable_by(|a, b| a.slot.cmp(&b.slot));
        match stored.windows(2).find(|pair| pair[0].slot == pair[1].slot) {
            Some(pair) => Err(CheckpointError::Duplicate { name: pair[0].name.clone() }),
            None => Ok(Directory(stored)),
        }
    }

    /// Forgets the tensors for these slots.
    pub fn leave_out(&mut self, is_left_out: impl Fn(&str) -> bool) {
        self.0.retain(|stored| !is_left_out(&stored.slot));
    }

    /// Whether there is a tensor for this slot.
    pub fn has(&self, slot: &str) -> bool {
        self.find(slot).is_some()
    }

    /// The slots that are filled, sorted.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|stored| stored.slot.as_str())
    }

    /// The tensor for this slot.
    pub fn get(&self, slot: &str) -> Option<&Stored> {
        self.find(slot).map(|index| &self.0[index])
    }

    /// The tensors that `config` asks for with their shapes, once it is sure that there are exactly those.
    pub fn into_shaped(self, config: &Config) -> Result<Vec<(Stored, Vec<usize>)>, CheckpointError> {
        self.check(config)?;
        let mut shapes: Vec<(String, Vec<usize>)> = layout::tensors(config).collect();
        shapes.sort_unstable();
        Ok(self.0.into_iter().zip(shapes).map(|(stored, (_, shape))| (stored, shape)).collect())
    }

    /// Reads the tensors that `config` asks for, once it is sure that there are exactly those.
    pub fn load<R: Read + Seek>(self, config: &Config, source: &mut Source<R>) -> Result<Weights, CheckpointError> {
        self.check(config)?;
        let mut weights = Weights::default();
        for (slot, shape) in layout::tensors(config) {
            if let Some(index) = self.find(&slot) {
                weights.put(&slot, self.0[index].place(&shape).read(source)?)?;
            }
        }
        Ok(weights)
    }

    /// Each tensor that is asked for is there, in its shape, and there is no other.
    pub fn check(&self, config: &Config) -> Result<(), CheckpointError> {
        let mut asked = vec![false; self.0.len()];
        for (slot, shape) in layout::tensors(config) {
            let index = self.find(&slot).ok_or(CheckpointError::Missing { name: slot })?;
            self.0[index].check_shape(&shape)?;
            asked[index] = true;
        }
        match self.0.iter().zip(asked).find(|(_, asked)| !asked) {
            None => Ok(()),
            Some((stored, _)) => {
                let (expected, found) = ("a tensor of the model that the configuration describes", "one more");
                Err(CheckpointError::field(&stored.name, stored.at, expected, found))
            }
        }
    }

    fn find(&self, slot: &str) -> Option<usize> {
        self.0.binary_search_by(|stored| stored.slot.as_str().cmp(slot)).ok()
    }
}

impl Stored {
    /// Its shape as the model has it, rows first.
    pub fn shape(&self) -> Dims {
        if self.transposed { self.dims.reversed() } else { self.dims }
    }

    fn check_shape(&self, shape: &[usize]) -> Result<(), CheckpointError> {
        let mut expected = Dims::default();
        let fits = shape.iter().all(|&size| expected.push(size as u64));
        let expected = if self.transposed { expected.reversed() } else { expected };
        if fits && expected == self.dims {
            return Ok(());
        }
        let field = format!("shape of {}", self.name);
        let (expected, found) = (format!("{:?}", expected.as_slice()), format!("{:?}", self.dims.as_slice()));
        Err(CheckpointError::field(&field, self.at, expected, found))
    }

    /// What reads it, in this shape.
    pub fn place<'a>(&'a self, shape: &'a [usize]) -> Place<'a> {
        let Stored { name, kind, transposed, span, .. } = self;
        Place { name, kind: *kind, start: span.start, shape, transposed: *transposed }
    }
}

/// Each span lies within `data` and none over another.
fn check_spans(stored: &mut [Stored], data: Range<u64>) -> Result<(), CheckpointError> {
    stored.sort_unstable_by_key(|tensor| (tensor.span.start, tensor.span.end));
    let outside = |tensor: &&Stored| tensor.span.start < data.start || tensor.span.end > data.end;
    if let Some(Stored { name, at, span, .. }) = stored.iter().find(outside) {
        let (expected, found) = (format!("bytes within {data:?}"), format!("{span:?}"));
        return Err(CheckpointError::field(&format!("place of {name}"), *at, expected, found));
    }
    match stored.windows(2).find(|pair| pair[0].span.end > pair[1].span.start) {
        None => Ok(()),
        Some(pair) => {
            let (field, at) = (format!("place of {}", pair[1].name), pair[1].at);
            let expected = format!("bytes behind those of {}, which end at {}", pair[0].name, pair[0].span.end);
            Err(CheckpointError::field(&field, at, expected, format!("{:?}", pair[1].span)))
        }
    }
}
