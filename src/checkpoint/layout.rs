//! Lists the tensors that a configuration asks for: GGUF's names, and shapes with rows first.

use crate::model::Config;
use crate::model::config::Head;

/// The largest width, context or vocabulary that is accepted; the largest of GPT-2 XL is 50,257.
pub(super) const MOST: u64 = 1 << 24;
/// The most blocks that are accepted; GPT-2 XL has 48.
pub(super) const MOST_LAYERS: u64 = 1 << 12;

/// Name and shape of every tensor, in the order in which a file keeps them.
pub(crate) fn tensors(config: &Config) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let Config { n_embd, context, vocabulary_size, .. } = *config;
    let (biased, config) = (config.head == Head::Untied { bias: true }, config.clone());
    let untied = config.head != Head::Tied;
    let first = [("token_embd.weight", vec![vocabulary_size, n_embd]), ("position_embd.weight", vec![context, n_embd])];
    let last = [
        Some(("output_norm.weight", vec![n_embd])),
        Some(("output_norm.bias", vec![n_embd])),
        untied.then(|| ("output.weight", vec![vocabulary_size, n_embd])),
        biased.then(|| ("output.bias", vec![vocabulary_size])),
    ];
    let own = |(name, shape): (&str, Vec<usize>)| (name.to_string(), shape);
    let blocks = (0..config.layers).flat_map(move |layer| block(&config, layer));
    first.into_iter().map(own).chain(blocks).chain(last.into_iter().flatten().map(own))
}

/// The same for a GGUF or a folder that other programs read. They need the bias of queries, keys and values, so a model
/// without one is written with zeros.
pub(super) fn written(config: &Config) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    tensors(&Config { qkv_bias: true, ..config.clone() })
}

/// The tensors of one block, in the order in which the model uses them.
fn block(config: &Config, layer: usize) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let Config { n_embd, n_inner, qkv_bias, .. } = *config;
    let tensors = [
        ("attn_norm.weight", vec![n_embd]),
        ("attn_norm.bias", vec![n_embd]),
        ("attn_qkv.weight", vec![3 * n_embd, n_embd]),
        ("attn_qkv.bias", vec![3 * n_embd]),
        ("attn_output.weight", vec![n_embd, n_embd]),
        ("attn_output.bias", vec![n_embd]),
        ("ffn_norm.weight", vec![n_embd]),
        ("ffn_norm.bias", vec![n_embd]),
        ("ffn_up.weight", vec![n_inner, n_embd]),
        ("ffn_up.bias", vec![n_inner]),
        ("ffn_down.weight", vec![n_embd, n_inner]),
        ("ffn_down.bias", vec![n_embd]),
    ];
    let there = move |name: &str| qkv_bias || name != "attn_qkv.bias";
    let named = move |(name, shape)| (format!("blk.{layer}.{name}"), shape);
    tensors.into_iter().filter(move |(name, _)| there(name)).map(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::tests::peargpt;

    #[test]
    fn tensors_add_up_to_the_number_of_parameters() {
        for head in [Head::Tied, Head::Untied { bias: false }, Head::Untied { bias: true }] {
            for qkv_bias in [true, false] {
                let config = Config { head, qkv_bias, ..peargpt() };
                let weights: usize = tensors(&config).map(|(_, shape)| shape.iter().product::<usize>()).sum();
                assert_eq!(weights, config.parameters());
            }
        }
    }
}
