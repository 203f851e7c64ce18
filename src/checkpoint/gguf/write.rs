//! Writes configuration, tokenizer and weights as a GGUF file.

use std::io::Write;

use candle_core::Device;
use candle_core::quantized::GgmlDType;

use super::super::precision::Precision;
use super::super::{Checkpoint, CheckpointError, elements, layout};
use super::{ALIGNMENT, MAGIC, QKV_BIAS, VERSION, key, value};
use crate::model::Config;
use crate::model::Weight;
use crate::model::config::{Activation, Head};
use crate::tokenizer::TokenizerSpec;

/// A tensor to write: everything that the header says of it.
#[derive(Debug)]
pub(in super::super) struct TensorSpec {
    /// GGUF's name.
    pub name: String,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
    /// The dtype of its elements: F32, F16 or Q8_0.
    pub dtype: GgmlDType,
}

impl TensorSpec {
    /// Bytes of the tensor.
    pub fn bytes(&self) -> u64 {
        let elements = self.shape.iter().map(|&size| size as u64).product::<u64>();
        elements / self.dtype.block_size() as u64 * self.dtype.type_size() as u64
    }
}

/// A file's header, and where each tensor goes.
#[derive(Debug)]
pub(in super::super) struct FileLayout {
    /// The file's bytes up to the first tensor.
    pub header: Vec<u8>,
    /// Where each tensor begins, from the file's beginning.
    pub starts: Vec<u64>,
    /// Bytes of the whole file.
    pub length: u64,
}

/// Writes a checkpoint that is in memory; each tensor keeps its dtype. `name` becomes `general.name`.
pub fn write(checkpoint: &Checkpoint, name: &str, writer: &mut impl Write) -> Result<(), CheckpointError> {
    write_as(checkpoint, None, name, writer)
}

/// The same in this precision, if one is given: the bytes of [`to_gguf`](crate::checkpoint::import::to_gguf).
pub fn write_as(
    checkpoint: &Checkpoint,
    precision: Option<Precision>,
    name: &str,
    writer: &mut impl Write,
) -> Result<(), CheckpointError> {
    let Checkpoint { config, tokenizer, weights } = checkpoint;
    let spec = |(name, shape): (String, Vec<usize>)| {
        let own = weights.get(&name).map_or(GgmlDType::F32, Weight::dtype);
        let dtype = precision.map_or(own, |precision| precision.dtype(&name, &shape));
        TensorSpec { name, shape, dtype }
    };
    let tensors: Vec<TensorSpec> = layout::written(config).map(spec).collect();
    writer.write_all(&lay_out(config, tokenizer, name, &tensors)?.header)?;
    for tensor in tensors {
        let failed = |source| CheckpointError::tensor(&tensor.name, source);
        let mut bytes = match weights.get(&tensor.name) {
            Some(weight) if weight.dtype() == tensor.dtype => weight.to_bytes().map_err(failed)?,
            Some(weight) => {
                let numbers = weight.dequantize(&Device::Cpu).and_then(|numbers| numbers.flatten_all()?.to_vec1());
                elements::encode(&tensor.name, tensor.dtype, &numbers.map_err(failed)?)?
            }
            None if tensor.name.ends_with(QKV_BIAS) && !config.qkv_bias => vec![0; tensor.bytes() as usize],
            None => return Err(CheckpointError::Missing { name: tensor.name }),
        };
        pad(&mut bytes);
        writer.write_all(&bytes)?;
    }
    Ok(writer.flush()?)
}

/// Makes the header of a file with these tensors, in this order, and finds where each goes. Zeros fill the gaps between
/// them.
pub(in super::super) fn lay_out(
    config: &Config,
    tokenizer: &TokenizerSpec,
    name: &str,
    tensors: &[TensorSpec],
) -> Result<FileLayout, CheckpointError> {
    let mut keys = KeyWriter::default();
    write_general(&mut keys, name, tensors);
    write_config(&mut keys, config);
    write_tokenizer(&mut keys, tokenizer);
    let mut header = Vec::new();
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend(keys.count.to_le_bytes());
    header.append(&mut keys.bytes);
    let (mut starts, mut length) = (Vec::with_capacity(tensors.len()), 0);
    for tensor in tensors {
        write_info(&mut header, tensor, length)?;
        starts.push(length);
        length += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    pad(&mut header);
    let data = header.len() as u64;
    starts.iter_mut().for_each(|start| *start += data);
    Ok(FileLayout { header, starts, length: data + length })
}

fn write_general(keys: &mut KeyWriter, name: &str, tensors: &[TensorSpec]) {
    let has = |dtype| tensors.iter().any(|tensor| tensor.dtype == dtype);
    // llama.cpp's LLAMA_FTYPE: the dtype of most of the file.
    let file_type = if has(GgmlDType::Q8_0) { 7 } else { u32::from(has(GgmlDType::F16)) };
    keys.string(key::ARCHITECTURE, "gpt2");
    keys.string(key::NAME, name);
    keys.u32(key::FILE_TYPE, file_type);
    keys.u32(key::QUANTIZATION_VERSION, 2);
    keys.u32(key::ALIGNMENT, ALIGNMENT as u32);
}

fn write_config(keys: &mut KeyWriter, config: &Config) {
    keys.u32(key::CONTEXT, config.context as u32);
    keys.u32(key::WIDTH, config.n_embd as u32);
    keys.u32(key::HIDDEN, config.n_inner as u32);
    keys.u32(key::LAYERS, config.layers as u32);
    keys.u32(key::HEADS, config.heads as u32);
    keys.f32(key::EPSILON, config.layer_norm_epsilon as f32);
    if config.activation != Activation::GeluNew {
        keys.string(key::ACTIVATION, config.activation.name());
    }
    if !config.qkv_bias {
        keys.flag(key::QKV_BIAS, false);
    }
    if config.head == (Head::Untied { bias: true }) {
        keys.flag(key::HEAD_BIAS, true);
    }
}

fn write_tokenizer(keys: &mut KeyWriter, tokenizer: &TokenizerSpec) {
    let TokenizerSpec { tokens, merges, start, end_of_text } = tokenizer;
    // llama.cpp's token types: 1 is text, 3 a control token.
    let kind = |id| if Some(id) == *end_of_text { 3 } else { 1 };
    keys.string(key::TOKENIZER, "gpt2");
    keys.string(key::PRETOKENIZER, "gpt-2");
    keys.strings(key::TOKENS, tokens);
    keys.integers(key::TOKEN_TYPES, (0..tokens.len() as u32).map(kind));
    keys.strings(key::MERGES, merges);
    keys.u32(key::START, *start);
    if let Some(id) = *end_of_text {
        keys.u32(key::END_OF_TEXT, id);
    }
    if merges.is_empty() {
        keys.string(key::VOCABULARY, "characters");
    }
}

/// Writes the description of a tensor. `offset` is where the tensor begins, counted from the beginning of the data.
fn write_info(header: &mut Vec<u8>, tensor: &TensorSpec, offset: u64) -> Result<(), CheckpointError> {
    put_string(header, &tensor.name);
    header.extend((tensor.shape.len() as u32).to_le_bytes());
    tensor.shape.iter().rev().for_each(|&size| header.extend((size as u64).to_le_bytes()));
    header.extend(type_number(tensor)?.to_le_bytes());
    header.extend(offset.to_le_bytes());
    Ok(())
}

fn type_number(tensor: &TensorSpec) -> Result<u32, CheckpointError> {
    match tensor.dtype {
        GgmlDType::F32 => Ok(0),
        GgmlDType::F16 => Ok(1),
        GgmlDType::Q8_0 => Ok(8),
        other => {
            let told = format!("expected F32, F16 or Q8_0, found {other:?}");
            Err(CheckpointError::tensor(&tensor.name, candle_core::Error::Msg(told)))
        }
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Keys with values, in the order in which they were added.
#[derive(Default)]
struct KeyWriter {
    bytes: Vec<u8>,
    count: u64,
}

impl KeyWriter {
    fn put(&mut self, key: &str, kind: u32) -> &mut Vec<u8> {
        self.count += 1;
        put_string(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
        &mut self.bytes
    }

    fn array(&mut self, key: &str, kind: u32, count: usize) -> &mut Vec<u8> {
        let bytes = self.put(key, value::ARRAY);
        bytes.extend(kind.to_le_bytes());
        bytes.extend((count as u64).to_le_bytes());
        bytes
    }

    fn u32(&mut self, key: &str, number: u32) {
        self.put(key, value::UINT32).extend(number.to_le_bytes());
    }

    fn f32(&mut self, key: &str, number: f32) {
        self.put(key, value::FLOAT32).extend(number.to_le_bytes());
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.put(key, value::BOOL).push(u8::from(flag));
    }

    fn string(&mut self, key: &str, text: &str) {
        put_string(self.put(key, value::STRING), text);
    }

    fn strings(&mut self, key: &str, texts: &[String]) {
        let bytes = self.array(key, value::STRING, texts.len());
        texts.iter().for_each(|text| put_string(bytes, text));
    }

    fn integers(&mut self, key: &str, numbers: impl ExactSizeIterator<Item = i32>) {
        let bytes = self.array(key, value::INT32, numbers.len());
        numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
    }
}
