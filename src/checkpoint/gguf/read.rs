//! Reads configuration, tokenizer and weights from a GGUF file.

use std::io::{Read, Seek};

use candle_core::quantized::GgmlDType;

use super::super::decimal::shortest;
use super::super::layout::{MOST, MOST_LAYERS};
use super::super::source::Source;
use super::super::tensor_info::TensorInfo;
use super::super::{Checkpoint, CheckpointError};
use super::header::{self, Header, TensorHeader};
use super::metadata::Metadata;
use super::tensor_infos::TensorInfos;
use super::{ALIGNMENT, QKV_BIAS, key, weights};
use crate::model::config::{Activation, Head};
use crate::model::{Config, Share, Weights};
use crate::tokenizer::TokenizerSpec;

/// Reads a GGUF file, or of each tensor the rows of a member of a team.
pub fn read<R: Read + Seek>(reader: &mut R, share: Share) -> Result<Checkpoint, CheckpointError> {
    Contents::of(reader)?.read(reader, share)
}

/// Everything that a file says before its tensors' data.
#[derive(Debug)]
pub struct Contents {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    /// The tensors that the configuration asks for, each with its shape, in the order of a file.
    pub(in super::super) tensors: Vec<(TensorInfo, Vec<usize>)>,
}

impl Contents {
    /// Reads the header of a GGUF file whose tensors a model runs with.
    pub fn of<R: Read + Seek>(reader: &mut R) -> Result<Self, CheckpointError> {
        read_contents(&mut Source::new(reader)?, DTypes::Run)
    }

    /// Reads the tensors of that file, or of each tensor the rows of a member of a team.
    ///
    /// Memory is at most 8 times the header plus the tensors as the model holds them. Nothing is reserved for tensors
    /// before all of them are known to be those that the configuration asks for.
    pub fn read<R: Read + Seek>(self, reader: &mut R, share: Share) -> Result<Checkpoint, CheckpointError> {
        let (Contents { config, tokenizer, tensors }, mut source) = (self, Source::new(reader)?);
        let mut read = Weights::default();
        for (info, shape) in tensors {
            let rows = share.rows(&config, &info.name, shape[0]);
            read.put(&info.name, weights::read(&info, &shape, &rows, &mut source)?)?;
        }
        Ok(Checkpoint { config, tokenizer, weights: read })
    }
}

/// Which dtypes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum DTypes {
    /// Those that a model runs with: F32, F16 and Q8_0.
    Run,
    /// Those that candle can decode.
    All,
}

/// Reads the header of a GGUF file.
pub(in super::super) fn read_contents<R: Read + Seek>(
    source: &mut Source<R>,
    dtypes: DTypes,
) -> Result<Contents, CheckpointError> {
    let Header { bytes, entries, tensors } = header::read(source)?;
    let metadata = Metadata::new(&bytes, entries)?;
    metadata.need(key::ARCHITECTURE)?.name_of(&["gpt2"])?;
    let mut infos = read_infos(source, &metadata, &bytes, tensors, dtypes)?;
    let config = read_config(&metadata, &infos)?;
    if !config.qkv_bias {
        infos.leave_out(|name| name.ends_with(QKV_BIAS));
    }
    let tokenizer = read_tokenizer(&metadata, config.vocabulary_size)?;
    let tensors = infos.into_shaped(&config)?;
    Ok(Contents { config, tokenizer, tensors })
}

fn read_infos<R: Read + Seek>(
    source: &Source<R>,
    metadata: &Metadata,
    bytes: &[u8],
    tensors: Vec<TensorHeader>,
    dtypes: DTypes,
) -> Result<TensorInfos, CheckpointError> {
    let alignment = read_alignment(metadata)?;
    let data = (bytes.len() as u64).next_multiple_of(alignment)..source.length();
    let mut infos = Vec::with_capacity(tensors.len());
    for info in tensors {
        infos.push(place(info, bytes, data.start, alignment, dtypes)?);
    }
    TensorInfos::new(infos, data)
}

fn read_alignment(metadata: &Metadata) -> Result<u64, CheckpointError> {
    let Some(value) = metadata.get(key::ALIGNMENT) else { return Ok(ALIGNMENT) };
    let alignment = value.whole(1, 1 << 16)?;
    let is_right = alignment.is_power_of_two();
    if is_right { Ok(alignment) } else { Err(value.wrong("a power of two", alignment)) }
}

/// Where the tensor is in the file.
fn place(
    info: TensorHeader,
    bytes: &[u8],
    data: u64,
    alignment: u64,
    dtypes: DTypes,
) -> Result<TensorInfo, CheckpointError> {
    let TensorHeader { name: span, dims, kind: number, offset } = info;
    let at = span.start;
    let name = match std::str::from_utf8(&bytes[span.start as usize..span.end as usize]) {
        Ok(name) => name.to_string(),
        Err(_) => return Err(CheckpointError::field(&"name of a tensor", at, "UTF-8", "other bytes")),
    };
    let wrong = |field: &str, expected: &str, found: String| {
        Err(CheckpointError::field(&format!("{field} of {name}"), at, expected, found))
    };
    let runs = |dtype: &GgmlDType| matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::Q8_0);
    let dtype = match dtype(number).filter(|dtype| dtypes == DTypes::All || runs(dtype)) {
        Some(dtype) => dtype,
        None if dtypes == DTypes::Run => return wrong("type", "F32, F16 or Q8_0", type_name(number)),
        None => return wrong("type", "a float of 16 or 32 bits, or Q4_0 to Q8_K", type_name(number)),
    };
    let Some(length) = dims.bytes(dtype) else {
        let expected = format!("rows of whole blocks of {}, no more than 2^64 bytes", dtype.block_size());
        return wrong("shape", &expected, format!("{:?} in {}", dims.as_slice(), type_name(number)));
    };
    if !offset.is_multiple_of(alignment) {
        return wrong("offset", &format!("a multiple of {alignment}"), offset.to_string());
    }
    let end = data.checked_add(offset).and_then(|start| Some((start, start.checked_add(length)?)));
    let Some((start, end)) = end else {
        return wrong("offset", "a place in the file", offset.to_string());
    };
    Ok(TensorInfo { name, at, dtype, dims, transposed: false, span: start..end })
}

/// llama.cpp's dtypes: number, name, and candle's dtype, if it has one.
const TYPES: [(u32, &str, Option<GgmlDType>); 16] = [
    (0, "F32", Some(GgmlDType::F32)),
    (1, "F16", Some(GgmlDType::F16)),
    (2, "Q4_0", Some(GgmlDType::Q4_0)),
    (3, "Q4_1", Some(GgmlDType::Q4_1)),
    (6, "Q5_0", Some(GgmlDType::Q5_0)),
    (7, "Q5_1", Some(GgmlDType::Q5_1)),
    (8, "Q8_0", Some(GgmlDType::Q8_0)),
    (9, "Q8_1", Some(GgmlDType::Q8_1)),
    (10, "Q2_K", Some(GgmlDType::Q2K)),
    (11, "Q3_K", Some(GgmlDType::Q3K)),
    (12, "Q4_K", Some(GgmlDType::Q4K)),
    (13, "Q5_K", Some(GgmlDType::Q5K)),
    (14, "Q6_K", Some(GgmlDType::Q6K)),
    (15, "Q8_K", Some(GgmlDType::Q8K)),
    (28, "F64", None),
    (30, "BF16", Some(GgmlDType::BF16)),
];

fn dtype(number: u32) -> Option<GgmlDType> {
    TYPES.iter().find(|(known, ..)| *known == number)?.2
}

fn type_name(number: u32) -> String {
    TYPES
        .iter()
        .find(|(known, ..)| *known == number)
        .map_or_else(|| format!("type {number}"), |(_, name, _)| name.to_string())
}

fn read_config(metadata: &Metadata, infos: &TensorInfos) -> Result<Config, CheckpointError> {
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
        layer_norm_epsilon: shortest(metadata.need(key::EPSILON)?.positive()?),
        activation: read_activation(metadata)?,
        head: read_head(metadata, infos)?,
        qkv_bias: metadata.get(key::QKV_BIAS).map_or(Ok(true), |value| value.flag())?,
    })
}

fn read_activation(metadata: &Metadata) -> Result<Activation, CheckpointError> {
    let names = Activation::NAMES.map(|(name, _)| name);
    let place = metadata.get(key::ACTIVATION).map_or(Ok(0), |value| value.name_of(&names))?;
    Ok(Activation::NAMES[place].1)
}

fn read_head(metadata: &Metadata, infos: &TensorInfos) -> Result<Head, CheckpointError> {
    let bias = metadata.get(key::HEAD_BIAS).map_or(Ok(false), |value| value.flag())?;
    Ok(if bias || infos.has("output.weight") { Head::Untied { bias } } else { Head::Tied })
}

fn read_tokenizer(metadata: &Metadata, size: usize) -> Result<TokenizerSpec, CheckpointError> {
    metadata.need(key::TOKENIZER)?.name_of(&["gpt2"])?;
    if let Some(value) = metadata.get(key::TOKEN_TYPES) {
        let types = value.integers()?;
        if types != size as u64 {
            return Err(value.wrong(format!("a type for each of the {size} tokens"), types));
        }
    }
    let id = |value: super::metadata::MetadataValue| value.whole(0, size as u64 - 1).map(|id| id as u32);
    let end_of_text = metadata.get(key::END_OF_TEXT).map(id).transpose()?;
    let start = match metadata.get(key::START) {
        Some(value) => id(value)?,
        None => end_of_text.ok_or_else(|| CheckpointError::MissingKey { key: key::START.to_string() })?,
    };
    let tokens = metadata.need(key::TOKENS)?.strings()?;
    Ok(TokenizerSpec { tokens, merges: read_merges(metadata)?, start, end_of_text })
}

/// The merges. The list may be empty only where the file says that the model is one of characters: a byte-pair
/// tokenizer without its merges would write nonsense.
fn read_merges(metadata: &Metadata) -> Result<Vec<String>, CheckpointError> {
    let merges = metadata.get(key::MERGES).map_or(Ok(Vec::new()), |value| value.strings())?;
    if merges.is_empty() {
        metadata.need(key::VOCABULARY)?.name_of(&["characters"])?;
    } else if let Some(value) = metadata.get(key::VOCABULARY) {
        return Err(value.wrong("no such key beside merges", format!("it and {} merges", merges.len())));
    }
    Ok(merges)
}
