//! The one configuration of the one architecture: GPT-2's block stack and its variants.

pub use crate::kernels::Activation;

/// Where the head's weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The token embedding is the head, as in GPT-2.
    Tied,
    /// A matrix of its own, `output.weight`, with or without `output.bias`.
    Untied {
        /// Whether there is a bias.
        bias: bool,
    },
}

/// The shape of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Blocks.
    pub layers: usize,
    /// Attention heads per block; divides `n_embd`.
    pub heads: usize,
    /// Length of the embedding.
    pub n_embd: usize,
    /// Width of the MLP's hidden layer, four times `n_embd` in GPT-2.
    pub n_inner: usize,
    /// Learned positions: the longest window, in tokens.
    pub context: usize,
    /// Rows of the token embedding.
    pub vocabulary_size: usize,
    /// Added to the variance in each layer norm.
    pub layer_norm_epsilon: f64,
    /// The MLP's activation function.
    pub activation: Activation,
    /// Where the head's weights come from.
    pub head: Head,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
}

impl Config {
    /// Length of one head's queries, keys and values.
    pub fn head_dim(&self) -> usize {
        self.n_embd / self.heads
    }

    /// Number of weights, a tied head counted once.
    pub fn parameters(&self) -> usize {
        let Config { layers, n_embd, n_inner, context, vocabulary_size, .. } = *self;
        let norm = 2 * n_embd;
        let qkv = 3 * n_embd * n_embd + if self.qkv_bias { 3 * n_embd } else { 0 };
        let attention = qkv + n_embd * n_embd + n_embd;
        let mlp = n_embd * n_inner + n_inner + n_inner * n_embd + n_embd;
        let head = match self.head {
            Head::Tied => 0,
            Head::Untied { bias } => vocabulary_size * n_embd + if bias { vocabulary_size } else { 0 },
        };
        (vocabulary_size + context) * n_embd + layers * (2 * norm + attention + mlp) + norm + head
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// pearGPT's shape.
    pub(crate) fn peargpt() -> Config {
        Config {
            layers: 8,
            heads: 5,
            n_embd: 320,
            n_inner: 1280,
            context: 256,
            vocabulary_size: 65,
            layer_norm_epsilon: 1e-5,
            activation: Activation::GeluNew,
            head: Head::Tied,
            qkv_bias: true,
        }
    }

    #[test]
    fn parameters_are_counted_as_published() {
        assert_eq!(peargpt().parameters(), 9_967_040);
        let gpt2 = Config {
            layers: 12,
            heads: 12,
            n_embd: 768,
            n_inner: 3072,
            context: 1024,
            vocabulary_size: 50257,
            ..peargpt()
        };
        assert_eq!(gpt2.parameters(), 124_439_808);
    }
}
