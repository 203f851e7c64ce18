//! The configuration: what the files say, and what the tensors tell.

use std::io::{Read, Seek};

use super::super::CheckpointError;
use super::super::layout::{self, MOST, MOST_LAYERS};
use super::super::safetensors::config::Said;
use super::parts::{Layout, Parts};
use super::tensors::Tensors;
use super::{ImportError, Named, Part, Pause, Slot, in_file};
use crate::model::Config;
use crate::model::config::{Activation, Head};

/// Bytes of two tensors that are compared at once.
const COMPARED: u64 = 64 << 10;

/// A configuration and the tensors that it is of.
#[derive(Debug)]
pub(super) struct Shape {
    /// All but the heads; every row of the embedding is a token.
    pub config: Config,
    /// The heads, where anything tells them.
    pub heads: Option<usize>,
    /// Who made the files, for people.
    pub source: &'static str,
    /// How the tensors are named and turned.
    pub layout: Layout,
    parts: Parts,
}

impl Shape {
    /// Infers what is not said.
    pub async fn of<R: Read + Seek>(
        tensors: Tensors,
        said: Option<&Said>,
        files: &mut [Named<R>],
        pause: Pause<'_>,
    ) -> Result<Self, ImportError> {
        let heads = tensors.argument("n_head").map(|heads| heads as usize);
        let is_safetensors = tensors.is_safetensors;
        let mut parts = Parts::new(tensors.parts)?;
        let (qkv_bias, head_bias) = (parts.any_ends_with(".attn_qkv.bias"), parts.has("output.bias"));
        let said_config = said.map(|said| said.config_with(head_bias, qkv_bias));
        let head = match &said_config {
            Some(config) => config.head,
            None => find_head(&parts, files, pause).await?,
        };
        if head == Head::Tied {
            parts.take("output.weight");
        }
        let told = Config { head, qkv_bias, ..tell(&parts)? };
        let config = said_config.clone().unwrap_or(told);
        let layout = parts.layout;
        let heads = said_config.map(|config| config.heads).or(heads).or(parts.heads);
        let source = match (layout, is_safetensors) {
            (Layout::HuggingFace, true) => "Hugging Face, safetensors",
            (Layout::HuggingFace, false) => "Hugging Face, torch",
            (Layout::NanoGpt, _) => "nanoGPT",
            (Layout::Lecture, _) => "the lecture's GPT",
        };
        Ok(Shape { config, heads, source, layout, parts })
    }

    /// The model's tensors; `config` may have fewer tokens than there are rows.
    pub fn slots(mut self, config: &Config) -> Result<Vec<Slot>, CheckpointError> {
        let rows = self.config.vocabulary_size;
        let mut slots = Vec::new();
        for (name, shape) in layout::tensors(config) {
            let stored: Vec<usize> = match name.as_str() {
                "token_embd.weight" | "output.weight" | "output.bias" => {
                    std::iter::once(rows).chain(shape[1..].iter().copied()).collect()
                }
                _ => shape.clone(),
            };
            let parts = match self.parts.take(&name) {
                Some(parts) => parts,
                None if self.is_left_out(&slots, &name) => Vec::new(),
                None => return Err(CheckpointError::Missing { name }),
            };
            check_shape(&parts, &stored)?;
            slots.push(Slot { name, shape, parts });
        }
        if let Some(Part { stored, .. }) = self.parts.left() {
            let expected = "a tensor of the model that the configuration describes";
            return Err(CheckpointError::field(&stored.name, stored.at, expected, "one more"));
        }
        check_apart(&slots)?;
        Ok(slots)
    }

    /// Whether no layer of this kind has a bias, neither those that come nor those that came: they are all zeros.
    fn is_left_out(&self, slots: &[Slot], name: &str) -> bool {
        let Some((_, kind)) = name.strip_suffix(".bias").and_then(|path| path.rsplit_once(['.', '_'])) else {
            return false;
        };
        let end = format!("{kind}.bias");
        let came = slots.iter().any(|slot| slot.name.ends_with(&end) && !slot.parts.is_empty());
        !came && !self.parts.any_ends_with(&end)
    }
}

/// Tied where there is no other matrix than the embedding, or one that says the same.
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

/// Whether two tensors have the same bytes, which they have where they are one.
async fn same<R: Read + Seek>(
    one: &Part,
    other: &Part,
    files: &mut [Named<R>],
    pause: Pause<'_>,
) -> Result<bool, ImportError> {
    let (a, b) = (&one.stored, &other.stored);
    if (a.kind, a.dims, a.transposed) != (b.kind, b.dims, b.transposed) {
        return Ok(false);
    }
    if one.file == other.file && a.span == b.span {
        return Ok(true);
    }
    let length = a.span.end - a.span.start;
    for begin in (0..length).step_by(COMPARED as usize) {
        let count = COMPARED.min(length - begin) as usize;
        let mut read = |part: &Part| {
            let Part { file, stored } = part;
            in_file(files, *file, |source| {
                let mut bytes = vec![0; count];
                source.seek(stored.span.start + begin)?;
                source.fill(&stored.name, &mut bytes).map(|()| bytes)
            })
        };
        if read(one)? != read(other)? {
            return Ok(false);
        }
        pause().await;
    }
    Ok(true)
}

/// What the tensors tell.
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
        Layout::HuggingFace => Activation::GeluNew,
        Layout::NanoGpt => Activation::Gelu,
        Layout::Lecture => Activation::Relu,
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

/// The parts, one below the other, have this shape.
fn check_shape(parts: &[Part], shape: &[usize]) -> Result<(), CheckpointError> {
    let Some(Part { stored: first, .. }) = parts.first() else { return Ok(()) };
    let expected: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let mut found = first.shape().as_slice().to_vec();
    for Part { stored, .. } in &parts[1..] {
        match (found.as_mut_slice(), stored.shape().as_slice()) {
            ([rows, columns], &[more, same]) if *columns == same => *rows = rows.saturating_add(more),
            (found, other) => {
                let field = format!("shape of {}", stored.name);
                return Err(CheckpointError::field(&field, stored.at, format!("{found:?}"), format!("{other:?}")));
            }
        }
    }
    if found == expected {
        return Ok(());
    }
    let field = format!("shape of {}", first.name);
    Err(CheckpointError::field(&field, first.at, format!("{expected:?}"), format!("{found:?}")))
}

/// No tensor lies over another: all of them together take no more room than the files.
fn check_apart(slots: &[Slot]) -> Result<(), CheckpointError> {
    let mut parts: Vec<&Part> = slots.iter().flat_map(|slot| &slot.parts).collect();
    parts.sort_unstable_by_key(|part| (part.file, part.stored.span.start, part.stored.span.end));
    let over = |pair: &&[&Part]| pair[0].file == pair[1].file && pair[0].stored.span.end > pair[1].stored.span.start;
    match parts.windows(2).find(over) {
        None => Ok(()),
        Some(pair) => {
            let (first, second) = (&pair[0].stored, &pair[1].stored);
            let expected = format!("bytes behind those of {}, which end at {}", first.name, first.span.end);
            let field = format!("place of {}", second.name);
            Err(CheckpointError::field(&field, second.at, expected, format!("{:?}", second.span)))
        }
    }
}
