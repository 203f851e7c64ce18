//! What the model writes meanwhile.

use std::io::Cursor;

use peargpt::checkpoint::Model;
use peargpt::checkpoint::precision::Precision;
use peargpt::generation;
use peargpt::train::Run;

/// Words of a sample.
const WORDS: u32 = 25;

/// A few words from the model's start, as the engine writes them; `None` if it cannot.
pub fn sample(run: &Run) -> Option<String> {
    let file = run.model(Some(Precision::Q8_0), "sample").ok()?;
    let model = Model::open(&mut Cursor::new(file)).ok()?;
    let sample = generation::sample(&model, "", WORDS, 1).ok()?;
    let lines = sample.trim().lines().map(|line| format!("  | {line}"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}
