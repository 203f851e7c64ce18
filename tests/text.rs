//! What pearGPT writes, natively and in the browser: the committed greedy texts, replay, stop rules, windows.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use peargpt::app::self_check::{REPLAY_SHA256, replay_settings};
use peargpt::checkpoint::Model;
use peargpt::generation::Settings;
use peargpt::generation::StopReason;
use peargpt::generation::{Progress, Run};
use peargpt::tokenizer::Vocabulary;
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Characters of each greedy text.
const GREEDY_CHARACTERS: usize = 100;

fn model() -> Model {
    Model::open(&mut Cursor::new(include_bytes!("../weights/peargpt.gguf"))).unwrap()
}

fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::defaults(Vocabulary::Characters);
    for (name, value) in values {
        settings.set(name, value).unwrap();
    }
    settings
}

/// The next `characters` characters of a run, or as many as there are, and why no more.
fn read(run: &mut Run, model: &Model, characters: usize) -> (String, Option<StopReason>) {
    let mut text = String::new();
    while text.chars().count() < characters {
        match run.step(model).unwrap() {
            Progress::Prefilled => {}
            Progress::Token(token) => text.push_str(&token),
            Progress::Done(token, reason) => return (text + &token, Some(reason)),
        }
    }
    (text, None)
}

#[test]
fn greedy_texts_are_the_committed_ones() {
    let model = model();
    let golden = [
        ("Second Murderer:\nWhat, shall we", include_str!("golden/murderer.txt")),
        ("First Citizen:\nBefore we proceed any further, hear me speak.", include_str!("golden/citizen.txt")),
    ];
    for (prompt, expected) in golden {
        let settings = settings(&[("prompt", prompt), ("temperature", "0"), ("words", "5000")]);
        let (text, _) = read(&mut Run::new(&model, &settings, 0).unwrap(), &model, GREEDY_CHARACTERS);
        assert_eq!(text, expected, "after {prompt:?}");
    }
}

#[test]
fn the_text_of_the_self_check_has_its_hash() {
    let (model, settings) = (model(), replay_settings());
    let mut run = Run::new(&model, &settings, settings.seed.unwrap()).unwrap();
    let text = settings.prompt + &read(&mut run, &model, usize::MAX).0;
    assert!(text.ends_with('\n'), "the terminal would add a line end to {text}");
    let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, REPLAY_SHA256, "{text}");
}

#[test]
fn no_prompt_starts_from_a_newline() {
    let model = model();
    let by_itself = Run::new(&model, &settings(&[]), 7).unwrap();
    let after_newline = Run::new(&model, &settings(&[("prompt", "\n")]), 7).unwrap();
    assert_eq!((by_itself.prompt_tokens(), after_newline.prompt_tokens()), (0, 1));
    let [a, b] = [by_itself, after_newline].map(|mut run| read(&mut run, &model, 50).0);
    assert_eq!(a, b);
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_seed_another() {
    let model = model();
    let settings = settings(&[("prompt", "JULIET:\n"), ("words", "40")]);
    let [a, b, c] = [7, 7, 8].map(|seed| read(&mut Run::new(&model, &settings, seed).unwrap(), &model, usize::MAX));
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert!(matches!(a.1, Some(StopReason::Words | StopReason::Tail)));
}

#[test]
fn a_word_asked_for_ends_with_its_paragraph() {
    let model = model();
    let mut run = Run::new(&model, &settings(&[("words", "1"), ("temperature", "0")]), 0).unwrap();
    let (text, reason) = read(&mut run, &model, usize::MAX);
    assert_eq!(reason, Some(StopReason::Words));
    assert!(text.ends_with("\n\n"), "{text:?}");
    assert_eq!(text.trim_end().matches("\n\n").count(), 0, "one paragraph: {text:?}");
    assert_eq!(run.words() as usize, text.split_whitespace().count());
}

#[test]
fn a_text_goes_on_from_where_it_ended() {
    let model = model();
    let short = settings(&[("words", "5")]);
    let mut run = Run::new(&model, &short, 3).unwrap();
    let (mut text, _) = read(&mut run, &model, usize::MAX);
    run.extend(30);
    text.push_str(&read(&mut run, &model, usize::MAX).0);
    let words = text.split_whitespace().count();
    assert!(words >= 35, "{words}");
    let longer = settings(&[("words", "5000")]);
    let at_once = read(&mut Run::new(&model, &longer, 3).unwrap(), &model, text.chars().count()).0;
    assert_eq!(text, at_once, "stopping in between changes nothing");
}

#[test]
fn a_text_is_resumed_from_its_tokens_byte_by_byte() {
    let model = model();
    // The context of 256 is full twice.
    let settings = settings(&[("prompt", "ROMEO:\n"), ("tokens", "600")]);
    let mut whole = Run::new(&model, &settings, 5).unwrap();
    let (text, _) = read(&mut whole, &model, usize::MAX);
    for drawn in [0, 1, 130, 251, 420] {
        let (mut run, shown) = Run::resume(&model, &settings, 5, &whole.drawn(0)[..drawn]).unwrap();
        assert_eq!(shown, text[..drawn]);
        assert_eq!(run.words() as usize, text[..drawn].split_whitespace().count());
        let (rest, reason) = read(&mut run, &model, usize::MAX);
        assert_eq!((rest.as_str(), reason), (&text[drawn..], Some(StopReason::Tokens)), "after {drawn} tokens");
        assert_eq!(run.drawn(drawn), &whole.drawn(0)[drawn..]);
    }
}

#[test]
fn characters_that_the_model_does_not_know_are_named() {
    let error = Run::new(&model(), &settings(&[("prompt", "Für Elise, 12€")]), 0).unwrap_err().to_string();
    for character in ["ü", "1", "2", "€"] {
        assert!(error.contains(character), "{error}");
    }
}

/// Memory must not grow with the text: a tab stays open for long.
#[cfg(target_arch = "wasm32")]
#[test]
fn the_third_window_takes_no_more_memory_than_the_first() {
    let model = model();
    let mut run = Run::new(&model, &settings(&[("words", "5000")]), 1).unwrap();
    let mut pages = Vec::new();
    for crossing in 1..=3 {
        while run.decoding().crossings() < crossing || run.decoding().cached() < run.decoding().visible() - 1 {
            run.step(&model).unwrap();
        }
        pages.push(core::arch::wasm32::memory_size::<0>());
    }
    assert_eq!(pages[0], pages[2], "{pages:?}");
}
