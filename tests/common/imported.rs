//! The checkpoints of `tests/fixtures/make_imported.py`, in memory.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::fs;

use peargpt::checkpoint::Checkpoint;
use peargpt::checkpoint::import::{self, Answers, Inspection, Need, TINY_SHAKESPEARE};
use peargpt::checkpoint::precision::Precision;
use peargpt::model::Gpt;
use serde::Deserialize;

pub use crate::common::{Files, inspect, named};
use crate::common::{gguf_of, opened, path, text};

/// Files of a fixture.
pub fn files(fixture: &str, names: &[&str]) -> Files {
    let read = |name: &&str| named(name, fs::read(path(&format!("tests/fixtures/imported/{fixture}/{name}"))).unwrap());
    names.iter().map(read).collect()
}

/// What is missing.
pub fn needs(files: &mut Files, answers: &Answers) -> Vec<Need> {
    match import::inspect(files, answers).unwrap() {
        Inspection::Needs(needs) => needs,
        Inspection::Ready(info) => panic!("{:?}", info.config),
    }
}

/// The GGUF that these files become.
pub fn converted(files: &mut Files, precision: Option<Precision>) -> Vec<u8> {
    let info = inspect(files, &shakespeare()).unwrap();
    gguf_of(&info, files, precision).unwrap()
}

/// What the site opens of them.
pub fn read(files: &mut Files, precision: Option<Precision>) -> Checkpoint {
    opened(&converted(files, precision))
}

/// The answer where a character model of 65 tokens says no more.
pub fn shakespeare() -> Answers {
    Answers { alphabet: Some(TINY_SHAKESPEARE.to_string()), ..Answers::default() }
}

/// Ids and PyTorch's logits after each of them.
#[derive(Deserialize)]
struct Case {
    ids: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

/// The largest difference from a fixture's logits, and the largest of these.
pub fn distance(checkpoint: Checkpoint, fixture: &str) -> (f32, f32) {
    let Checkpoint { config, mut weights, .. } = checkpoint;
    let gpt = Gpt::load(&config, &mut weights).unwrap();
    let (mut distance, mut most) = (0f32, 0f32);
    for Case { ids, logits } in cases(fixture) {
        let found: Vec<Vec<f32>> = gpt.forward_all(&ids, None).unwrap().to_vec2().unwrap();
        assert_eq!((found.len(), found[0].len()), (logits.len(), logits[0].len()), "{fixture}");
        for (a, b) in found.iter().flatten().zip(logits.iter().flatten()) {
            distance = distance.max((a - b).abs());
            most = most.max(b.abs());
        }
    }
    (distance, most)
}

fn cases(fixture: &str) -> Vec<Case> {
    serde_json::from_str(&text(&format!("tests/fixtures/imported/{fixture}/logits.json"))).unwrap()
}

/// The logits after each of a fixture's ids.
pub fn logits(gpt: &Gpt, fixture: &str) -> Vec<f32> {
    let after = |case: &Case| -> Vec<f32> {
        gpt.forward_all(&case.ids, None).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    cases(fixture).iter().flat_map(after).collect()
}

pub const SHARDS: [&str; 3] =
    ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"];

/// Each fixture with the files that it takes.
pub fn fixtures() -> Vec<(&'static str, Files)> {
    let sharded = [&SHARDS[..], &["model.safetensors.index.json", "config.json", "tokenizer.json"]].concat();
    vec![
        ("nanogpt", files("nanogpt", &["ckpt.pt", "meta.pkl"])),
        ("unbiased", files("unbiased", &["merges.txt", "ckpt.pt", "vocab.json"])),
        ("lecture", files("lecture", &["bare.pth"])),
        ("lecture", files("lecture", &["wrapped.pth"])),
        ("lecture", files("lecture", &["legacy.pth"])),
        ("bin", files("bin", &["pytorch_model.bin", "config.json", "tokenizer.json"])),
        ("sharded", files("sharded", &sharded)),
        ("quantised", files("quantised", &["model.gguf"])),
        ("kquants", files("kquants", &["model.gguf"])),
    ]
}
