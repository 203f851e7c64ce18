//! A GGUF file → configuration, tokenizer, weights.

use std::io::{Read, Seek};

use candle_core::quantized::GgmlDType;

use super::super::directory::{Directory, Stored};
use super::super::layout::{MOST, MOST_LAYERS};
use super::super::source::Source;
use super::super::tensor::Kind;
use super::super::{Checkpoint, CheckpointError};
use super::header::{self, Header, Info};
use super::metadata::Metadata;
use super::{ALIGNMENT, QKV_BIAS, key};
use crate::model::Config;
use crate::model::config::{Activation, Head};
use crate::tokenizer::TokenizerSpec;

/// Reads a GGUF file.
///
/// Costs at most 8 times its header plus the tensors as the model holds them; nothing is reserved for a tensor before all of them have been
/// found to be those that the configuration asks for.
pub fn read<R: Read + Seek>(reader: &mut R) -> Result<Checkpoint, CheckpointError> {
    let mut source = Source::new(reader)?;
    let Outlook { config, tokenizer, directory } = outlook(&mut source, Kinds::Kept)?;
    let weights = directory.load(&config, &mut source)?;
    Ok(Checkpoint { config, tokenizer, weights })
}

/// All that a file says before its tensors are read.
#[derive(Debug)]
pub(in super::super) struct Outlook {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    /// The tensors, not held against the shape yet.
    pub directory: Directory,
}

/// Which types of elements are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kinds {
    /// Those that a model keeps: F32, F16 and Q8_0.
    Kept,
    /// All that candle can make numbers of.
    All,
}

/// Reads the header of a GGUF file.
pub(in super::super) fn outlook<R: Read + Seek>(
    source: &mut Source<R>,
    kinds: Kinds,
) -> Result<Outlook, CheckpointError> {
    let Header { bytes, entries, tensors } = header::read(source)?;
    let metadata = Metadata::new(&bytes, entries)?;
    metadata.need(key::ARCHITECTURE)?.name_of(&["gpt2"])?;
    let mut directory = read_directory(source, &metadata, &bytes, tensors, kinds)?;
    let config = read_config(&metadata, &directory)?;
    if !config.qkv_bias {
        directory.leave_out(|slot| slot.ends_with(QKV_BIAS));
    }
    let tokenizer = read_tokenizer(&metadata, config.vocabulary_size)?;
    Ok(Outlook { config, tokenizer, directory })
}

fn read_directory<R: Read + Seek>(
    source: &Source<R>,
    metadata: &Metadata,
    bytes: &[u8],
    tensors: Vec<Info>,
    kinds: Kinds,
) -> Result<Directory, CheckpointError> {
    let alignment = read_alignment(metadata)?;
    let data = (bytes.len() as u64).next_multiple_of(alignment)..source.length();
    let mut stored = Vec::with_capacity(tensors.len());
    for info in tensors {
        stored.push(place(info, bytes, data.start, alignment, kinds)?);
    }
    Directory::new(stored, data)
}

fn read_alignment(metadata: &Metadata) -> Result<u64, CheckpointError> {
    let Some(value) = metadata.get(key::ALIGNMENT) else { return Ok(ALIGNMENT) };
    let alignment = value.whole(1, 1 << 16)?;
    let is_right = alignment.is_power_of_two();
    if is_right { Ok(alignment) } else { Err(value.wrong("a power of two", alignment)) }
}

/// Where the tensor is in the file.
fn place(info: Info, bytes: &[u8], data: u64, alignment: u64, kinds: Kinds) -> Result<Stored, CheckpointError> {
    let Info { name: span, dims, kind: number, offset } = info;
    let at = span.start;
    let name = match std::str::from_utf8(&bytes[span.start as usize..span.end as usize]) {
        Ok(name) => name.to_string(),
        Err(_) => return Err(CheckpointError::field(&"name of a tensor", at, "UTF-8", "other bytes")),
    };
    let wrong = |field: &str, expected: &str, found: String| {
        Err(CheckpointError::field(&format!("{field} of {name}"), at, expected, found))
    };
    let kind = match number {
        0 => Kind::F32,
        1 => Kind::F16,
        8 => Kind::Q8_0,
        other => match coarse(other).filter(|_| kinds == Kinds::All) {
            Some(dtype) => Kind::Coarse(dtype),
            None if kinds == Kinds::Kept => return wrong("type", "F32, F16 or Q8_0", type_name(other)),
            None => return wrong("type", "a float of 16 or 32 bits, or Q4_0 to Q8_K", type_name(other)),
        },
    };
    let Some(length) = dims.bytes(kind) else {
        let expected = format!("rows of whole blocks of {}, no more than 2^64 bytes", kind.block().0);
        return wrong("shape", &expected, format!("{:?} in {}", dims.as_slice(), type_name(number)));
    };
    if !offset.is_multiple_of(alignment) {
        return wrong("offset", &format!("a multiple of {alignment}"), offset.to_string());
    }
    let end = data.checked_add(offset).and_then(|start| Some((start, start.checked_add(length)?)));
    let Some((start, end)) = end else {
        return wrong("offset", "a place in the file", offset.to_string());
    };
    Ok(Stored { slot: name.clone(), name, at, kind, dims, transposed: false, span: start..end })
}

/// A type that a model does not keep.
fn coarse(number: u32) -> Option<GgmlDType> {
    Some(match number {
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        9 => GgmlDType::Q8_1,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        15 => GgmlDType::Q8K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

/// llama.cpp's name of a type.
fn type_name(number: u32) -> String {
    let name = match number {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        8 => "Q8_0",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
        15 => "Q8_K",
        28 => "F64",
        30 => "BF16",
        _ => return format!("type {number}"),
    };
    name.to_string()
}

fn read_config(metadata: &Metadata, directory: &Directory) -> Result<Config, CheckpointError> {
    let size = |key, most| metadata.need(key)?.whole(1, most).map(|size| size as usize);
    let n_embd = size(key::WIDTH, MOST)?;
    let heads = size(key::HEADS, MOST)?;
    if !n_embd.is_multiple_of(heads) {
        let expected = format!("a divisor of {}, which is {n_embd}", key::WIDTH);
        return Err(metadata.need(key::HEADS)?.wrong(expected, heads));
    }
    Ok(Config {
        layers: size(key::LAYERS, MOST_LAYERS)?,
        heads,
        n_embd,
        n_inner: size(key::HIDDEN, MOST)?,
        context: size(key::CONTEXT, MOST)?,
        vocabulary_size: metadata.need(key::TOKENS)?.string_count(MOST)? as usize,
        layer_norm_epsilon: as_written(metadata.need(key::EPSILON)?.positive()?),
        activation: read_activation(metadata)?,
        head: read_head(metadata, directory)?,
        qkv_bias: metadata.get(key::QKV_BIAS).map_or(Ok(true), |value| value.flag())?,
    })
}

/// The number that people write for this one: 1e-5, not 0.0000099999997….
fn as_written(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn read_activation(metadata: &Metadata) -> Result<Activation, CheckpointError> {
    let place = metadata.get(key::ACTIVATION).map_or(Ok(0), |value| value.name_of(&["gelu_new", "gelu", "relu"]))?;
    Ok([Activation::GeluNew, Activation::Gelu, Activation::Relu][place])
}

fn read_head(metadata: &Metadata, directory: &Directory) -> Result<Head, CheckpointError> {
    let bias = metadata.get(key::HEAD_BIAS).map_or(Ok(false), |value| value.flag())?;
    Ok(if bias || directory.has("output.weight") { Head::Untied { bias } } else { Head::Tied })
}

fn read_tokenizer(metadata: &Metadata, size: usize) -> Result<TokenizerSpec, CheckpointError> {
    metadata.need(key::TOKENIZER)?.name_of(&["gpt2"])?;
    if let Some(value) = metadata.get(key::TOKEN_TYPES) {
        let types = value.integers()?;
        if types != size as u64 {
            return Err(value.wrong(format!("a type for each of the {size} tokens"), types));
        }
    }
    let id = |value: super::metadata::Value| value.whole(0, size as u64 - 1).map(|id| id as u32);
    let end_of_text = metadata.get(key::END_OF_TEXT).map(id).transpose()?;
    let start = match metadata.get(key::START) {
        Some(value) => id(value)?,
        None => end_of_text.ok_or_else(|| CheckpointError::MissingKey { key: key::START.to_string() })?,
    };
    let tokens = metadata.need(key::TOKENS)?.strings()?;
    Ok(TokenizerSpec { tokens, merges: read_merges(metadata)?, start, end_of_text })
}

/// None only where the file says so: a byte-pair tokenizer that lost its merges would write nonsense.
fn read_merges(metadata: &Metadata) -> Result<Vec<String>, CheckpointError> {
    let merges = metadata.get(key::MERGES).map_or(Ok(Vec::new()), |value| value.strings())?;
    if merges.is_empty() {
        metadata.need(key::VOCABULARY)?.name_of(&["characters"])?;
    } else if let Some(value) = metadata.get(key::VOCABULARY) {
        return Err(value.wrong("no such key beside merges", format!("it and {} merges", merges.len())));
    }
    Ok(merges)
}
