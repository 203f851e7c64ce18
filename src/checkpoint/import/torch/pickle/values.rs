//! What a pickle holds.

use std::fmt;

use super::memory::Memory;
use super::names::{ElementType, Name};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::tensor_info::Dims;

/// A value: 8 bytes; what is larger lies in [`Values`] or in the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::checkpoint) enum PickledValue {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A number of 32 bits.
    Int(i32),
    /// A number of 64 bits, by its place.
    Long(u32),
    /// A number that is not whole, of which nothing is asked.
    Float,
    /// A text or bytes, by the place of its opcode in the pickle.
    Text(u32),
    /// A function or type.
    Name(Name),
    /// A tuple, by its place.
    Tuple(u32),
    /// A list or set, by its number.
    List(u32),
    /// A dict, keys and values in turn, by its number.
    Dict(u32),
    /// Where elements are, by its number.
    Storage(u32),
    /// A view of a storage, by its number.
    PickledTensor(u32),
    /// Something of which nothing is asked.
    Plain,
}

const _: () = assert!(size_of::<PickledValue>() == 8);

impl fmt::Display for PickledValue {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            PickledValue::None => "None",
            PickledValue::Bool(_) => "a truth value",
            PickledValue::Int(_) | PickledValue::Long(_) | PickledValue::Float => "a number",
            PickledValue::Text(_) => "a text",
            PickledValue::Name(_) => "a function",
            PickledValue::Tuple(_) => "a tuple",
            PickledValue::List(_) => "a list",
            PickledValue::Dict(_) => "a dict",
            PickledValue::Storage(_) => "a storage",
            PickledValue::PickledTensor(_) => "a tensor",
            PickledValue::Plain => "another value",
        })
    }
}

/// A storage as the pickle describes it.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct Storage {
    /// Its name in the file, a text.
    pub key: PickledValue,
    /// How its elements are kept.
    pub element: ElementType,
    /// Elements there are.
    pub count: u64,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct PickledTensor {
    /// Where the pickle describes it in the file.
    pub at: u64,
    /// Where its elements are.
    pub storage: Storage,
    /// Elements of the storage before its first.
    pub offset: u64,
    /// Its shape, rows first.
    pub dims: Dims,
    /// Elements from one to the next, along each size.
    pub strides: Dims,
}

/// The call that rebuilds a tensor: where it stands in the file, and its arguments.
#[derive(Debug)]
struct Rebuilt {
    at: u64,
    arguments: PickledValue,
}

/// The tuple of nothing, which is everywhere.
const EMPTY: PickledValue = PickledValue::Tuple(u32::MAX);

/// Values of tuples that lie together.
const PIECE: usize = 256;

/// A pickle that has been read.
#[derive(Debug)]
pub(in crate::checkpoint) struct PickledValues<'a> {
    bytes: &'a [u8],
    /// What all of this may take.
    pub(super) memory: Memory,
    longs: Vec<i64>,
    /// Tuples, each behind its length, in pieces of [`PIECE`] values: torch's pickles are full of them, and one list
    /// of all would be copied as it grows. A tuple that is longer has a piece of its own.
    tuples: Vec<Vec<PickledValue>>,
    containers: Vec<Vec<PickledValue>>,
    storages: Vec<Storage>,
    tensors: Vec<Rebuilt>,
    /// The value that it is of.
    pub root: PickledValue,
}

impl<'a> PickledValues<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        PickledValues {
            bytes,
            memory: Memory::default(),
            longs: Vec::new(),
            tuples: Vec::new(),
            containers: Vec::new(),
            storages: Vec::new(),
            tensors: Vec::new(),
            root: PickledValue::None,
        }
    }

    pub(super) fn add_int(&mut self, number: i64) -> Result<PickledValue, CheckpointError> {
        if let Ok(number) = i32::try_from(number) {
            return Ok(PickledValue::Int(number));
        }
        self.memory.reserve(&mut self.longs, 1)?;
        self.longs.push(number);
        Ok(PickledValue::Long((self.longs.len() - 1) as u32))
    }

    pub(super) fn add_tuple(&mut self, items: &[PickledValue]) -> Result<PickledValue, CheckpointError> {
        if items.is_empty() {
            return Ok(EMPTY);
        }
        if self.tuples.last().is_none_or(|piece| piece.capacity() - piece.len() <= items.len()) {
            let mut piece = Vec::new();
            self.memory.reserve(&mut piece, PIECE.max(1 + items.len()))?;
            self.memory.reserve(&mut self.tuples, 1)?;
            self.tuples.push(piece);
        }
        let number = self.tuples.len() - 1;
        let piece = &mut self.tuples[number];
        let place = number * PIECE + piece.len();
        piece.push(PickledValue::Int(items.len() as i32));
        piece.extend(items);
        Ok(PickledValue::Tuple(place as u32))
    }

    /// A new container's number.
    pub(super) fn contain(&mut self, items: &[PickledValue]) -> Result<u32, CheckpointError> {
        let mut container = Vec::new();
        self.memory.reserve(&mut container, items.len())?;
        container.extend(items);
        self.memory.reserve(&mut self.containers, 1)?;
        self.containers.push(container);
        Ok((self.containers.len() - 1) as u32)
    }

    /// Adds to a container.
    pub(super) fn extend(&mut self, number: u32, items: &[PickledValue]) -> Result<(), CheckpointError> {
        let container = &mut self.containers[number as usize];
        self.memory.reserve(container, items.len())?;
        container.extend(items);
        Ok(())
    }

    pub(super) fn add_storage(&mut self, storage: Storage) -> Result<PickledValue, CheckpointError> {
        self.memory.reserve(&mut self.storages, 1)?;
        self.storages.push(storage);
        Ok(PickledValue::Storage((self.storages.len() - 1) as u32))
    }

    /// A tensor whose arguments have been found to describe one.
    pub(super) fn add_tensor(&mut self, at: u64, arguments: PickledValue) -> Result<PickledValue, CheckpointError> {
        self.memory.reserve(&mut self.tensors, 1)?;
        self.tensors.push(Rebuilt { at, arguments });
        Ok(PickledValue::PickledTensor((self.tensors.len() - 1) as u32))
    }

    /// A whole number.
    pub fn int(&self, value: PickledValue) -> Option<i64> {
        match value {
            PickledValue::Int(number) => Some(number.into()),
            PickledValue::Long(place) => self.longs.get(place as usize).copied(),
            _ => None,
        }
    }

    /// What a tuple or list holds; nothing in anything else.
    pub fn items(&self, value: PickledValue) -> &[PickledValue] {
        match value {
            EMPTY => &[],
            PickledValue::Tuple(place) => match &self.tuples[place as usize / PIECE][place as usize % PIECE..] {
                [PickledValue::Int(length), items @ ..] => &items[..*length as usize],
                _ => &[],
            },
            PickledValue::List(number) => &self.containers[number as usize],
            _ => &[],
        }
    }

    /// Keys and values of a dict; none in anything else.
    pub fn pairs(&self, value: PickledValue) -> impl Iterator<Item = (PickledValue, PickledValue)> {
        let items: &[PickledValue] = match value {
            PickledValue::Dict(number) => &self.containers[number as usize],
            _ => &[],
        };
        items.as_chunks().0.iter().map(|&[key, value]| (key, value))
    }

    /// The value of a dict under a text.
    pub fn get(&self, dict: PickledValue, key: &str) -> Option<PickledValue> {
        self.pairs(dict).find(|&(found, _)| self.text(found) == Some(key)).map(|(_, value)| value)
    }

    /// The bytes of a text; none of anything else.
    pub fn bytes_of(&self, value: PickledValue) -> &'a [u8] {
        let PickledValue::Text(place) = value else { return &[] };
        // The pickle has been read up to there: its length is there, and so many bytes.
        let (opcode, rest) = self.bytes.split_at(place as usize + 1);
        let (length, rest) = match opcode[place as usize] {
            b'U' | b'C' | 0x8c => rest.split_at(1),
            0x8d | 0x8e | 0x96 => rest.split_at(8),
            _ => rest.split_at(4),
        };
        let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        &rest[..length]
    }

    /// A text that is UTF-8.
    pub fn text(&self, value: PickledValue) -> Option<&'a str> {
        matches!(value, PickledValue::Text(_)).then(|| std::str::from_utf8(self.bytes_of(value)).ok()).flatten()
    }

    /// A storage.
    pub fn storage(&self, value: PickledValue) -> Option<&Storage> {
        if let PickledValue::Storage(number) = value { self.storages.get(number as usize) } else { None }
    }

    /// A tensor.
    pub fn tensor(&self, value: PickledValue) -> Option<PickledTensor> {
        let PickledValue::PickledTensor(number) = value else { return None };
        let &Rebuilt { at, arguments } = self.tensors.get(number as usize)?;
        self.describe(at, arguments).ok()
    }

    /// `(storage, offset, size, stride, …)`; or what was expected, and what found.
    pub(super) fn describe(&self, at: u64, arguments: PickledValue) -> Result<PickledTensor, (&'static str, String)> {
        let &[storage, offset, size, stride, ..] = self.items(arguments) else {
            return Err(("a tensor's storage, offset, size and stride", arguments.to_string()));
        };
        let place = self.int(offset).and_then(|offset| u64::try_from(offset).ok());
        let Some((&storage, offset)) = self.storage(storage).zip(place) else {
            return Err(("a tensor's storage and offset", format!("{storage} and {}", self.shown(offset))));
        };
        let (dims, strides) = (self.sizes(size)?, self.sizes(stride)?);
        if dims.as_slice().len() != strides.as_slice().len() {
            return Err(("a stride for each size", format!("{:?}", strides.as_slice())));
        }
        Ok(PickledTensor { at, storage, offset, dims, strides })
    }

    fn sizes(&self, tuple: PickledValue) -> Result<Dims, (&'static str, String)> {
        let mut dims = Dims::default();
        for &size in self.items(tuple) {
            let number = self.int(size).and_then(|size| u64::try_from(size).ok());
            if !number.is_some_and(|size| dims.push(size)) {
                return Err(("at most 4 sizes", size.to_string()));
            }
        }
        Ok(dims)
    }

    /// A value for messages: a whole number as it is.
    pub(super) fn shown(&self, value: PickledValue) -> String {
        self.int(value).map_or_else(|| value.to_string(), |number| number.to_string())
    }

    /// Every storage, as it was named.
    pub fn storages(&self) -> &[Storage] {
        &self.storages
    }
}
