//! Reads what `torch.save` writes: a pickle that describes tensors, and their elements in storages beside it.
//!
//! Since torch 1.6 the file is a zip archive with an entry for each storage. Before, pickles and storages followed each
//! other ([`legacy`]). In both, the descriptions are read whole, and of the elements only those of the model's tensors.

mod legacy;
pub(super) mod pickle;
pub(super) mod zip;

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::ops::Range;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::{Source, room};
use crate::checkpoint::tensor_info::Dims;
use crate::checkpoint::tensor_info::TensorInfo;
use legacy::Legacy;
use pickle::{MOST_BYTES, PickledTensor, PickledValue, PickledValues, Storage};
use zip::Archive;

/// Keys under which checkpoints nest the state dict: nanoGPT's, then those of other training programs. Without any of
/// them, the object is the state dict.
const STATE_DICTS: [&str; 3] = ["model", "model_state_dict", "state_dict"];
/// The key under which nanoGPT keeps the model's shape.
const ARGUMENTS: &str = "model_args";

/// Bytes that are read at first from a file in the old format, to find its pickles in.
const FIRST: u64 = 64 << 10;

/// What a file says about a model.
#[derive(Debug)]
pub(super) struct TorchFile {
    /// Its tensors, under the file's names. `transposed` is set only where the strides of torch's tensor say so.
    pub tensors: Vec<TensorInfo>,
    /// Integers among nanoGPT's `model_args`.
    pub arguments: Vec<(String, u64)>,
}

/// Where the file keeps its storages.
enum Storages {
    Zip { archive: Archive, prefix: String },
    Legacy(Legacy),
}

/// Whether a file that begins so has the format from before torch 1.6.
pub(super) fn is_legacy(beginning: &[u8]) -> bool {
    beginning.starts_with(&legacy::MAGIC)
}

/// Reads a zip file. Leaves out the tensors for which `is_buffer` holds.
pub(super) fn read_zip<R: Read + Seek>(
    source: &mut Source<R>,
    is_buffer: impl Fn(&str) -> bool,
) -> Result<TorchFile, CheckpointError> {
    let archive = Archive::read(source)?;
    let Some(prefix) = archive.prefix_of("data.pkl").map(str::to_string) else {
        return Err(CheckpointError::field(&"zip directory", 0, "one entry data.pkl, as torch writes", "none or more"));
    };
    check_order(&archive, &prefix, source)?;
    let span = archive.find(&format!("{prefix}data.pkl"), source)?.unwrap_or_default();
    let bytes = read_pickle(span.clone(), source)?;
    let (values, _) = pickle::read(&bytes, span.start)?;
    saved(&values, &Storages::Zip { archive, prefix }, source, is_buffer)
}

/// Reads a file in the format from before torch 1.6.
pub(super) fn read_legacy<R: Read + Seek>(
    source: &mut Source<R>,
    is_buffer: impl Fn(&str) -> bool,
) -> Result<TorchFile, CheckpointError> {
    let most = source.length().min(MOST_BYTES);
    let mut length = most.min(FIRST);
    loop {
        let bytes = read_pickle(0..length, source)?;
        match legacy::read(&bytes, source) {
            // The file does not say how long the pickles are.
            Err(CheckpointError::Truncated { .. }) if length < most => length = most.min(2 * length),
            read => {
                let (values, storages) = read?;
                return saved(&values, &Storages::Legacy(storages), source, is_buffer);
            }
        }
    }
}

/// The bytes of one pickle or more.
pub(super) fn read_pickle<R: Read + Seek>(
    span: Range<u64>,
    source: &mut Source<R>,
) -> Result<Vec<u8>, CheckpointError> {
    let length = span.end - span.start;
    if length > MOST_BYTES {
        return Err(CheckpointError::field(&"pickle", span.start, format!("at most {MOST_BYTES} bytes"), length));
    }
    let mut bytes = room(&"pickle", length)?;
    bytes.resize(length as usize, 0);
    source.seek(span.start)?;
    source.fill(&"pickle", &mut bytes)?;
    Ok(bytes)
}

/// Fails if the file says that its elements are not little-endian, as they are read.
fn check_order<R: Read + Seek>(archive: &Archive, prefix: &str, source: &mut Source<R>) -> Result<(), CheckpointError> {
    let Some(span) = archive.find(&format!("{prefix}byteorder"), source)? else { return Ok(()) };
    let mut order = [0; 6];
    let order = &mut order[..(span.end - span.start).min(6) as usize];
    source.seek(span.start)?;
    source.fill(&"byteorder", order)?;
    match order == b"little" {
        true => Ok(()),
        false => Err(CheckpointError::field(&"byteorder", span.start, "`little`", order.escape_ascii())),
    }
}

fn saved<R: Read + Seek>(
    values: &PickledValues,
    storages: &Storages,
    source: &mut Source<R>,
    is_buffer: impl Fn(&str) -> bool,
) -> Result<TorchFile, CheckpointError> {
    let inner = STATE_DICTS.iter().filter_map(|key| values.get(values.root, key));
    let dict = inner.into_iter().find(|value| matches!(value, PickledValue::Dict(_))).unwrap_or(values.root);
    let (mut tensors, mut names) = (Vec::new(), BTreeSet::new());
    for (key, value) in values.pairs(dict) {
        let (Some(name), Some(tensor)) = (values.text(key), values.tensor(value)) else { continue };
        if !names.insert(name) {
            return Err(CheckpointError::Duplicate { name: name.to_string() });
        }
        if !is_buffer(name) {
            tensors.push(place(name, &tensor, values, storages, source)?);
        }
    }
    Ok(TorchFile { tensors, arguments: arguments(values) })
}

fn arguments(values: &PickledValues) -> Vec<(String, u64)> {
    let Some(arguments) = values.get(values.root, ARGUMENTS) else { return Vec::new() };
    let whole = |(key, value)| Some((values.text(key)?.to_string(), u64::try_from(values.int(value)?).ok()?));
    values.pairs(arguments).filter_map(whole).collect()
}

/// Where a tensor's elements are in the file.
fn place<R: Read + Seek>(
    name: &str,
    tensor: &PickledTensor,
    values: &PickledValues,
    storages: &Storages,
    source: &mut Source<R>,
) -> Result<TensorInfo, CheckpointError> {
    let &PickledTensor { at, storage, offset, .. } = tensor;
    let wrong = |field: &str, expected: String, found: String| {
        Err(CheckpointError::field(&format!("{field} of {name}"), at, expected, found))
    };
    let dtype = match storage.element.dtype() {
        Ok(dtype) => dtype,
        Err(found) => return wrong("dtype", "float32, float16 or bfloat16".to_string(), found.to_string()),
    };
    let Some((dims, transposed)) = order(tensor) else {
        let PickledTensor { dims, strides, .. } = tensor;
        let found = format!("{:?} for {:?}", strides.as_slice(), dims.as_slice());
        return wrong("strides", "rows or columns one behind the other".to_string(), found);
    };
    let size = storage.element.size();
    let within = |bytes: u64| Some(offset.checked_mul(size)?..offset.checked_mul(size)?.checked_add(bytes)?);
    let bounds = storage.count.checked_mul(size);
    let inner = dims.bytes(dtype).and_then(within).filter(|inner| bounds.is_some_and(|end| inner.end <= end));
    let (Some(inner), Some(bounds)) = (inner, bounds) else {
        let expected = format!("a shape that fits the storage's {} elements", storage.count);
        return wrong("shape", expected, format!("{:?} from element {offset} on", dims.as_slice()));
    };
    let span = storages.find(&storage, values, source)?;
    if span.end - span.start < bounds {
        return wrong("storage", format!("{bounds} bytes"), (span.end - span.start).to_string());
    }
    let span = span.start + inner.start..span.start + inner.end;
    Ok(TensorInfo { name: name.to_string(), at, dtype, dims, transposed, span })
}

/// The shape in the order of the file, and whether torch has it transposed. `None` where the elements are not
/// contiguous in either order.
fn order(tensor: &PickledTensor) -> Option<(Dims, bool)> {
    let PickledTensor { dims, strides, .. } = tensor;
    let follows = |sizes: &[u64], strides: &[u64]| {
        let mut next = Some(1u64);
        sizes.iter().zip(strides).rev().all(|(&size, &stride)| {
            let is_right = size == 1 || Some(stride) == next;
            next = next.and_then(|next| next.checked_mul(size));
            is_right
        })
    };
    let (turned, back) = (dims.reversed(), strides.reversed());
    if follows(dims.as_slice(), strides.as_slice()) {
        Some((*dims, false))
    } else if dims.as_slice().len() == 2 && follows(turned.as_slice(), back.as_slice()) {
        Some((turned, true))
    } else {
        None
    }
}

impl Storages {
    /// The range of a storage's bytes.
    fn find<R: Read + Seek>(
        &self,
        storage: &Storage,
        values: &PickledValues,
        source: &mut Source<R>,
    ) -> Result<Range<u64>, CheckpointError> {
        let key = String::from_utf8_lossy(values.bytes_of(storage.key)).into_owned();
        let found = match self {
            Storages::Zip { archive, prefix } => archive.find(&format!("{prefix}data/{key}"), source)?,
            Storages::Legacy(legacy) => legacy.find(values.bytes_of(storage.key)),
        };
        found.ok_or_else(|| CheckpointError::Missing { name: format!("storage {}", key.escape_debug()) })
    }
}
