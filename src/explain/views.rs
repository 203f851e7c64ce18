//! What is shown of the inside, as plain numbers. As JSON it has these names.

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};

use crate::sampler::{Chances, Draw};
use crate::wire::Read;

/// A question about a token of a text. Positions are indices in the text's ids, the prompt's included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How likely the token at this position was. The very first of a text was not predicted.
    Token(u32),
    /// What the model would have said at this position after each layer. Not for the very first.
    Lens(u32),
    /// What the token at this position looks back at.
    Attention(u32),
    /// Which later tokens look back at the one at this position.
    LookedAt(u32),
}

impl Ask {
    /// The position that is asked about.
    pub fn position(self) -> u32 {
        match self {
            Ask::Token(position) | Ask::Lens(position) | Ask::Attention(position) | Ask::LookedAt(position) => position,
        }
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Ask::Token`].
    Token(TokenView),
    /// To [`Ask::Lens`].
    Lens(LensView),
    /// To [`Ask::Attention`].
    Attention(AttentionView),
    /// To [`Ask::LookedAt`].
    LookedAt(LookedAtView),
}

/// A token that could stand somewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Alternative {
    /// The token.
    pub id: u32,
    /// Its text; bytes that are not a whole character as `\xF0\x9F`.
    pub text: String,
    /// Its probability, before the settings.
    pub probability: f64,
    /// Its chance after each of them.
    pub chances: Chances,
}

/// How a token came to stand where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct TokenView {
    /// Where it stands.
    pub position: u32,
    /// The token.
    pub id: u32,
    /// Its text; bytes that are not a whole character as `\xF0\x9F`.
    pub text: String,
    /// Position of the first token that the model saw.
    pub window_start: u32,
    /// Its probability, before the settings.
    pub probability: f64,
    /// How many tokens are likelier, and 1.
    pub rank: u32,
    /// How unsure the model was: the entropy of all probabilities, in bits.
    pub entropy_bits: f64,
    /// Its chance after each of the settings.
    pub chances: Chances,
    /// Whether it is of the prompt.
    pub is_prompt: bool,
    /// Whether it was taken instead of one that is drawn.
    pub is_taken: bool,
    /// Where the drawn number fell; for tokens that were drawn, at a temperature above 0.
    pub draw: Option<Draw>,
    /// The likeliest tokens, at most ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// A token that a layer speaks for.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Likely {
    /// The token.
    pub id: u32,
    /// Its text; bytes that are not a whole character as `\xF0\x9F`.
    pub text: String,
    /// Its probability.
    pub probability: f64,
}

/// The logit lens (nostalgebraist 2020): the last layer norm and the head, applied to the residual stream after each layer.
/// The row is that of the token before, which predicts the one at `position`.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct LensView {
    /// Where the predicted token stands.
    pub position: u32,
    /// Position of the first token that the model saw.
    pub window_start: u32,
    /// The five likeliest after the embedding, and after each layer.
    pub layers: Vec<Vec<Likely>>,
    /// Lengths of the residual stream on the way.
    pub norms: Norms,
}

/// Euclidean lengths of the residual stream along the layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Read!)]
pub struct Norms {
    /// Token and position embedding, added.
    pub embedding: f32,
    /// After each layer's attention.
    pub attention: Vec<f32>,
    /// After each layer's MLP.
    pub mlp: Vec<f32>,
}

/// What a token looks back at, when it has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct AttentionView {
    /// Where the token stands.
    pub position: u32,
    /// Position of the first token that the model saw.
    pub window_start: u32,
    /// Of each layer, of each head, the weights of the tokens from `window_start` to `position`.
    pub layers: Vec<Vec<Vec<f32>>>,
    /// Lengths of the token's residual stream on the way.
    pub norms: Norms,
}

/// Which later tokens look back at one, in the window in which it was read first.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct LookedAtView {
    /// Where the token stands.
    pub position: u32,
    /// Position of the first token of the window.
    pub window_start: u32,
    /// Of each layer, of each head, the weight that each token from `position + 1` on gives to this one.
    pub layers: Vec<Vec<Vec<f32>>>,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Tokens that have been read for it, times layers.
    pub done: u32,
    /// All of them.
    pub total: u32,
}

/// How a text surprises a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Read!)]
pub struct Surprise {
    /// Tokens of the text.
    pub tokens: u32,
    /// Mean bits per character of the tokens that were predicted: of all but the first.
    pub bits_per_character: f64,
    /// e to the mean cross-entropy of those tokens.
    pub perplexity: f64,
}
