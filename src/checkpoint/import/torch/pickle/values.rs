//! The values in a pickle.

use std::fmt;

use super::memory::Memory;
use super::names::{ElementType, Name};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::tensor_info::Dims;

/// A value in 8 bytes. Larger values are in [`PickledValues`] or in the pickle, and referred to by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::checkpoint) enum PickledValue {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer of 32 bits.
    Int(i32),
    /// An integer of 64 bits, by its index.
    Long(u32),
    /// A floating-point number, whose value is not used.
    Float,
    /// A text or bytes, by the offset of its opcode in the pickle.
    Text(u32),
    /// A function or type.
    Name(Name),
    /// A tuple, by its position.
    Tuple(u32),
    /// A list or set, by its number.
    List(u32),
    /// A dict, keys and values in turn, by its number.
    Dict(u32),
    /// A storage, by its number.
    Storage(u32),
    /// A tensor, that is a view of a storage, by its number.
    PickledTensor(u32),
    /// A value that is not used.
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
    /// The type of its elements.
    pub element: ElementType,
    /// The number of its elements.
    pub count: u64,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct PickledTensor {
    /// The offset of its description in the file.
    pub at: u64,
    /// The storage of its elements.
    pub storage: Storage,
    /// Elements of the storage before its first one.
    pub offset: u64,
    /// Its shape, rows first.
    pub dims: Dims,
    /// For each dimension, the distance between neighbours, in elements.
    pub strides: Dims,
}

/// The call that rebuilds a tensor: its offset in the file, and its arguments.
#[derive(Debug)]
struct Rebuilt {
    at: u64,
    arguments: PickledValue,
}

/// The empty tuple, which pickles use often.
const EMPTY: PickledValue = PickledValue::Tuple(u32::MAX);

/// Values of tuples that are stored together.
const PIECE: usize = 256;

/// A pickle that has been read.
#[derive(Debug)]
pub(in crate::checkpoint) struct PickledValues<'a> {
    bytes: &'a [u8],
    /// The limit of the memory that all values take.
    pub(super) memory: Memory,
    longs: Vec<i64>,
    /// Tuples, each behind its length, in pieces of [`PIECE`] values; a longer tuple has a piece of its own. torch's
    /// pickles have many tuples, and a single list of all would be copied as it grows.
    tuples: Vec<Vec<PickledValue>>,
    containers: Vec<Vec<PickledValue>>,
    storages: Vec<Storage>,
    tensors: Vec<Rebuilt>,
    /// The value of the whole pickle.
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

    /// The number of a new container with these items.
    pub(super) fn contain(&mut self, items: &[PickledValue]) -> Result<u32, CheckpointError> {
        let mut container = Vec::new();
        self.memory.reserve(&mut container, items.len())?;
        container.extend(items);
        self.memory.reserve(&mut self.containers, 1)?;
        self.containers.push(container);
        Ok((self.containers.len() - 1) as u32)
    }

    /// Adds items to a container.
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

    /// Adds a tensor, after its arguments were checked.
    pub(super) fn add_tensor(&mut self, at: u64, arguments: PickledValue) -> Result<PickledValue, CheckpointError> {
        self.memory.reserve(&mut self.tensors, 1)?;
        self.tensors.push(Rebuilt { at, arguments });
        Ok(PickledValue::PickledTensor((self.tensors.len() - 1) as u32))
    }

    /// An integer.
    pub fn int(&self, value: PickledValue) -> Option<i64> {
        match value {
            PickledValue::Int(number) => Some(number.into()),
            PickledValue::Long(place) => self.longs.get(place as usize).copied(),
            _ => None,
        }
    }

    /// The items of a tuple or list; none for other values.
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

    /// Keys and values of a dict; none for other values.
    pub fn pairs(&self, value: PickledValue) -> impl Iterator<Item = (PickledValue, PickledValue)> {
        let items: &[PickledValue] = match value {
            PickledValue::Dict(number) => &self.containers[number as usize],
            _ => &[],
        };
        items.as_chunks().0.iter().map(|&[key, value]| (key, value))
    }

    /// The value of a dict under a key that is a text.
    pub fn get(&self, dict: PickledValue, key: &str) -> Option<PickledValue> {
        self.pairs(dict).find(|&(found, _)| self.text(found) == Some(key)).map(|(_, value)| value)
    }

    /// The bytes of a text; none for other values.
    pub fn bytes_of(&self, value: PickledValue) -> &'a [u8] {
        let PickledValue::Text(place) = value else { return &[] };
        // The pickle was read to this opcode's end, so its length and its bytes are there.
        let (opcode, rest) = self.bytes.split_at(place as usize + 1);
        let (length, rest) = match opcode[place as usize] {
            b'U' | b'C' | 0x8c => rest.split_at(1),
            0x8d | 0x8e | 0x96 => rest.split_at(8),
            _ => rest.split_at(4),
        };
        let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        &rest[..length]
    }

    /// A text, if it is UTF-8.
    pub fn text(&self, value: PickledValue) -> Option<&'a str> {
        matches!(value, PickledValue::Text(_)).then(|| std::str::from_utf8(self.bytes_of(value)).ok()).flatten()
    }

    /// A storage, if the value is one.
    pub fn storage(&self, value: PickledValue) -> Option<&Storage> {
        if let PickledValue::Storage(number) = value { self.storages.get(number as usize) } else { None }
    }

    /// A tensor, if the value is one.
    pub fn tensor(&self, value: PickledValue) -> Option<PickledTensor> {
        let PickledValue::PickledTensor(number) = value else { return None };
        let &Rebuilt { at, arguments } = self.tensors.get(number as usize)?;
        self.describe(at, arguments).ok()
    }

    /// Reads `(storage, offset, size, stride, …)`. The error is what was expected, and what was found.
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

    /// A value as messages show it: an integer in digits.
    pub(super) fn shown(&self, value: PickledValue) -> String {
        self.int(value).map_or_else(|| value.to_string(), |number| number.to_string())
    }

    /// All storages, in the order in which they were named.
    pub fn storages(&self) -> &[Storage] {
        &self.storages
    }
}
