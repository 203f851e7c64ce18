//! The tensors of the chosen files, under the files' names.

use std::io::{Read, Seek};

use super::super::directory::Stored;
use super::super::safetensors::{header, names};
use super::super::source::Source;
use super::super::{CheckpointError, torch};
use super::names::is_buffer;
use super::shards::Chosen;
use super::{Content, ImportError, Named, Part, in_file};

/// What the files say of the weights.
#[derive(Debug)]
pub(super) struct Tensors {
    /// The tensors, but for buffers.
    pub parts: Vec<Part>,
    /// Whole numbers among nanoGPT's `model_args`.
    pub arguments: Vec<(String, u64)>,
    /// Whether they come from safetensors.
    pub is_safetensors: bool,
}

impl Tensors {
    /// Reads the descriptions of the chosen files.
    pub fn read<R: Read + Seek>(files: &mut [Named<R>], chosen: &Chosen) -> Result<Self, ImportError> {
        let is_safetensors = chosen.content == Content::Safetensors;
        let mut tensors = Tensors { parts: Vec::new(), arguments: Vec::new(), is_safetensors };
        for &file in &chosen.files {
            let saved = in_file(files, file, |source| read(chosen.content, source))?;
            tensors.parts.extend(saved.tensors.into_iter().map(|stored| Part { file, stored }));
            tensors.arguments.extend(saved.arguments);
        }
        Ok(tensors)
    }

    /// One of nanoGPT's `model_args`.
    pub fn argument(&self, name: &str) -> Option<u64> {
        self.arguments.iter().find(|(found, _)| found == name).map(|&(_, number)| number)
    }
}

fn read<R: Read + Seek>(content: Content, source: &mut Source<R>) -> Result<torch::Saved, CheckpointError> {
    match content {
        Content::TorchZip => torch::read_zip(source, is_buffer),
        Content::TorchLegacy => torch::read_legacy(source, is_buffer),
        _ => Ok(torch::Saved { tensors: read_safetensors(source)?, arguments: Vec::new() }),
    }
}

fn read_safetensors<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<Stored>, CheckpointError> {
    let (described, data) = header::read(source)?;
    let mut tensors = Vec::new();
    for tensor in described {
        if !is_buffer(&tensor.name) {
            let stored = names::place(tensor, data.start)?;
            if stored.span.end > data.end {
                let (expected, found) = (format!("bytes within {data:?}"), format!("{:?}", stored.span));
                return Err(CheckpointError::field(&format!("place of {}", stored.name), stored.at, expected, found));
            }
            tensors.push(Stored { transposed: false, ..stored });
        }
    }
    Ok(tensors)
}
