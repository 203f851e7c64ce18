//! Says which programs cannot read an exported model, and why. Tried with llama.cpp b11364 and transformers 5.23.

use crate::model::Config;
use crate::model::config::{Activation, Head};
use crate::tokenizer::{TokenizerSpec, bytes};

/// What a model is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A GGUF file.
    Gguf,
    /// A Hugging Face folder.
    HuggingFace,
}

/// The end of a text where a file names none: `transformers` takes GPT-2's spelling, llama.cpp the token of this
/// number.
const END_OF_TEXT: &str = "<|endoftext|>";
const END_TOKEN: usize = 11;
/// Characters that a sentence names.
const NAMED: usize = 8;

/// Sentences on how other programs misread this model in this format; none where they read it as it is.
pub fn notes(config: &Config, tokenizer: &TokenizerSpec, format: Format) -> Vec<String> {
    let has_bias = config.head == Head::Untied { bias: true };
    let notes = match format {
        Format::Gguf => [
            has_bias.then(|| "llama.cpp cannot open this file: its GPT-2 has no bias in the head.".to_string()),
            activation(config.activation),
            end_token(tokenizer),
            characters(tokenizer, "llama.cpp"),
        ],
        Format::HuggingFace => [
            has_bias.then(|| {
                "transformers leaves out the bias of the head, which its GPT-2 does not have: it writes other texts."
                    .to_string()
            }),
            None,
            added_token(tokenizer),
            characters(tokenizer, "transformers"),
        ],
    };
    notes.into_iter().flatten().collect()
}

/// llama.cpp's GPT-2 has one activation; `transformers` reads all three.
fn activation(activation: Activation) -> Option<String> {
    let told = match activation {
        Activation::GeluNew => return None,
        Activation::Gelu => {
            "llama.cpp approximates GELU by tanh, which this model has exactly: its numbers differ a little."
        }
        Activation::Relu => "llama.cpp computes GELU, where this model has ReLU: it writes other texts.",
    };
    Some(told.to_string())
}

fn end_token(tokenizer: &TokenizerSpec) -> Option<String> {
    let piece = tokenizer.tokens.get(END_TOKEN).filter(|_| tokenizer.end_of_text.is_none())?;
    let shown = shown(piece);
    Some(format!(
        "llama.cpp ends a text at token {END_TOKEN}, `{shown}`, since this model has none for the end: there is an option \
         that ignores it."
    ))
}

fn added_token(tokenizer: &TokenizerSpec) -> Option<String> {
    let count = tokenizer.tokens.len();
    let is_there = tokenizer.tokens.iter().any(|piece| piece == END_OF_TEXT);
    (!is_there).then(|| {
        format!("The tokenizer of transformers adds `{END_OF_TEXT}` as token {count}, which this model does not have.")
    })
}

/// Names the characters of a character model that other tokenizers lose. They split a character into bytes and merge
/// these, and a character model has no merges.
fn characters(tokenizer: &TokenizerSpec, program: &str) -> Option<String> {
    let is_lost = |piece: &&String| tokenizer.merges.is_empty() && !text(piece).is_ascii();
    let lost: Vec<String> = tokenizer.tokens.iter().filter(is_lost).map(|piece| shown(piece)).collect();
    let more = if lost.len() > NAMED { " and others" } else { "" };
    let named = lost[..lost.len().min(NAMED)].join(" ");
    let told = format!("The tokenizer of {program} loses {named}{more}, which it takes for several bytes each.");
    (!lost.is_empty()).then_some(told)
}

/// The text of a piece; a piece that is not spelled in the byte alphabet is returned as it is.
fn text(piece: &str) -> String {
    let mut text = Vec::new();
    let is_spelled = bytes::unspell(piece, &mut text);
    if is_spelled { String::from_utf8_lossy(&text).into_owned() } else { piece.to_string() }
}

/// The text of a piece, with control characters escaped.
fn shown(piece: &str) -> String {
    text(piece).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::small;

    fn tokenizer(characters: &str, merges: &[&str], end_of_text: Option<u32>) -> TokenizerSpec {
        let mut tokens: Vec<String> =
            characters.chars().map(|character| bytes::spell(character.to_string().as_bytes())).collect();
        if let Some(id) = end_of_text {
            tokens[id as usize] = END_OF_TEXT.to_string();
        }
        let merges = merges.iter().map(|merge| merge.to_string()).collect();
        TokenizerSpec { tokens, merges, start: 0, end_of_text }
    }

    fn of(config: Config, tokenizer: TokenizerSpec, format: Format) -> Vec<String> {
        notes(&config, &tokenizer, format)
    }

    const ALPHABET: &str = "\nabcdefghijklmnopqrstuvwxyz";

    #[test]
    fn a_gpt2_is_read_by_all() {
        for merges in [&["a b"][..], &[]] {
            for format in [Format::Gguf, Format::HuggingFace] {
                let untied = Config { head: Head::Untied { bias: false }, qkv_bias: false, ..small() };
                let notes = of(untied, tokenizer(ALPHABET, merges, Some(26)), format);
                assert!(notes.is_empty(), "{notes:?}");
            }
        }
    }

    #[test]
    fn a_variant_says_who_does_not_know_it() {
        let tokens = || tokenizer(ALPHABET, &["a b"], Some(26));
        let biased = Config { head: Head::Untied { bias: true }, ..small() };
        assert!(of(biased.clone(), tokens(), Format::Gguf)[0].starts_with("llama.cpp cannot open this file"));
        assert!(of(biased, tokens(), Format::HuggingFace)[0].starts_with("transformers leaves out the bias"));
        for (activation, says) in [(Activation::Relu, "computes GELU"), (Activation::Gelu, "approximates GELU")] {
            let config = Config { activation, ..small() };
            assert!(of(config.clone(), tokens(), Format::HuggingFace).is_empty());
            let notes = of(config, tokens(), Format::Gguf);
            assert!(notes.len() == 1 && notes[0].contains(says), "{notes:?}");
        }
    }

    #[test]
    fn a_character_model_says_whose_tokenizer_does_not_fit() {
        let endless = of(small(), tokenizer(ALPHABET, &[], None), Format::Gguf);
        assert!(endless.len() == 1 && endless[0].starts_with("llama.cpp ends a text at token 11, `k`"), "{endless:?}");
        let added = of(small(), tokenizer(ALPHABET, &[], None), Format::HuggingFace);
        assert!(added.len() == 1 && added[0].contains("adds `<|endoftext|>` as token 27"), "{added:?}");
        let many = tokenizer("\nàáâãäåæç\u{a0}→klmnopqrstuvwxy.", &[], Some(26));
        for (format, program) in [(Format::Gguf, "llama.cpp"), (Format::HuggingFace, "transformers")] {
            let lost = of(small(), many.clone(), format);
            let says = format!("The tokenizer of {program} loses à á â ã ä å æ ç and others, ");
            assert!(lost.len() == 1 && lost[0].starts_with(&says), "{lost:?}");
        }
    }
}
