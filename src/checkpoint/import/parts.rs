//! Finds the model's tensors among those of the files, and joins the parts of one matrix.

use std::collections::BTreeMap;

use super::TensorPart;
use super::names::{self, TensorPlace};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::tensor_info::Dims;

/// The program whose names and matrix layout the files have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// `transformers`: matrices `[in, out]`.
    HuggingFace,
    /// nanoGPT: the same names, matrices `[out, in]`.
    NanoGpt,
    /// The GPT of Karpathy's lecture: a matrix of its own for each head.
    Lecture,
}

/// The matrices that `transformers` stores as `[in, out]`.
const CONV1D: [&str; 4] = [".attn_qkv.weight", ".attn_output.weight", ".ffn_up.weight", ".ffn_down.weight"];

/// The parts of one tensor. The key is the matrix and the head, where each head has its own matrices.
type ByHead = BTreeMap<Option<(usize, usize)>, TensorPart>;

/// The parts that were found for each tensor of the model, in order.
#[derive(Debug)]
pub(super) struct Parts {
    tensors: BTreeMap<String, Vec<TensorPart>>,
    /// The program that made the files.
    pub layout: NamedBy,
    /// The number of heads, where each head has its own matrices.
    pub heads: Option<usize>,
}

impl Parts {
    /// Assigns each tensor to its place in the model.
    pub fn new(parts: Vec<TensorPart>) -> Result<Self, CheckpointError> {
        let mut tensors: BTreeMap<String, ByHead> = BTreeMap::new();
        let mut layout = NamedBy::HuggingFace;
        for part in parts {
            let name = part.info.name.clone();
            let Some(TensorPlace { slot, head }) = names::place(&name) else {
                let expected = "a tensor of a GPT-2, of nanoGPT or of the lecture's GPT";
                return Err(CheckpointError::field(&"name of a tensor", part.info.at, expected, name));
            };
            if head.is_some() {
                layout = NamedBy::Lecture;
            }
            if tensors.entry(slot).or_default().insert(head, part).is_some() {
                return Err(CheckpointError::Duplicate { name });
            }
        }
        let heads = check_heads(&tensors)?;
        let mut parts = Parts { tensors: BTreeMap::new(), layout, heads };
        parts.tensors.extend(tensors.into_iter().map(|(slot, parts)| (slot, parts.into_values().collect())));
        parts.turn()?;
        Ok(parts)
    }

    /// Tells `transformers` from nanoGPT by the shapes in the first block, and marks matrices that are `[in, out]`.
    fn turn(&mut self) -> Result<(), CheckpointError> {
        if self.layout == NamedBy::Lecture {
            return Ok(());
        }
        let [rows, columns] = self.matrix("blk.0.attn_qkv.weight")?;
        if rows == columns.saturating_mul(3) {
            self.layout = NamedBy::NanoGpt;
            return Ok(());
        }
        for (_, parts) in self.tensors.iter_mut().filter(|(slot, _)| CONV1D.iter().any(|end| slot.ends_with(end))) {
            parts.iter_mut().for_each(|part| part.info.transposed ^= true);
        }
        Ok(())
    }

    /// Rows and columns of a matrix that is in one part.
    pub fn matrix(&self, slot: &str) -> Result<[u64; 2], CheckpointError> {
        let missing = || CheckpointError::Missing { name: slot.to_string() };
        let part = self.tensors.get(slot).and_then(|parts| parts.first()).ok_or_else(missing)?;
        let shape: Dims = part.info.shape();
        shape.as_slice().try_into().map_err(|_| {
            let field = format!("shape of {}", part.info.name);
            CheckpointError::field(&field, part.info.at, "rows and columns", format!("{:?}", shape.as_slice()))
        })
    }

    /// Whether there is a tensor for this slot.
    pub fn has(&self, slot: &str) -> bool {
        self.tensors.contains_key(slot)
    }

    /// Whether the name of any slot ends so.
    pub fn any_ends_with(&self, end: &str) -> bool {
        self.tensors.keys().any(|slot| slot.ends_with(end))
    }

    /// The number of blocks: one more than the highest number in a name.
    pub fn layers(&self) -> usize {
        let number = |slot: &str| slot.strip_prefix("blk.")?.split_once('.')?.0.parse::<usize>().ok();
        self.tensors.keys().filter_map(|slot| number(slot)).max().map_or(0, |last| last.saturating_add(1))
    }

    /// The parts of a slot.
    pub fn get(&self, slot: &str) -> &[TensorPart] {
        self.tensors.get(slot).map(Vec::as_slice).unwrap_or_default()
    }

    /// Removes the parts of a slot, and returns them.
    pub fn take(&mut self, slot: &str) -> Option<Vec<TensorPart>> {
        self.tensors.remove(slot)
    }

    /// A part that nothing has taken, if there is one.
    pub fn left(&self) -> Option<&TensorPart> {
        self.tensors.values().flatten().next()
    }
}

/// The number of heads, where each head has its own matrices. Every head must have all three, and all blocks the same
/// number of heads.
fn check_heads(tensors: &BTreeMap<String, ByHead>) -> Result<Option<usize>, CheckpointError> {
    let mut heads = None;
    for (slot, parts) in tensors.iter().filter(|(_, parts)| parts.keys().any(Option::is_some)) {
        let count = parts.len() / 3;
        let all = (0..3).flat_map(|which| (0..count).map(move |head| Some((which, head))));
        let is_right =
            parts.len() == 3 * count && parts.keys().copied().eq(all) && *heads.get_or_insert(count) == count;
        if !is_right {
            let found = format!("{} matrices", parts.len());
            return Err(CheckpointError::field(slot, 0, "query, key and value for each head", found));
        }
    }
    Ok(heads)
}
