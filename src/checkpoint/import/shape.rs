//! Finds the configuration, from what the files say and from the shapes of the tensors.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::parts::{NamedBy, Parts};
use super::safetensors::config::HuggingFaceConfig;
use super::tensors::FileTensors;
use super::{ImportError, ModelTensor, Named, Pause, TensorPart, in_file};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::layout::{self, MOST, MOST_LAYERS};
use crate::checkpoint::tensor_info::{TensorInfo, check_spans};
use crate::model::Config;
use crate::model::config::{Activation, Head};

/// Bytes of two tensors that are compared in one step.
const COMPARED: u64 = 64 << 10;

/// Length of a head in all of OpenAI's sizes. The shapes of the tensors do not show it.
const HEAD_DIM: usize = 64;

/// A configuration, and the tensors that it was found from.
#[derive(Debug)]
pub(super) struct Shape {
    /// The configuration without the heads; every row of the embedding counts as a token.
    pub config: Config,
    /// The number of heads, if anything shows it.
    pub heads: Option<usize>,
    /// The program that made the files, as people know it.
    pub source: &'static str,
    /// How the tensors are named and turned.
    pub layout: NamedBy,
    parts: Parts,
}

impl Shape {
    /// Infers the configuration.
    pub async fn of<R: Read + Seek>(
        tensors: FileTensors,
        said: Option<&HuggingFaceConfig>,
        files: &mut [Named<R>],
        pause: Pause<'_>,
    ) -> Result<Self, ImportError> {
        let heads = tensors.argument("n_head").map(|heads| heads as usize);
        let is_safetensors = tensors.is_safetensors;
        let parts = Parts::new(tensors.parts)?;
        let said = said.map(|said| said.config(parts.has("output.bias"), parts.any_ends_with(".attn_qkv.bias")));
        let head = match &said {
            Some(config) => config.head,
            None => find_head(&parts, files, pause).await?,
        };
        let shape = Shape::told(parts, said, head, is_safetensors)?;
        Ok(Shape { heads: shape.heads.or(heads), ..shape })
    }

    /// The shape that `config.json` gives, or else the one that the tensors show.
    fn told(mut parts: Parts, said: Option<Config>, head: Head, is_safetensors: bool) -> Result<Self, CheckpointError> {
        let qkv_bias = parts.any_ends_with(".attn_qkv.bias");
        if head == Head::Tied {
            parts.take("output.weight");
        }
        let told = Config { head, qkv_bias, ..tell(&parts)? };
        let layout = parts.layout;
        let heads = said.as_ref().map(|config| config.heads).or(parts.heads);
        let source = match (layout, is_safetensors) {
            (NamedBy::HuggingFace, true) => "Hugging Face, safetensors",
            (NamedBy::HuggingFace, false) => "Hugging Face, torch",
            (NamedBy::NanoGpt, _) => "nanoGPT",
            (NamedBy::Lecture, _) => "the lecture's GPT",
        };
        Ok(Shape { config: said.unwrap_or(told), heads, source, layout, parts })
    }

    /// The shape of one of OpenAI's models, from the tensors of its safetensors file. The head is tied, and every head
    /// has 64 numbers.
    pub fn of_openai(infos: Vec<TensorInfo>) -> Result<Self, CheckpointError> {
        let parts = infos.into_iter().map(|info| TensorPart { file: 0, info }).collect();
        let shape = Shape::told(Parts::new(parts)?, None, Head::Tied, true)?;
        let n_embd = shape.config.n_embd;
        if !n_embd.is_multiple_of(HEAD_DIM) {
            let expected = format!("a multiple of {HEAD_DIM}, the length of a head");
            return Err(CheckpointError::field(&"width", 0, expected, n_embd));
        }
        Ok(Shape { heads: Some(n_embd / HEAD_DIM), ..shape })
    }

    /// The model's tensors. `config` may have fewer tokens than the embedding has rows.
    pub fn tensors(mut self, config: &Config) -> Result<Vec<ModelTensor>, CheckpointError> {
        let rows = self.config.vocabulary_size;
        let mut tensors = Vec::new();
        for (name, shape) in layout::tensors(config) {
            let stored: Vec<usize> = match name.as_str() {
                "token_embd.weight" | "output.weight" | "output.bias" => {
                    std::iter::once(rows).chain(shape[1..].iter().copied()).collect()
                }
                _ => shape.clone(),
            };
            let parts = match self.parts.take(&name) {
                Some(parts) => parts,
                None if self.is_left_out(&tensors, &name) => Vec::new(),
                None => return Err(CheckpointError::Missing { name }),
            };
            check_shape(&parts, &stored)?;
            tensors.push(ModelTensor { name, shape, parts });
        }
        if let Some(TensorPart { info, .. }) = self.parts.left() {
            let expected = "a tensor of the model that the configuration describes";
            return Err(CheckpointError::field(&info.name, info.at, expected, "one more"));
        }
        check_apart(&tensors)?;
        Ok(tensors)
    }

    /// Whether no layer of this kind has a bias: neither those handled before nor those still to come. The biases are
    /// then all zeros.
    fn is_left_out(&self, tensors: &[ModelTensor], name: &str) -> bool {
        let Some((_, kind)) = name.strip_suffix(".bias").and_then(|path| path.rsplit_once(['.', '_'])) else {
            return false;
        };
        let end = format!("{kind}.bias");
        let came = tensors.iter().any(|tensor| tensor.name.ends_with(&end) && !tensor.parts.is_empty());
        !came && !self.parts.any_ends_with(&end)
    }
}

/// The head: tied, unless there is a matrix for it that differs from the embedding.
async fn find_head<R: Read + Seek>(
    parts: &Parts,
    files: &mut [Named<R>],
    pause: Pause<'_>,
) -> Result<Head, ImportError> {
    let bias = parts.has("output.bias");
    let is_tied = match (parts.get("output.weight"), parts.get("token_embd.weight")) {
        ([], _) => !bias,
        ([head], [embedding]) if !bias => same(head, embedding, files, pause).await?,
        _ => false,
    };
    Ok(if is_tied { Head::Tied } else { Head::Untied { bias } })
}

/// Whether two tensors have the same bytes; true for two names of one tensor.
async fn same<R: Read + Seek>(
    one: &TensorPart,
    other: &TensorPart,
    files: &mut [Named<R>],
    pause: Pause<'_>,
) -> Result<bool, ImportError> {
    let (a, b) = (&one.info, &other.info);
    if (a.dtype, a.dims, a.transposed) != (b.dtype, b.dims, b.transposed) {
        return Ok(false);
    }
    if one.file == other.file && a.span == b.span {
        return Ok(true);
    }
    let length = a.span.end - a.span.start;
    for begin in (0..length).step_by(COMPARED as usize) {
        let count = COMPARED.min(length - begin) as usize;
        let mut read = |part: &TensorPart| {
            let TensorPart { file, info } = part;
            in_file(files, *file, |source| {
                let mut bytes = vec![0; count];
                source.seek(info.span.start + begin)?;
                source.fill(&info.name, &mut bytes).map(|()| bytes)
            })
        };
        if read(one)? != read(other)? {
            return Ok(false);
        }
        pause().await;
    }
    Ok(true)
}

/// The configuration that the tensors show.
fn tell(parts: &Parts) -> Result<Config, CheckpointError> {
    let [vocabulary, n_embd] = parts.matrix("token_embd.weight")?;
    let [context, _] = parts.matrix("position_embd.weight")?;
    let [n_inner, _] = parts.matrix("blk.0.ffn_up.weight")?;
    for (field, size) in [("tokens", vocabulary), ("width", n_embd), ("context", context), ("hidden width", n_inner)] {
        if !(1..=MOST).contains(&size) {
            return Err(CheckpointError::field(&field, 0, format!("1 to {MOST}"), size));
        }
    }
    let layers = parts.layers();
    if layers as u64 > MOST_LAYERS {
        return Err(CheckpointError::field(&"number of a block", 0, format!("below {MOST_LAYERS}"), layers - 1));
    }
    let activation = match parts.layout {
        NamedBy::HuggingFace => Activation::GeluNew,
        NamedBy::NanoGpt => Activation::Gelu,
        NamedBy::Lecture => Activation::Relu,
    };
    Ok(Config {
        layers,
        heads: 1,
        n_embd: n_embd as usize,
        n_inner: n_inner as usize,
        context: context as usize,
        vocabulary_size: vocabulary as usize,
        layer_norm_epsilon: 1e-5,
        activation,
        head: Head::Tied,
        qkv_bias: true,
    })
}

/// Fails unless the parts, joined by rows, have this shape.
fn check_shape(parts: &[TensorPart], shape: &[usize]) -> Result<(), CheckpointError> {
    let Some(TensorPart { info: first, .. }) = parts.first() else { return Ok(()) };
    let expected: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let mut found = first.shape().as_slice().to_vec();
    for TensorPart { info, .. } in &parts[1..] {
        match (found.as_mut_slice(), info.shape().as_slice()) {
            ([rows, columns], &[more, same]) if *columns == same => *rows = rows.saturating_add(more),
            (found, other) => {
                let field = format!("shape of {}", info.name);
                return Err(CheckpointError::field(&field, info.at, format!("{found:?}"), format!("{other:?}")));
            }
        }
    }
    if found == expected {
        return Ok(());
    }
    let field = format!("shape of {}", first.name);
    Err(CheckpointError::field(&field, first.at, format!("{expected:?}"), format!("{found:?}")))
}

/// Fails where tensors overlap. So all of them together are no larger than the files.
fn check_apart(tensors: &[ModelTensor]) -> Result<(), CheckpointError> {
    let mut by_file: BTreeMap<usize, Vec<&TensorInfo>> = BTreeMap::new();
    for TensorPart { file, info } in tensors.iter().flat_map(|tensor| &tensor.parts) {
        by_file.entry(*file).or_default().push(info);
    }
    by_file.values_mut().try_for_each(|infos| check_spans(infos, 0..u64::MAX))
}
