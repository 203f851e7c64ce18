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

/// A text with stop sequences is the one without them, up to the first.
#[test]
fn stop_sequences_cut_a_text_and_change_nothing_of_it() {
    let model = model();
    for seed in 0..30 {
        let mut whole = String::new();
        write(&mut Run::new(&model, &settings(3, None), seed).unwrap(), &model, usize::MAX, &mut whole);
        let characters: Vec<char> = whole.chars().collect();
        for length in [1, 2, 5] {
            let begin = characters.len() / 2;
            let stop: String = characters.iter().skip(begin).take(length).collect();
            let cut = whole.split(&stop).next().unwrap();
            let stopped = Settings { stop: vec!["\u{1}\u{2}\u{3}".into(), stop.clone()], ..settings(3, None) };
            let (mut run, mut text) = (Run::new(&model, &stopped, seed).unwrap(), String::new());
            let reason = write(&mut run, &model, usize::MAX, &mut text);
            assert_eq!((text.as_str(), reason), (cut, StopReason::Sequence), "seed {seed}, {stop:?} in {whole:?}");
            assert_eq!(run.words() as usize, text.split_whitespace().count(), "{text:?}");
            text.push_str(&run.release());
            assert!(whole.starts_with(&text) && text.contains(&stop), "{text:?}");
        }
    }
}

/// Continue goes on behind a stop sequence and shows it then. A link to the text has the number of tokens, and the stop
/// sequences where one ended it.
#[test]
fn a_text_that_went_on_past_stop_sequences_is_repeated_by_its_number_of_tokens() {
    let model = model();
    let mut ends = Vec::new();
    for seed in 0..60 {
        let stop: Vec<String> = [" ", "e", "\u{fffd}", "\u{fffd}\u{fffd}a"].map(String::from).to_vec();
        let asked = Settings { stop: stop.clone(), ..settings(3, None) };
        let (mut run, mut text) = (Run::new(&model, &asked, seed).unwrap(), String::new());
        for turn in 0..6 {
            let most = run.tokens() + 1 + (seed as usize * 7 + turn) % 9;
            let reason = write(&mut run, &model, most, &mut text);
            if reason == StopReason::Stopped {
                text.push_str(&run.release());
            }
            let stop = if reason == StopReason::Sequence { stop.clone() } else { Vec::new() };
            let linked = Settings { stop, ..settings(3, Some(run.tokens() as u32)) };
            let mut repeat = String::new();
            write(&mut Run::new(&model, &linked, seed).unwrap(), &model, usize::MAX, &mut repeat);
            assert_eq!(repeat, text, "seed {seed}, turn {turn}, {reason:?}");
            text.push_str(&run.release());
            run.extend(2);
            ends.push(reason);
        }
    }
    for reason in [StopReason::Stopped, StopReason::Sequence] {
        assert!(ends.contains(&reason), "no text ended with {reason:?}: {ends:?}");
    }
}
