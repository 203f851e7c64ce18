//! Of several models that are handed over together, none is taken unasked; and each is read with what goes with it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/imported.rs"]
mod imported;

use common::inspect;
use imported::{Files, SHARDS, files, named, needs};
use peargpt::checkpoint::import::{Answers, CheckpointInfo, Need, TINY_SHAKESPEARE};
use peargpt::checkpoint::precision::Precision;

fn choice(names: &[&str]) -> Vec<Need> {
    vec![Need::Choice { models: names.iter().map(|name| name.to_string()).collect() }]
}

/// The answers that choose this model.
fn choosing(model: &str) -> Answers {
    Answers { model: Some(model.to_string()), ..Answers::default() }
}

/// The names of the files that have the weights.
fn weights(info: &CheckpointInfo, files: &Files) -> Vec<String> {
    info.weight_files().into_iter().map(|file| files[file].name.clone()).collect()
}

/// Files of a fixture in a folder, or with other names.
fn renamed(fixture: &str, names: &[(&str, &str)]) -> Files {
    names.iter().map(|(from, to)| named(to, files(fixture, &[from]).remove(0).reader.into_inner())).collect()
}

fn sharded(folder: &str) -> Files {
    let names = [&SHARDS[..], &["model.safetensors.index.json", "config.json", "tokenizer.json"]].concat();
    let placed: Vec<String> = names.iter().map(|name| format!("{folder}{name}")).collect();
    renamed("sharded", &names.iter().copied().zip(placed.iter().map(String::as_str)).collect::<Vec<_>>())
}

#[test]
fn which_of_several_models_is_asked() {
    let gguf = || named("other.gguf", common::as_gguf("small", Precision::F32));
    let mut two = files("nanogpt", &["ckpt.pt", "meta.pkl"]);
    two.push(gguf());
    let nothing = Answers::default();
    assert_eq!(needs(&mut two, &nothing), choice(&["ckpt.pt", "other.gguf"]));
    assert_eq!(needs(&mut two, &choosing("gone.pt")), choice(&["ckpt.pt", "other.gguf"]));
    for (name, source) in [("ckpt.pt", "nanoGPT"), ("other.gguf", "GGUF")] {
        let info = inspect(&mut two, &choosing(name)).unwrap();
        assert_eq!((weights(&info, &two), info.summary(None).source), (vec![name.to_string()], source));
    }
    let info = inspect(&mut two, &choosing("ckpt.pt")).unwrap();
    assert_eq!(info.summary(None).ignored, ["other.gguf"]);

    let mut twice = vec![gguf(), named("again.gguf", common::as_gguf("small", Precision::F16))];
    assert_eq!(needs(&mut twice, &nothing), choice(&["other.gguf", "again.gguf"]));
    let mut both = files("lecture", &["bare.pth", "legacy.pth"]);
    assert_eq!(needs(&mut both, &nothing), choice(&["bare.pth", "legacy.pth"]));
    let mut formats = renamed("sharded", &[(SHARDS[0], "mine.safetensors")]);
    formats.extend(files("bin", &["pytorch_model.bin"]));
    assert_eq!(needs(&mut formats, &nothing), choice(&["mine.safetensors", "pytorch_model.bin"]));
}

#[test]
fn shards_are_one_model() {
    let mut alone = sharded("");
    assert_eq!(weights(&inspect(&mut alone, &Answers::default()).unwrap(), &alone), SHARDS);
    let mut two = sharded("a/");
    two.extend(sharded("b/"));
    let names = [format!("a/{}", SHARDS[0]), format!("b/{}", SHARDS[0])];
    assert_eq!(needs(&mut two, &Answers::default()), choice(&[&names[0], &names[1]]));
    let info = inspect(&mut two, &choosing(&names[1])).unwrap();
    assert_eq!(weights(&info, &two), SHARDS.map(|shard| format!("b/{shard}")));
    // Without the indexes too.
    two.retain(|file| !file.name.ends_with("index.json"));
    assert_eq!(needs(&mut two, &Answers::default()), choice(&[&names[0], &names[1]]));
    // A shard that is missing in a folder may lie beside it.
    two.retain(|file| !file.name.starts_with("a/") && !file.name.ends_with(SHARDS[1]));
    assert_eq!(needs(&mut two, &Answers::default()), [Need::File { name: SHARDS[1].to_string() }]);
    two.extend(files("sharded", &[SHARDS[1]]));
    assert_eq!(inspect(&mut two, &Answers::default()).unwrap().weight_files().len(), 3);
}

#[test]
fn copies_and_the_state_of_a_training_are_no_models() {
    let all = ["pytorch_model.bin", "config.json", "tokenizer.json"];
    let mut folder = files("bin", &all);
    folder.extend(renamed(
        "lecture",
        &[("bare.pth", "training_args.bin"), ("legacy.pth", "optimizer.pt"), ("wrapped.pth", "rng_state_0.pth")],
    ));
    let info = inspect(&mut folder, &Answers::default()).unwrap();
    assert_eq!(weights(&info, &folder), ["pytorch_model.bin"]);
    let mut copies = sharded("");
    copies.extend(files("bin", &["pytorch_model.bin"]));
    copies.extend(renamed("bin", &[("pytorch_model.bin", "rust_model.ot")]));
    let info = inspect(&mut copies, &Answers::default()).unwrap();
    assert_eq!(weights(&info, &copies), SHARDS);
    // The copy of another folder's model is a model.
    let mut elsewhere = sharded("a/");
    elsewhere.extend(renamed("bin", &[("pytorch_model.bin", "b/pytorch_model.bin")]));
    let first = format!("a/{}", SHARDS[0]);
    assert_eq!(needs(&mut elsewhere, &Answers::default()), choice(&[&first, "b/pytorch_model.bin"]));
}

#[test]
fn each_model_gets_what_goes_with_it() {
    // By the folder.
    let mut folders = renamed("nanogpt", &[("ckpt.pt", "plays/ckpt.pt"), ("meta.pkl", "plays/meta.pkl")]);
    folders.extend(renamed("lecture", &[("bare.pth", "lecture/ckpt.pt")]));
    let info = inspect(&mut folders, &choosing("plays/ckpt.pt")).unwrap();
    assert_eq!(info.tokenizer.tokens.len(), 32);
    let alphabet = vec![Need::Alphabet { tokens: 65, proposed: Some(TINY_SHAKESPEARE) }];
    assert_eq!(needs(&mut folders, &choosing("lecture/ckpt.pt")), alphabet);
    // What lies beside the folders goes with both, but a folder's own comes first.
    folders.extend(renamed("nanogpt", &[("meta.pkl", "meta.pkl")]));
    assert_eq!(inspect(&mut folders, &choosing("plays/ckpt.pt")).unwrap().summary(None).ignored.len(), 2);

    // By the name.
    let two = |name: &str| {
        let mut files = renamed("nanogpt", &[("ckpt.pt", "ckpt_1.pt"), ("meta.pkl", "meta_1.pkl")]);
        files.extend(renamed("nanogpt", &[("ckpt.pt", "ckpt_2.pt")]));
        files.push(named("meta_2.pkl", b"\x80\x02}.".to_vec()));
        inspect(&mut files, &choosing(name)).map(|info| info.summary(None).ignored)
    };
    assert_eq!(two("ckpt_1.pt").unwrap(), ["ckpt_2.pt", "meta_2.pkl"]);
    let mut last = renamed("nanogpt", &[("ckpt.pt", "ckpt.pt"), ("meta.pkl", "meta.pkl")]);
    last.extend(renamed("nanogpt", &[("ckpt.pt", "ckpt_1.pt")]));
    last.push(named("meta_1.pkl", b"\x80\x02}.".to_vec()));
    assert_eq!(inspect(&mut last, &choosing("ckpt.pt")).unwrap().summary(None).ignored, ["ckpt_1.pt", "meta_1.pkl"]);

    // By what fits.
    let mut mixed = files("nanogpt", &["ckpt.pt", "meta.pkl"]);
    mixed.extend(files("lecture", &["bare.pth"]));
    assert_eq!(inspect(&mut mixed, &choosing("ckpt.pt")).unwrap().tokenizer.tokens.len(), 32);
    assert_eq!(needs(&mut mixed, &choosing("bare.pth")), alphabet);
    mixed.extend(files("bin", &["pytorch_model.bin", "config.json", "tokenizer.json"]));
    assert_eq!(inspect(&mut mixed, &choosing("ckpt.pt")).unwrap().tokenizer.tokens.len(), 32);
    let info = inspect(&mut mixed, &choosing("pytorch_model.bin")).unwrap();
    assert_eq!((info.config.heads, info.tokenizer.merges.is_empty()), (4, false));
}
