//! A small model of letters, and texts of it.

use std::fs;
use std::path::{Path, PathBuf};

use peargpt::checkpoint::{Checkpoint, Model, random};
use peargpt::generation::{Decoding, Progress, Run, Settings, StopReason, Take, Window};
use peargpt::model::config::{Activation, Head};
use peargpt::model::{Config, Part};
use peargpt::sampler::Sampling;
use peargpt::team::Team;
use peargpt::tokenizer::bytes::spell;
use peargpt::tokenizer::{TokenizerSpec, Vocabulary};

use super::to_bytes;

pub const SEED: u32 = 5;
/// Behind a prompt of five; the window moves twice.
pub const TOKENS: usize = 70;
pub const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz .,;:!?'-ABCDE\n";

pub fn config() -> Config {
    Config {
        layers: 2,
        heads: 4,
        n_embd: 64,
        n_inner: 96,
        context: 40,
        vocabulary_size: LETTERS.len(),
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// A file with random weights, in which every letter is a token.
pub fn file() -> PathBuf {
    let tokens = LETTERS.chars().map(|letter| spell(letter.to_string().as_bytes())).collect();
    let tokenizer = TokenizerSpec { tokens, merges: Vec::new(), start: LETTERS.len() as u32 - 1, end_of_text: None };
    let checkpoint = Checkpoint { config: config(), tokenizer, weights: random::weights(&config(), 3).unwrap() };
    let name = format!("inside-{:?}.gguf", std::thread::current().id());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, to_bytes(&checkpoint)).unwrap();
    path
}

pub fn open(threads: usize) -> (Model, Team) {
    let path = file();
    Team::open(move || fs::File::open(&path), threads).unwrap()
}

pub fn settings(window: Window, temperature: f32) -> Settings {
    let sampling = Sampling { temperature, ..Sampling::defaults(Vocabulary::Characters) };
    let defaults = Settings::defaults(Vocabulary::Characters);
    Settings { prompt: "to be".into(), tokens: Some(TOKENS as u32), window, sampling, ..defaults }
}

pub fn take(position: u32, id: u32) -> Take {
    Take { position, id }
}

/// Writes to the end, and returns the text and why it ended.
pub fn finish(model: &Model, run: &mut Run) -> (String, StopReason) {
    let mut text = String::new();
    loop {
        match run.step(model).unwrap() {
            Progress::Prefilled => {}
            Progress::Token(more) => text.push_str(&more),
            Progress::Done(more, reason) => return (text + &more, reason),
        }
    }
}

pub fn write(model: &Model, settings: &Settings) -> (Run, String, StopReason) {
    let mut run = Run::new(model, settings, SEED).unwrap();
    let (text, reason) = finish(model, &mut run);
    (run, text, reason)
}

pub fn assert_same(found: &Run, expected: &Run) {
    let (found, expected) = (found.decoding(), expected.decoding());
    assert_eq!(found.ids(), expected.ids());
    assert_eq!(found.crossings(), expected.crossings());
    let origins =
        |decoding: &Decoding| (0..decoding.ids().len()).map(|index| decoding.origin(index)).collect::<Vec<_>>();
    assert_eq!(origins(found), origins(expected));
}

pub fn parts() -> Vec<Part> {
    vec![Part::Head { layer: 0, head: 3 }, Part::Head { layer: 1, head: 0 }, Part::Mlp { layer: 1 }]
}
