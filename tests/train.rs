//! `train` as a reader of the terminal meets it: the same recipe gives the same file, whatever happens on the way.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::numbers::Numbers;
use peargpt::checkpoint::Model;
use peargpt::tokenizer::Vocabulary;

/// A model that learns in seconds: three leaves to a batch.
const SHAPE: [&str; 13] = [
    "--n-layer=2",
    "--n-head=2",
    "--n-embd=32",
    "--block-size=32",
    "--batch-size=12",
    "--dropout=0.1",
    "--held-out=0.2",
    "--seed=3",
    "--out",
    "mine.gguf",
    "text.txt",
    "--quantize",
    "f32",
];

/// Every step is saved.
const SAVED: &str = "--save-every=0";

/// A folder of its own with a text in it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("train").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("text.txt"), text(7)).unwrap();
    folder
}

/// Sentences of a few words.
fn text(seed: u64) -> String {
    let words = ["the", "king", "and", "his", "fool", "speak", "of", "love", "night", "is", "long", "O", "thou", "art"];
    let mut numbers = Numbers(seed);
    let mut word = || words[numbers.below(words.len())];
    (0..400).map(|_| format!("{} {} {} {}.\n", word(), word(), word(), word())).collect()
}

fn train(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
    command.args(SHAPE).args(arguments).current_dir(folder);
    command
}

/// What is said on stderr, and the exit code.
fn run(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let Output { stderr, status, .. } = train(folder, arguments).output().unwrap();
    (String::from_utf8(stderr).unwrap(), status.code())
}

/// The one line that a run that cannot go on says.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let (said, code) = run(folder, arguments);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim().strip_prefix("train: ").unwrap().to_string()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// Starts a run, and waits until it has begun to take steps.
fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut child = train(folder, arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.as_mut().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("parameters")), "it does not begin");
    child
}

/// Waits until the run was saved twice.
fn wait_for_both(folder: &Path) {
    let begun = Instant::now();
    while !folder.join("mine.gguf.run-1").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the run is not saved in both files");
        sleep(Duration::from_millis(5));
    }
}

/// Presses Ctrl-C.
fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
fn the_same_recipe_gives_the_same_file_with_any_number_of_threads_and_after_any_number_of_kills() {
    let whole = folder("whole");
    let (said, code) = run(&whole, &["--steps=60", "--threads=1"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("60 steps") && said.contains("held out; mine.gguf is ready"), "{said}");
    let left = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    assert_eq!(left(&whole), ["mine.gguf", "mine.gguf.csv", "mine.gguf.svg", "text.txt"]);
    let svg = String::from_utf8(read(&whole, "mine.gguf.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.matches("<polyline").count() == 2, "{svg}");

    for threads in ["2", "3"] {
        let other = folder(threads);
        assert_eq!(run(&other, &["--steps=60", "--threads", threads]).1, Some(0));
        for file in ["mine.gguf", "mine.gguf.csv"] {
            assert!(read(&whole, file) == read(&other, file), "{file} with {threads} threads");
        }
    }

    let broken = folder("broken");
    let (mut numbers, mut kills) = (Numbers(11), 0);
    loop {
        let threads = (1 + kills % 3).to_string();
        let mut child = start(&broken, &["--steps=60", SAVED, "--resume", "--threads", &threads]);
        sleep(Duration::from_millis(30 + numbers.below(250) as u64));
        match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None if kills % 2 == 0 => child.kill().unwrap(),
            None => interrupt(&child),
        }
        child.wait().unwrap();
        kills += 1;
        assert!(kills < 200, "the run does not get on");
    }
    assert!(kills >= 2, "{kills}");
    assert!(!left(&broken).iter().any(|name| name.contains(".run-")), "{:?}", left(&broken));
    for file in ["mine.gguf", "mine.gguf.csv"] {
        assert!(read(&whole, file) == read(&broken, file), "{file} after {kills} kills");
    }
}

#[test]
fn the_loss_is_what_convert_measures_on_the_file() {
    let folder = folder("measured");
    let (said, code) = run(&folder, &["--steps=40"]);
    assert_eq!(code, Some(0), "{said}");
    let number = |text: &str| text.split(" nats").next().unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    let mut convert = Command::new(env!("CARGO_BIN_EXE_convert"));
    convert.args(["mine.gguf", "--evaluate", "text.txt", "--share", "0.2"]).current_dir(&folder);
    let measured = String::from_utf8(convert.output().unwrap().stdout).unwrap();
    let (trainer, engine) = (number(said.lines().last().unwrap()), number(&measured));
    // Both are told in hundred thousandths.
    assert!((trainer - engine).abs() < 1.5e-5, "{trainer}, {engine}");
}

#[test]
fn ctrl_c_saves_and_what_is_saved_is_held_to_its_hash_and_its_text() {
    let folder = folder("stopped");
    let mut child = start(&folder, &["--steps=100000", SAVED]);
    wait_for_both(&folder);
    interrupt(&child);
    let output = child.wait().map(|status| status.code()).unwrap();
    assert_eq!(output, Some(2));
    let told = refused(&folder, &["--steps=100000"]);
    assert_eq!(told, "mine.gguf.run-0 is a run that has not ended: add --resume, or remove it");

    fs::write(folder.join("text.txt"), text(8)).unwrap();
    let told = refused(&folder, &["--steps=100000", "--resume"]);
    assert!(told.contains("the run learned another text: expected sha256"), "{told}");
    fs::write(folder.join("text.txt"), text(7)).unwrap();

    // One of two may be damaged: the run goes on from the other, and does not write over it first.
    let mut damaged = read(&folder, "mine.gguf.run-0");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(folder.join("mine.gguf.run-0"), &damaged).unwrap();
    let good = read(&folder, "mine.gguf.run-1");
    let mut child = start(&folder, &["--steps=100000", "--resume"]);
    interrupt(&child);
    child.wait().unwrap();
    assert!(read(&folder, "mine.gguf.run-1") == good, "the good state was written over");
    assert!(read(&folder, "mine.gguf.run-0") != damaged, "the run was not saved");

    for file in ["mine.gguf.run-0", "mine.gguf.run-1"] {
        fs::write(folder.join(file), &damaged).unwrap();
    }
    let told = refused(&folder, &["--steps=100000", "--resume"]);
    assert!(told.contains("the saved run is damaged"), "{told}");
    fs::write(folder.join("mine.gguf.run-0"), "something else").unwrap();
    fs::remove_file(folder.join("mine.gguf.run-1")).unwrap();
    assert!(refused(&folder, &["--steps=100000", "--resume"]).contains("the file is no saved run"));
}

#[test]
fn bad_texts_are_told_before_anything_starts() {
    let folder = folder("texts");
    let many: String = ('\u{4e00}'..).take(1100).collect();
    let texts: [(&[u8], &str); 6] = [
        (b"", "text.txt: the text is empty"),
        (b"To be", "text.txt: the text is too short: expected 33 tokens or more to learn, found 4"),
        (&[b'a'; 500], "text.txt: the text has one kind of character only, `a`"),
        (b"To be\xff, or not", "text.txt: expected a text in UTF-8, found another byte at 5"),
        (many.as_bytes(), "text.txt: the text has more than 1024 kinds of characters"),
        (
            &[b"ab".as_slice(); 60].concat(),
            "text.txt: the text is too short: expected 33 tokens or more to hold out, found 24",
        ),
    ];
    for (text, expected) in texts {
        fs::write(folder.join("text.txt"), text).unwrap();
        assert_eq!(refused(&folder, &["--steps=5"]), expected);
    }
    // Larger than what is read: a file with a hole.
    let large = fs::File::create(folder.join("text.txt")).unwrap();
    large.set_len((1 << 30) + 1).unwrap();
    let told = refused(&folder, &["--steps=5"]);
    assert_eq!(told, "text.txt: expected at most 1073741824 bytes, found 1073741825");
    fs::remove_file(folder.join("text.txt")).unwrap();
    assert!(refused(&folder, &["--steps=5"]).starts_with("text.txt: No such file"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_loss_that_is_not_a_number_ends_the_run_with_the_last_good_state() {
    let folder = folder("diverged");
    let (said, code) = run(&folder, &["--steps=500", SAVED, "--learning-rate=1e30"]);
    assert_eq!(code, Some(2), "{said}");
    let told = said.lines().last().unwrap();
    assert!(told.contains("try a lower learning rate; the last good state, after step "), "{said}");
    let model = Model::open(&mut BufReader::new(fs::File::open(folder.join("mine.gguf")).unwrap()));
    assert!(model.is_ok() && !folder.join("mine.gguf.run-0").exists() && !folder.join("mine.gguf.run-1").exists());
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let folder = folder("full");
    // A file of more than 128 blocks cannot be written, as on a disk without room; the signal that says so is not wanted.
    let limited = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_train")]);
        command.args(SHAPE).args(arguments).arg(SAVED).current_dir(&folder).stderr(Stdio::piped());
        command
    };
    let Output { stderr, status, .. } = limited(&["--steps=8"]).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), said.lines().count()), (Some(2), 1), "told before the first step: {said}");
    assert!(said.contains("mine.gguf.run-0: File too large"), "{said}");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["text.txt"], "half a file was left");

    // With a state from before the disk was full, the run goes on from it.
    let mut child = start(&folder, &["--steps=100000", SAVED]);
    wait_for_both(&folder);
    child.kill().unwrap();
    child.wait().unwrap();
    let states = || [read(&folder, "mine.gguf.run-0"), read(&folder, "mine.gguf.run-1")];
    let before = states();
    let mut child = limited(&["--steps=100000", "--resume"]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let later = said.by_ref().filter(|line| line.contains("the run goes on, and is saved again later"));
    assert!(later.take(2).count() == 2, "it does not go on");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(states() == before, "a state was lost");
}

#[test]
fn a_model_is_fine_tuned_and_learns_new_characters() {
    let folder = folder("tuned");
    assert_eq!(run(&folder, &["--steps=80"]).1, Some(0));
    let first = |folder: &Path, name: &str| {
        let csv = String::from_utf8(read(folder, name)).unwrap();
        csv.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse::<f64>().unwrap()
    };
    fs::rename(folder.join("mine.gguf"), folder.join("base.gguf")).unwrap();
    let tune = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.args(["text.txt", "--from=base.gguf", "--out=tuned.gguf", "--held-out=0.2", "--batch-size=12"]);
        let Output { stderr, status, .. } = command.args(arguments).current_dir(&folder).output().unwrap();
        (String::from_utf8(stderr).unwrap(), status.code())
    };
    fs::write(folder.join("text.txt"), text(9)).unwrap();
    let (said, code) = tune(&["--steps=4"]);
    assert_eq!(code, Some(0), "{said}");
    let (random, tuned) = (first(&folder, "mine.gguf.csv"), first(&folder, "tuned.gguf.csv"));
    assert!(tuned < random - 0.5, "{tuned} after {random}");

    fs::remove_file(folder.join("tuned.gguf")).unwrap();
    fs::write(folder.join("text.txt"), text(9).replace("fool", "fööl")).unwrap();
    let (said, code) = tune(&["--steps=40"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("train: the model learns 1 more kind of characters: ö\n"), "{said}");
    let file = fs::File::open(folder.join("tuned.gguf")).unwrap();
    let model = Model::open(&mut BufReader::new(file)).unwrap();
    assert_eq!(model.tokenizer.alphabet().unwrap().chars().last(), Some('ö'));
    let loss = |line: &str| line.split("held out ").nth(1).map(|loss| loss.trim().parse::<f64>().unwrap());
    assert!(said.lines().rev().find_map(loss).unwrap() < random - 0.5, "{said}");

    let many: String = ('\u{4e00}'..).take(1020).chain(text(9).chars()).collect();
    fs::write(folder.join("text.txt"), many).unwrap();
    let (said, code) = tune(&["--steps=4"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("kinds of characters, expected at most 1024"), "{said}");
    fs::write(folder.join("text.txt"), text(9)).unwrap();
    fs::write(folder.join("base.gguf"), "no model").unwrap();
    let (said, code) = tune(&["--steps=4"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("base.gguf: "), "{said}");
}

#[test]
fn a_byte_pair_model_is_fine_tuned_with_the_tokens_it_has() {
    let folder = folder("pairs");
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small");
    let mut convert = Command::new(env!("CARGO_BIN_EXE_convert"));
    convert.arg(base).args(["--quantize", "f32", "--out", "base.gguf"]).current_dir(&folder);
    assert!(convert.status().unwrap().success());
    let tune = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.args(["text.txt", "--from=base.gguf", "--out=tuned.gguf", "--steps=40", "--batch-size=12"]);
        let Output { stderr, status, .. } = command.current_dir(&folder).output().unwrap();
        (String::from_utf8(stderr).unwrap(), status.code())
    };
    fs::write(folder.join("text.txt"), text(5).replace('O', "and the other")).unwrap();
    let (said, code) = tune();
    assert_eq!(code, Some(0), "{said}");
    let held_out = |line: &str| line.split("held out ").nth(1).and_then(|loss| loss.trim().parse::<f64>().ok());
    let losses: Vec<f64> = said.lines().filter_map(held_out).collect();
    assert!(losses.len() > 10 && losses[losses.len() - 1] < losses[0] - 0.5, "{losses:?}");
    let open = |name: &str| Model::open(&mut BufReader::new(fs::File::open(folder.join(name)).unwrap())).unwrap();
    assert_eq!(open("tuned.gguf").tokenizer.spec(), open("base.gguf").tokenizer.spec());
    assert_eq!(open("tuned.gguf").tokenizer.vocabulary(), Vocabulary::BytePairs);

    fs::write(folder.join("text.txt"), text(5).replace("fool", "fööl")).unwrap();
    let (said, code) = tune();
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("the model does not know these characters: O, ö"), "{said}");
}
