//! Translates the names that training programs give to a GPT's tensors into GGUF's.

use super::safetensors::names;

/// Prefixes that wrappers add to every name, in any order: `torch.compile`, `DistributedDataParallel`, and Hugging
/// Face's model with a head.
const PREFIXES: [&str; 3] = ["_orig_mod.", "module.", "transformer."];

/// Layers in a block: the lecture's names, and GGUF's.
const IN_BLOCK: [(&str, &str); 5] = [
    ("ln1", "attn_norm"),
    ("sa.proj", "attn_output"),
    ("ln2", "ffn_norm"),
    ("ffwd.net.0", "ffn_up"),
    ("ffwd.net.2", "ffn_down"),
];
/// Layers outside of blocks: the lecture's names, and GGUF's.
const OUTSIDE: [(&str, &str); 4] = [
    ("token_embedding_table", "token_embd"),
    ("position_embedding_table", "position_embd"),
    ("ln_f", "output_norm"),
    ("lm_head", "output"),
];
/// Matrices of a head, in the order in which `attn_qkv` has them.
const IN_HEAD: [&str; 3] = ["query", "key", "value"];

/// A tensor of the model, or some rows of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorPlace {
    /// GGUF's name.
    pub slot: String,
    /// For an `attn_qkv` that the file splits into one matrix for each head: which of query, key and value, and the
    /// number of the head.
    pub head: Option<(usize, usize)>,
}

/// Where a tensor of this name belongs.
pub(super) fn place(name: &str) -> Option<TensorPlace> {
    let name = without_prefix(name);
    if let Some((slot, _)) = names::slot(name) {
        return Some(TensorPlace { slot, head: None });
    }
    let (path, part) = name.rsplit_once('.')?;
    let Some((number, layer)) = path.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) else {
        return ours(&OUTSIDE, path).map(|ours| TensorPlace { slot: format!("{ours}.{part}"), head: None });
    };
    let block = format!("blk.{}", number.parse::<usize>().ok()?);
    if let Some((head, matrix)) = layer.strip_prefix("sa.heads.").and_then(|rest| rest.split_once('.')) {
        let which = IN_HEAD.iter().position(|&name| name == matrix)?;
        return Some(TensorPlace { slot: format!("{block}.attn_qkv.{part}"), head: Some((which, head.parse().ok()?)) });
    }
    ours(&IN_BLOCK, layer).map(|ours| TensorPlace { slot: format!("{block}.{ours}.{part}"), head: None })
}

/// Whether this is a causal mask, which training programs save among the weights.
pub(super) fn is_buffer(name: &str) -> bool {
    names::is_mask(without_prefix(name)) || name.ends_with(".tril")
}

fn without_prefix(mut name: &str) -> &str {
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name
}

fn ours(table: &[(&str, &'static str)], theirs: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| *name == theirs).map(|&(_, ours)| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_training_become_ggufs() {
        let is = |name, slot: &str, head| assert_eq!(place(name), Some(TensorPlace { slot: slot.to_string(), head }));
        is("_orig_mod.transformer.h.3.attn.c_attn.weight", "blk.3.attn_qkv.weight", None);
        is("module._orig_mod.lm_head.weight", "output.weight", None);
        is("wte.weight", "token_embd.weight", None);
        is("position_embedding_table.weight", "position_embd.weight", None);
        is("blocks.2.sa.heads.5.key.weight", "blk.2.attn_qkv.weight", Some((1, 5)));
        is("blocks.0.ffwd.net.2.bias", "blk.0.ffn_down.bias", None);
        assert_eq!(place("blocks.0.sa.heads.0.rotary.weight"), None);
        assert_eq!(place("model.layers.0.mlp.weight"), None);
    }

    #[test]
    fn masks_are_buffers() {
        assert!(is_buffer("blocks.0.sa.heads.1.tril") && is_buffer("_orig_mod.transformer.h.0.attn.bias"));
        assert!(!is_buffer("transformer.h.0.attn.c_attn.bias"));
    }
}
