//! What the model writes meanwhile.

use std::io::Cursor;

use peargpt::checkpoint::Model;
use peargpt::checkpoint::precision::Precision;
use peargpt::generation::{self, Progress, Settings};
use peargpt::train::Run;

/// Words of a sample.
const WORDS: u32 = 25;
/// Tokens that a sample has at most: at first there are hardly any spaces.
const TOKENS: usize = 200;

/// A few words from the model's start, as the engine writes them; `None` if it cannot.
pub fn sample(run: &Run) -> Option<String> {
    let file = run.model(Some(Precision::Q8_0), "sample").ok()?;
    let model = Model::open(&mut Cursor::new(file)).ok()?;
    let defaults = Settings::defaults(model.tokenizer.vocabulary());
    let settings = Settings { words: WORDS, ..defaults };
    let mut writing = generation::Run::new(&model, &settings, 1).ok()?;
    let mut sample = String::new();
    while writing.tokens() < TOKENS {
        match writing.step(&model).ok()? {
            Progress::Prefilled => {}
            Progress::Token(text) => sample.push_str(&text),
            Progress::Done(text, _) => {
                sample.push_str(&text);
                break;
            }
        }
    }
    let lines = sample.trim().lines().map(|line| format!("  | {line}"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}
