//! A few words, to see what a model writes.

use super::{GenerationError, Progress, Run, Settings};
use crate::checkpoint::Model;

/// Tokens that a sample has at most: a model that has hardly learned writes hardly any spaces.
const MOST_TOKENS: usize = 200;

/// Writes so many words behind a prompt, with the model's usual settings. Of the prompt it leaves out what the model has no
/// characters for.
pub fn sample(model: &Model, prompt: &str, words: u32, seed: u32) -> Result<String, GenerationError> {
    let is_known = |character: &char| model.tokenizer.encode(character.encode_utf8(&mut [0; 4])).is_ok();
    let prompt = prompt.chars().filter(is_known).collect();
    let settings = Settings { prompt, words, ..Settings::defaults(model.tokenizer.vocabulary()) };
    let (mut run, mut text) = (Run::new(model, &settings, seed)?, String::new());
    while run.tokens() < MOST_TOKENS {
        match run.step(model)? {
            Progress::Prefilled => {}
            Progress::Token(more) => text.push_str(&more),
            Progress::Done(more, _) => {
                text.push_str(&more);
                break;
            }
        }
    }
    Ok(text)
}
