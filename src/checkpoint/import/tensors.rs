//! Reads the descriptions of the tensors in the chosen files, under the files' names.

use std::io::{Read, Seek};
use std::ops::Range;

use super::names::is_buffer;
use super::safetensors::header::{self, Described};
use super::safetensors::names;
use super::shards::FoundModel;
use super::torch;
use super::{Content, ImportError, Named, TensorPart, in_file};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::Source;
use crate::checkpoint::tensor_info::TensorInfo;

/// What the files say about the weights.
#[derive(Debug)]
pub(super) struct FileTensors {
    /// The tensors, without buffers.
    pub parts: Vec<TensorPart>,
    /// Integers among nanoGPT's `model_args`.
    pub arguments: Vec<(String, u64)>,
    /// Whether the files are safetensors.
    pub is_safetensors: bool,
}

impl FileTensors {
    /// Reads the descriptions of these files.
    pub fn read<R: Read + Seek>(files: &mut [Named<R>], weights: &FoundModel) -> Result<Self, ImportError> {
        let is_safetensors = weights.content == Content::Safetensors;
        let mut tensors = FileTensors { parts: Vec::new(), arguments: Vec::new(), is_safetensors };
        for &file in &weights.files {
            let saved = in_file(files, file, |source| read(weights.content, source))?;
            tensors.parts.extend(saved.tensors.into_iter().map(|info| TensorPart { file, info }));
            tensors.arguments.extend(saved.arguments);
        }
        Ok(tensors)
    }

    /// One of nanoGPT's `model_args`.
    pub fn argument(&self, name: &str) -> Option<u64> {
        self.arguments.iter().find(|(found, _)| found == name).map(|&(_, number)| number)
    }
}

fn read<R: Read + Seek>(content: Content, source: &mut Source<R>) -> Result<torch::TorchFile, CheckpointError> {
    match content {
        Content::TorchZip => torch::read_zip(source, is_buffer),
        Content::TorchLegacy => torch::read_legacy(source, is_buffer),
        _ => Ok(torch::TorchFile { tensors: read_safetensors(source)?, arguments: Vec::new() }),
    }
}

fn read_safetensors<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<TensorInfo>, CheckpointError> {
    let (described, data) = header::read(source)?;
    place_all(described, &data)
}

/// The tensors of a safetensors file, without buffers. `data` is the range of the data in the file.
pub(super) fn place_all(described: Vec<Described>, data: &Range<u64>) -> Result<Vec<TensorInfo>, CheckpointError> {
    let mut tensors = Vec::new();
    for tensor in described {
        if !is_buffer(&tensor.name) {
            let info = names::place(tensor, data.start)?;
            info.check_end(data.end)?;
            tensors.push(info);
        }
    }
    Ok(tensors)
}
