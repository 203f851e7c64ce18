//! A text is its settings and a number of tokens: whatever it went through, that number repeats it to the byte.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::io::Cursor;

use common::as_gguf;
use peargpt::checkpoint::Model;
use peargpt::checkpoint::precision::Precision;
use peargpt::generation::{Progress, Run, Settings, StopReason};
use peargpt::tokenizer::Vocabulary;

/// A model with random weights whose tokens are bytes and pairs of them: most of what it writes are cut characters.
fn model() -> Model {
    Model::open(&mut Cursor::new(as_gguf("small", Precision::Q8_0))).unwrap()
}

fn settings(words: u32, tokens: Option<u32>) -> Settings {
    let mut settings = Settings { words, tokens, ..Settings::defaults(Vocabulary::BytePairs) };
    (settings.sampling.top_k, settings.sampling.temperature) = (0, 3.0);
    settings
}

/// Writes until the run ends, or has `most` tokens, and appends what it writes. Returns why it ended.
fn write(run: &mut Run, model: &Model, most: usize, text: &mut String) -> StopReason {
    while run.tokens() < most {
        match run.step(model).unwrap() {
            Progress::Prefilled => {}
            Progress::Token(token) => text.push_str(&token),
            Progress::Done(token, reason) => {
                text.push_str(&token);
                return reason;
            }
        }
    }
    StopReason::Stopped
}

#[test]
fn a_text_that_was_stopped_and_continued_is_repeated_by_its_number_of_tokens() {
    let model = model();
    let (mut ends, mut held) = (Vec::new(), 0);
    for seed in 0..60 {
        let (mut run, mut text) = (Run::new(&model, &settings(3, None), seed).unwrap(), String::new());
        for stop in 0..4 {
            // Stopped by the reader, or ended by itself.
            let most = if stop % 2 == 0 { run.tokens() + 1 + (seed as usize * 7 + stop) % 40 } else { 1000 };
            ends.push(write(&mut run, &model, most, &mut text));
            let repeated = settings(5000, Some(run.tokens() as u32));
            let (mut again, mut repeat) = (Run::new(&model, &repeated, seed).unwrap(), String::new());
            let reason = write(&mut again, &model, usize::MAX, &mut repeat);
            assert_eq!((again.tokens(), reason), (run.tokens(), StopReason::Tokens), "seed {seed}, stop {stop}");
            assert_eq!(repeat, text, "seed {seed}, stop {stop}");
            held += usize::from(!text.ends_with('\u{fffd}'));
            run.extend(2);
        }
    }
    for reason in [StopReason::Stopped, StopReason::EndOfText] {
        assert!(ends.contains(&reason), "no text ended with {reason:?}: {ends:?}");
    }
    assert!(held > 0, "all texts end with a cut character");
}

#[test]
fn a_number_of_tokens_takes_the_place_of_every_other_end() {
    let model = model();
    for tokens in [1, 2, 700] {
        let mut run = Run::new(&model, &settings(1, Some(tokens)), 1).unwrap();
        let reason = write(&mut run, &model, usize::MAX, &mut String::new());
        assert_eq!((run.tokens(), reason), (tokens as usize, StopReason::Tokens));
    }
    let mut run = Run::new(&model, &settings(1, Some(5)), 1).unwrap();
    write(&mut run, &model, usize::MAX, &mut String::new());
    run.extend(1);
    assert_ne!(write(&mut run, &model, usize::MAX, &mut String::new()), StopReason::Tokens, "it goes on by words");
    assert!(run.tokens() > 5);
}
