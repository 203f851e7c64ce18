//! The header's grammar: keys with values, then descriptions of tensors.
//!
//! It is walked twice. The first walk stores nothing, so that a false length or count ends in an error before memory is
//! reserved for it. The second walk stores everything, and knows how much there is.

use std::fmt::Display;
use std::io::{Read, Seek};
use std::ops::Range;

use super::super::CheckpointError;
use super::super::source::{Source, room};
use super::super::tensor_info::Dims;
use super::{MAGIC, value};

/// Bytes of the shortest entry: an empty name, and the smallest value.
const LEAST_ENTRY: u64 = 8 + 4 + 1;
const LEAST_TENSOR: u64 = 8 + 4 + 4 + 8;
/// Bytes of a name that messages show.
const SHOWN: u64 = 64;

/// A key and its value.
#[derive(Debug)]
pub(super) struct KeyEntry {
    /// Where the key's letters are.
    pub key: Range<u64>,
    /// Type of the value, one of [`value`]'s.
    pub kind: u32,
    /// Where the value is; an array's value begins with the type and the number of its elements.
    pub value: Range<u64>,
}

/// The description of a tensor.
#[derive(Debug)]
pub(super) struct TensorHeader {
    /// Where the name's letters are.
    pub name: Range<u64>,
    /// Its shape, rows first; GGUF has it in reverse.
    pub dims: Dims,
    /// Number of the elements' dtype.
    pub kind: u32,
    /// Where the tensor begins, counted from the beginning of the data.
    pub offset: u64,
}

/// A whole header.
#[derive(Debug)]
pub(super) struct Header {
    /// The file from its beginning to the header's end.
    pub bytes: Vec<u8>,
    /// Keys with values, in the file's order.
    pub entries: Vec<KeyEntry>,
    /// Tensors, in the file's order.
    pub tensors: Vec<TensorHeader>,
}

/// Reads the header of a file.
pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> Result<Header, CheckpointError> {
    let (mut entries, mut tensors) = (0, 0);
    walk(source, |_| entries += 1, |_| tensors += 1)?;
    let mut bytes = room(&"header", source.offset())?;
    bytes.resize(source.offset() as usize, 0);
    let (mut entries, mut tensors) = (room(&"keys", entries)?, room(&"tensors", tensors)?);
    source.seek(0)?;
    walk(source, |entry| entries.push(entry), |info| tensors.push(info))?;
    source.seek(0)?;
    source.fill(&"header", &mut bytes)?;
    Ok(Header { bytes, entries, tensors })
}

fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    mut entry: impl FnMut(KeyEntry),
    mut tensor: impl FnMut(TensorHeader),
) -> Result<(), CheckpointError> {
    check_version(source)?;
    let tensors = source.u64(&"tensor count")?;
    let entries = source.u64(&"key count")?;
    source.claim(&"keys", entries, LEAST_ENTRY)?;
    for index in 0..entries {
        entry(read_entry(source, index)?);
    }
    source.claim(&"tensors", tensors, LEAST_TENSOR)?;
    for index in 0..tensors {
        tensor(read_info(source, index)?);
    }
    Ok(())
}

fn check_version<R: Read + Seek>(source: &mut Source<R>) -> Result<(), CheckpointError> {
    let mut magic = [0; 4];
    source.fill(&"magic", &mut magic)?;
    if magic != MAGIC {
        return Err(CheckpointError::field(&"magic", 0, "`GGUF`", format!("`{}`", magic.escape_ascii())));
    }
    match source.u32(&"version")? {
        2 | 3 => Ok(()),
        // Version 3, in the other byte order.
        0x0300_0000 => Err(CheckpointError::field(&"version", 4, "a little-endian file", "a big-endian one")),
        other => Err(CheckpointError::field(&"version", 4, "2 or 3", other)),
    }
}

fn read_entry<R: Read + Seek>(source: &mut Source<R>, index: u64) -> Result<KeyEntry, CheckpointError> {
    let (shown, key) = read_name(source, &format_args!("key {index}"))?;
    let kind = source.u32(&format_args!("type of {shown}"))?;
    let start = source.offset();
    skip_value(source, &shown, kind)?;
    Ok(KeyEntry { key, kind, value: start..source.offset() })
}

/// Reads a name: the part that messages show, and the range of all of it.
fn read_name<R: Read + Seek>(
    source: &mut Source<R>,
    field: &dyn Display,
) -> Result<(String, Range<u64>), CheckpointError> {
    let length = source.u64(field)?;
    let start = source.offset();
    source.claim(field, length, 1)?;
    let mut shown = [0; SHOWN as usize];
    let shown = &mut shown[..length.min(SHOWN) as usize];
    source.fill(field, shown)?;
    source.skip(field, length - shown.len() as u64)?;
    Ok((String::from_utf8_lossy(shown).into_owned(), start..source.offset()))
}

fn skip_value<R: Read + Seek>(source: &mut Source<R>, key: &dyn Display, kind: u32) -> Result<(), CheckpointError> {
    match (kind, scalar_size(kind)) {
        (_, Some(size)) => source.skip(key, size),
        (value::STRING, _) => skip_string(source, key),
        (value::ARRAY, _) => skip_array(source, key),
        _ => Err(CheckpointError::field(key, source.offset() - 4, "a type of value from 0 to 12", kind)),
    }
}

fn skip_string<R: Read + Seek>(source: &mut Source<R>, field: &dyn Display) -> Result<(), CheckpointError> {
    let length = source.u64(field)?;
    source.skip(field, length)
}

fn skip_array<R: Read + Seek>(source: &mut Source<R>, key: &dyn Display) -> Result<(), CheckpointError> {
    let kind = source.u32(&format_args!("type of the elements of {key}"))?;
    let count = source.u64(&format_args!("length of {key}"))?;
    if let Some(size) = scalar_size(kind) {
        source.claim(key, count, size)?;
        return source.skip(key, count * size);
    }
    if kind != value::STRING {
        // No known key holds arrays of arrays, and nested arrays could exhaust the stack.
        let expected = "an array of numbers or strings";
        return Err(CheckpointError::field(key, source.offset() - 12, expected, format!("elements of type {kind}")));
    }
    source.claim(key, count, 8)?;
    (0..count).try_for_each(|index| skip_string(source, &format_args!("{key}[{index}]")))
}

/// Bytes of a number or a boolean.
fn scalar_size(kind: u32) -> Option<u64> {
    match kind {
        value::UINT8 | value::INT8 | value::BOOL => Some(1),
        value::UINT16 | value::INT16 => Some(2),
        value::UINT32 | value::INT32 | value::FLOAT32 => Some(4),
        value::UINT64 | value::INT64 | value::FLOAT64 => Some(8),
        _ => None,
    }
}

fn read_info<R: Read + Seek>(source: &mut Source<R>, index: u64) -> Result<TensorHeader, CheckpointError> {
    let (shown, name) = read_name(source, &format_args!("name of tensor {index}"))?;
    let rank = source.u32(&format_args!("rank of {shown}"))?;
    if rank as usize > Dims::MOST {
        let field = format!("rank of {shown}");
        return Err(CheckpointError::field(&field, source.offset() - 4, "at most 4", rank));
    }
    let mut dims = Dims::default();
    for _ in 0..rank {
        dims.push(source.u64(&format_args!("shape of {shown}"))?);
    }
    let kind = source.u32(&format_args!("type of {shown}"))?;
    let offset = source.u64(&format_args!("offset of {shown}"))?;
    Ok(TensorHeader { name, dims: dims.reversed(), kind, offset })
}
