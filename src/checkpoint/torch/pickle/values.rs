//! What a pickle holds.

use std::fmt;

use super::super::super::tensor::Dims;
use super::names::{Element, Name};

/// A part of the pickle's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Span {
    pub start: u32,
    pub end: u32,
}

/// A value; containers, storages and tensors by their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super::super) enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A number of 64 bits.
    Int(i64),
    /// A number of 64 bits.
    Float(f64),
    /// A text or bytes.
    Text(Span),
    /// A function or type.
    Name(Name),
    /// A tuple.
    Tuple(u32),
    /// A list or set.
    List(u32),
    /// A dict: keys and values in turn.
    Dict(u32),
    /// Where elements are.
    Storage(u32),
    /// A view of a storage.
    Tensor(u32),
    /// Something of which nothing is asked.
    Plain,
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::Name(_) => "a function",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dict",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
            Value::Plain => "another value",
        })
    }
}

/// A storage as the pickle describes it.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Storage {
    /// Its name in the file.
    pub key: Span,
    /// How its elements are kept.
    pub element: Element,
    /// Elements there are.
    pub count: u64,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Tensor {
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

/// A pickle that has been read.
#[derive(Debug)]
pub(in super::super::super) struct Values<'a> {
    bytes: &'a [u8],
    containers: Vec<Vec<Value>>,
    storages: Vec<Storage>,
    tensors: Vec<Tensor>,
    /// The value that it is of.
    pub root: Value,
}

impl<'a> Values<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Values { bytes, containers: Vec::new(), storages: Vec::new(), tensors: Vec::new(), root: Value::None }
    }

    /// A new container's number.
    pub(super) fn contain(&mut self, items: Vec<Value>) -> u32 {
        self.containers.push(items);
        (self.containers.len() - 1) as u32
    }

    /// Adds to a container.
    pub(super) fn extend(&mut self, number: u32, items: Vec<Value>) {
        self.containers[number as usize].extend(items);
    }

    pub(super) fn add_storage(&mut self, storage: Storage) -> Value {
        self.storages.push(storage);
        Value::Storage((self.storages.len() - 1) as u32)
    }

    pub(super) fn add_tensor(&mut self, tensor: Tensor) -> Value {
        self.tensors.push(tensor);
        Value::Tensor((self.tensors.len() - 1) as u32)
    }

    /// What a tuple or list holds; nothing in anything else.
    pub fn items(&self, value: Value) -> &[Value] {
        match value {
            Value::Tuple(number) | Value::List(number) => &self.containers[number as usize],
            _ => &[],
        }
    }

    /// Keys and values of a dict; none in anything else.
    pub fn pairs(&self, value: Value) -> impl Iterator<Item = (Value, Value)> {
        let items: &[Value] = match value {
            Value::Dict(number) => &self.containers[number as usize],
            _ => &[],
        };
        items.as_chunks().0.iter().map(|&[key, value]| (key, value))
    }

    /// The value of a dict under a text.
    pub fn get(&self, dict: Value, key: &str) -> Option<Value> {
        self.pairs(dict).find(|&(found, _)| self.text(found) == Some(key)).map(|(_, value)| value)
    }

    /// The bytes of a text; none of anything else.
    pub fn bytes_of(&self, value: Value) -> &'a [u8] {
        match value {
            Value::Text(span) => self.span(span),
            _ => &[],
        }
    }

    /// The bytes of a span.
    pub fn span(&self, span: Span) -> &'a [u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// A text that is UTF-8.
    pub fn text(&self, value: Value) -> Option<&'a str> {
        matches!(value, Value::Text(_)).then(|| std::str::from_utf8(self.bytes_of(value)).ok()).flatten()
    }

    /// A storage.
    pub fn storage(&self, value: Value) -> Option<&Storage> {
        if let Value::Storage(number) = value { self.storages.get(number as usize) } else { None }
    }

    /// A tensor.
    pub fn tensor(&self, value: Value) -> Option<&Tensor> {
        if let Value::Tensor(number) = value { self.tensors.get(number as usize) } else { None }
    }

    /// Every storage, as it was named.
    pub fn storages(&self) -> &[Storage] {
        &self.storages
    }
}
