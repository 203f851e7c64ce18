//! Several threads compute one model: the same bytes for any number of them, whatever happened before.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{characters, to_bytes};
use peargpt::checkpoint::{Checkpoint, Model, random};
use peargpt::generation::{Decoding, Settings, Step, Window};
use peargpt::generation::{Progress, Run};
use peargpt::model::Config;
use peargpt::model::config::{Activation, Head};
use peargpt::sampler::{Sampler, Sampling};
use peargpt::team::Team;
use peargpt::tokenizer::Vocabulary;

const THREADS: [usize; 4] = [2, 3, 5, 8];

/// The model that comes with the project.
fn peargpt() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/peargpt.gguf")
}

/// A file with random weights of this shape.
fn file(name: &str, config: &Config) -> PathBuf {
    let weights = random::weights(config, 3).unwrap();
    let checkpoint = Checkpoint { config: config.clone(), tokenizer: characters(config.vocabulary_size), weights };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(format!("team-{name}.gguf"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, to_bytes(&checkpoint)).unwrap();
    path
}

/// What so many threads write with it.
fn team(path: &Path, threads: usize) -> (Model, Team) {
    let path = path.to_path_buf();
    Team::open(move || fs::File::open(&path), threads).unwrap()
}

/// Heads of 64, rows of whole blocks.
fn even() -> Config {
    Config {
        layers: 3,
        heads: 4,
        n_embd: 256,
        n_inner: 1024,
        context: 160,
        vocabulary_size: 90,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// Nothing divides by anything: heads of 10, rows that stay in 16 bits, ReLU, a head of its own.
fn odd() -> Config {
    Config {
        heads: 3,
        n_embd: 30,
        n_inner: 70,
        vocabulary_size: 61,
        activation: Activation::Relu,
        head: Head::Untied { bias: true },
        qkv_bias: false,
        ..even()
    }
}

/// The logits after each of some ids, and two texts that pass the context, token by token in turn, so that each finds the
/// other's keys and values; the first is left in its prompt.
fn outcome(model: &Model) -> (Vec<f32>, Vec<u32>) {
    let (gpt, size, context) = (&model.gpt, model.gpt.config().vocabulary_size as u32, model.gpt.config().context);
    let ids: Vec<u32> = (0..context as u32 - 4).map(|index| index * 7919 % size).collect();
    let logits = gpt.forward_all(&ids[..20], None).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let begin = |prompt: &[u32], window| {
        let sampling = Sampling { temperature: 1.3, ..Sampling::defaults(Vocabulary::Characters) };
        Decoding::new(gpt, prompt.to_vec(), window, Sampler::new(sampling, 5)).unwrap()
    };
    let next = |decoding: &mut Decoding| loop {
        if let Step::Token(_) = decoding.step(gpt).unwrap() {
            break;
        }
    };
    let mut text = begin(&ids, Window::Rolling);
    assert_eq!(text.step(gpt).unwrap(), Step::Prefilled);
    let mut other = begin(&ids, Window::Exact);
    for _ in 0..7 {
        next(&mut text);
        next(&mut other);
    }
    assert!(text.crossings() > 0 && other.crossings() > 1);
    (logits, [text.ids(), other.ids()].concat())
}

#[test]
fn any_number_of_threads_writes_the_same() {
    for path in [peargpt(), file("even", &even()), file("odd", &odd())] {
        let alone = outcome(&Model::open(&mut fs::File::open(&path).unwrap()).unwrap());
        for threads in THREADS {
            let (model, team) = team(&path, threads);
            assert_eq!(model.gpt.threads(), threads);
            assert!(outcome(&model) == alone, "{}, {threads} threads", path.display());
            drop(team);
        }
    }
}

#[test]
fn a_text_of_two_threads_is_that_of_one() {
    let settings = || {
        let mut settings = Settings::defaults(Vocabulary::Characters);
        settings.set("prompt", "ROMEO:").unwrap();
        settings.set("words", "60").unwrap();
        settings
    };
    let write = |model: &Model| {
        let mut run = Run::new(model, &settings(), 7).unwrap();
        let mut text = String::new();
        loop {
            match run.step(model).unwrap() {
                Progress::Prefilled => {}
                Progress::Token(token) => text.push_str(&token),
                Progress::Done(token, _) => return text + &token,
            }
        }
    };
    let alone = write(&Model::open(&mut fs::File::open(peargpt()).unwrap()).unwrap());
    let (model, _team) = team(&peargpt(), 2);
    assert_eq!(write(&model), alone);
}

#[test]
fn a_file_that_is_no_model_is_named_and_nobody_waits() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/team-no-model.gguf");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let whole = fs::read(peargpt()).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Team::open(move || fs::File::open(&path), 3).is_err());
    let nowhere = Team::open(|| fs::File::open("nowhere.gguf"), 2).unwrap_err().to_string();
    assert!(nowhere.contains("No such file"), "{nowhere}");
}
