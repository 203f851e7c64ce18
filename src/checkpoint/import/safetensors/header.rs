//! The header of `model.safetensors`: its length in 8 bytes, then JSON that describes the tensors.
//!
//! The format is <https://huggingface.co/docs/safetensors>. The JSON is read as it comes, and only what it describes is
//! kept; offsets have 64 bits in WebAssembly too. docs/own-code.md says why the `safetensors` crate does not read it.

use std::fmt;
use std::io::{Read, Seek};
use std::ops::Range;

use safetensors::Dtype;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::Source;
use crate::checkpoint::tensor_info::Dims;

/// A tensor as the header describes it.
#[derive(Debug)]
pub(in crate::checkpoint) struct Described {
    /// Its name in the file.
    pub name: String,
    /// Type, shape, place.
    pub info: Info,
}

/// Type, shape and place of a tensor.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checkpoint) struct Info {
    pub dtype: Dtype,
    pub shape: Dims,
    /// Begin and end, counted from the beginning of the data.
    pub data_offsets: (u64, u64),
}

/// Reads the header: the tensors that it describes, and the range of the data in the file.
pub(in crate::checkpoint) fn read<R: Read + Seek>(
    source: &mut Source<R>,
) -> Result<(Vec<Described>, Range<u64>), CheckpointError> {
    let length = source.u64(&"header length")?;
    source.claim(&"header", length, 1)?;
    let start = source.offset() + length;
    Ok((parse(source.take(length))?, start..source.length()))
}

/// Reads the JSON behind the header's length: the tensors that it describes.
pub(in crate::checkpoint) fn parse(json: impl Read) -> Result<Vec<Described>, CheckpointError> {
    let mut json = serde_json::Deserializer::from_reader(json);
    let tensors = Tensors::deserialize(&mut json).and_then(|tensors| json.end().map(|()| tensors.0));
    let failed = |source| CheckpointError::Json { part: "the header of model.safetensors, from byte 8", source };
    tensors.map_err(failed)
}

struct Tensors(Vec<Described>);

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TensorsVisitor)
    }
}

struct TensorsVisitor;

impl<'de> Visitor<'de> for TensorsVisitor {
    type Value = Tensors;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object with a description of each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
            } else {
                let info = map.next_value()?;
                tensors.push(Described { name, info });
            }
        }
        Ok(Tensors(tensors))
    }
}

impl<'de> Deserialize<'de> for Dims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(DimsVisitor)
    }
}

struct DimsVisitor;

impl<'de> Visitor<'de> for DimsVisitor {
    type Value = Dims;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("at most 4 sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dims, A::Error> {
        let mut dims = Dims::default();
        while let Some(size) = seq.next_element()? {
            if !dims.push(size) {
                return Err(A::Error::invalid_length(Dims::MOST + 1, &self));
            }
        }
        Ok(dims)
    }
}
