//! Translates Hugging Face's names of a GPT-2's tensors to GGUF's, and back.

use safetensors::Dtype;

use super::header::Described;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::tensor_info::TensorInfo;
use candle_core::quantized::GgmlDType;

/// Layers in a block: Hugging Face's name, GGUF's name, and whether it is a `Conv1D`, whose matrix is stored as `[in,
/// out]`.
const IN_BLOCK: [(&str, &str, bool); 6] = [
    ("ln_1", "attn_norm", false),
    ("attn.c_attn", "attn_qkv", true),
    ("attn.c_proj", "attn_output", true),
    ("ln_2", "ffn_norm", false),
    ("mlp.c_fc", "ffn_up", true),
    ("mlp.c_proj", "ffn_down", true),
];

/// Layers outside of blocks.
const OUTSIDE: [(&str, &str); 4] =
    [("wte", "token_embd"), ("wpe", "position_embd"), ("ln_f", "output_norm"), ("lm_head", "output")];

/// Whether this is a causal mask, `h.N.attn.bias` or `h.N.attn.masked_bias`: a buffer, not a weight.
pub(in crate::checkpoint) fn is_mask(name: &str) -> bool {
    matches!(in_block(name), Some((_, "attn.bias" | "attn.masked_bias")))
}

/// The number of the block, and the name within it.
fn in_block(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.strip_prefix("h.")?.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

/// GGUF's name, and whether the matrix is stored as `[in, out]`.
pub(in crate::checkpoint) fn slot(name: &str) -> Option<(String, bool)> {
    let name = name.strip_prefix("transformer.").unwrap_or(name);
    let (path, part) = name.rsplit_once('.')?;
    if let Some((number, layer)) = in_block(path) {
        let (_, ours, is_conv1d) = IN_BLOCK.iter().find(|(theirs, ..)| *theirs == layer)?;
        return Some((format!("blk.{number}.{ours}.{part}"), *is_conv1d && part == "weight"));
    }
    let (_, ours) = OUTSIDE.iter().find(|(theirs, _)| *theirs == path)?;
    Some((format!("{ours}.{part}"), false))
}

/// Hugging Face's name for a tensor with this GGUF name, and whether the matrix is stored as `[in, out]`.
pub(in crate::checkpoint) fn theirs(slot: &str) -> (String, bool) {
    let (path, part) = slot.rsplit_once('.').unwrap_or((slot, ""));
    if let Some((number, layer)) = path.strip_prefix("blk.").and_then(|rest| rest.split_once('.'))
        && let Some((theirs, _, is_conv1d)) = IN_BLOCK.iter().find(|(_, ours, _)| *ours == layer)
    {
        return (format!("transformer.h.{number}.{theirs}.{part}"), *is_conv1d && part == "weight");
    }
    let theirs = OUTSIDE.iter().find(|(_, ours)| *ours == path).map_or(path, |(theirs, _)| theirs);
    let prefix = if path == "output" { "" } else { "transformer." };
    (format!("{prefix}{theirs}.{part}"), false)
}

/// Where a tensor is in the file. `data` is the offset at which the data begins.
pub(in crate::checkpoint) fn place(tensor: Described, data: u64) -> Result<TensorInfo, CheckpointError> {
    let Described { name, info } = tensor;
    let wrong = |field: &str, at: u64, expected: &str, found: String| {
        CheckpointError::field(&format!("{field} of {name}"), at, expected, found)
    };
    let dtype = match info.dtype {
        Dtype::F32 => GgmlDType::F32,
        Dtype::F16 => GgmlDType::F16,
        Dtype::BF16 => GgmlDType::BF16,
        other => return Err(wrong("dtype", 8, "F32, F16 or BF16", other.to_string())),
    };
    let (begin, end) = info.data_offsets;
    let span = data.checked_add(begin).zip(data.checked_add(end));
    let Some((start, end)) = span.filter(|(start, end)| start <= end) else {
        return Err(wrong("data_offsets", 8, "begin before end", format!("{begin} and {end}")));
    };
    if info.shape.bytes(dtype) != Some(end - start) {
        let expected = format!("as many bytes as {:?} takes", info.shape.as_slice());
        return Err(wrong("data_offsets", start, &expected, format!("{} bytes", end - start)));
    }
    // The program that wrote the file decides whether a matrix is `[in, out]`, see `parts`.
    Ok(TensorInfo { name, at: start, dtype, dims: info.shape, transposed: false, span: start..end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::layout;
    use crate::model::Config;
    use crate::model::config::Head;
    use crate::model::config::tests::peargpt;

    #[test]
    fn names_become_ggufs_with_or_without_prefix() {
        let is = |name, ours: &str, transposed| assert_eq!(slot(name), Some((ours.to_string(), transposed)));
        is("transformer.wte.weight", "token_embd.weight", false);
        is("lm_head.weight", "output.weight", false);
        is("h.11.attn.c_attn.weight", "blk.11.attn_qkv.weight", true);
        is("transformer.h.0.mlp.c_proj.bias", "blk.0.ffn_down.bias", false);
        is("lm_head.bias", "output.bias", false);
        assert_eq!(slot("h.0.crossattention.c_attn.weight"), None);
        assert_eq!(slot("score.weight"), None);
    }

    #[test]
    fn names_come_back() {
        let config = Config { head: Head::Untied { bias: true }, ..peargpt() };
        for (name, shape) in layout::tensors(&config) {
            let (theirs, transposed) = theirs(&name);
            assert_eq!(slot(&theirs), Some((name.clone(), transposed)));
            assert_eq!(transposed, name.starts_with("blk.") && shape.len() == 2, "{name}");
        }
        assert_eq!(theirs("blk.7.ffn_down.bias").0, "transformer.h.7.mlp.c_proj.bias");
        assert_eq!(theirs("output.weight").0, "lm_head.weight");
    }

    #[test]
    fn masks_are_told_from_biases() {
        assert!(is_mask("h.3.attn.bias") && is_mask("h.10.attn.masked_bias"));
        assert!(!is_mask("h.3.attn.c_attn.bias") && !is_mask("attn.bias"));
    }
}
