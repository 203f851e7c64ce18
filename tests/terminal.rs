//! `generate` as a reader of the terminal meets it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::process::{Command, Output, Stdio};

use peargpt::app::self_check::{REPLAY_PROMPT, REPLAY_SEED, REPLAY_SHA256, REPLAY_TOKENS};
use sha2::{Digest, Sha256};

fn generate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_generate"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = generate(arguments).output().unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code())
}

#[test]
fn the_text_goes_to_stdout_and_the_numbers_to_stderr() {
    let (text, numbers, code) = run(&["--words", "12", "--seed", "7", "ROMEO:"]);
    assert_eq!(code, Some(0), "{numbers}");
    assert!(text.starts_with("ROMEO:"), "{text}");
    assert!(text.split_whitespace().count() > 12, "{text}");
    assert!(numbers.contains("seed 7 ·") && numbers.contains("rolling window"), "{numbers}");
    assert_eq!(run(&["--words", "12", "--seed", "7", "--prompt", "ROMEO:"]).0, text, "a prompt is a flag, too");
}

#[test]
fn a_seed_that_was_drawn_repeats_the_text() {
    let (text, numbers, _) = run(&["--words", "5"]);
    let seed = numbers.trim().strip_prefix("seed ").and_then(|rest| rest.split(' ').next()).unwrap();
    assert_eq!(run(&["--words", "5", "--seed", seed]).0, text);
}

#[test]
fn any_number_of_threads_writes_the_same() {
    let asked = ["--words", "80", "--seed", "7", "ROMEO:"];
    let (alone, ..) = run(&asked);
    for threads in ["1", "2", "3", "8"] {
        let (text, numbers, code) = run(&[&["--threads", threads], &asked[..]].concat());
        assert_eq!((text, code), (alone.clone(), Some(0)), "{threads} threads: {numbers}");
    }
}

#[test]
fn the_texts_that_are_shown_are_what_the_model_writes() {
    let (text, ..) = run(&["--prompt", "ROMEO:\n", "--words", "60", "--seed", "6"]);
    let home = include_str!("../src/page/sample.txt");
    assert!(home.len() > 100 && text.starts_with(home), "home shows {home}instead of {text}");
    let (text, ..) = run(&["--words", "60", "--seed", "120", "ROMEO:"]);
    let readme = include_str!("../README.md").split("## A sample").nth(1).unwrap();
    assert_eq!(readme.split("```\n").nth(1).unwrap().trim_end(), text.trim_end());
}

#[test]
fn the_self_checks_text_is_what_the_terminal_writes() {
    let numbers = [REPLAY_TOKENS, REPLAY_SEED].map(|number| number.to_string());
    let (text, ..) = run(&["--tokens", &numbers[0], "--seed", &numbers[1], "--prompt", REPLAY_PROMPT]);
    let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, REPLAY_SHA256, "{text}");
    let readme = include_str!("../README.md");
    let command = format!("--tokens {REPLAY_TOKENS} --seed {REPLAY_SEED} --prompt $'ROMEO:\\n' | sha256sum");
    assert!(readme.contains(&command), "the README does not say `{command}`");
}

#[test]
fn the_text_ends_before_a_stop_sequence() {
    let asked = ["--words", "60", "--seed", "120", "ROMEO:"];
    let (whole, ..) = run(&asked);
    for (stops, first) in [
        (&["JULIET:"][..], "JULIET:"),
        (&["nowhere", "\\n\\n", "JULIET:"], "\n\n"),
        (&["commanded.\n", "JULIET:"], "commanded.\n"),
    ] {
        let flags = stops.iter().flat_map(|stop| ["--stop", stop]);
        let (text, numbers, _) = run(&flags.chain(asked).collect::<Vec<_>>());
        let expected = whole["ROMEO:".len()..].split(first).next().unwrap().trim_end_matches('\n');
        assert_eq!(text.trim_end_matches('\n'), format!("ROMEO:{expected}"), "{stops:?}: the prompt does not count");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n\n"), "{text:?}");
        assert!(numbers.contains("ended before a stop sequence"), "{numbers}");
        let words = expected.split_whitespace().count();
        assert!(numbers.contains(&format!("· {words} words ·")), "{words} words, but {numbers}");
    }
    let (text, ..) = run(&["--tokens", "300", "--stop", "JULIET:", "--seed", "120", "ROMEO:"]);
    assert!(text.len() >= 306 && whole.starts_with(text.trim_end()), "an exact length ignores it: {text}");
}

/// A text's JSON lines.
fn explained(arguments: &[&str]) -> Vec<serde_json::Value> {
    let (lines, error, code) = run(&[arguments, &["--explain"]].concat());
    assert_eq!(code, Some(0), "{error}");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_token_explains_itself() {
    let asked = ["--tokens", "30", "--seed", "7", "ROMEO:"];
    let (text, ..) = run(&asked);
    let lines = explained(&[&asked[..], &["--look", "20"]].concat());
    let (tokens, views) = lines.split_at(36);
    let written: String = tokens.iter().map(|token| token["text"].as_str().unwrap()).collect();
    assert_eq!(written.trim_end(), text.trim_end());
    for (position, token) in tokens.iter().enumerate() {
        assert_eq!(token["position"], position);
        let is_drawn = position >= 6;
        assert_eq!(token["draw"].is_object(), is_drawn, "{token}");
        if position > 0 {
            let number = |name: &str| token[name].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&number("probability")) && number("rank") >= 1.0, "{token}");
            assert!((0.0..=65f64.log2()).contains(&number("entropy_bits")), "{token}");
        }
    }
    let found: Vec<String> = views.iter().flat_map(|view| view.as_object().unwrap().keys().cloned()).collect();
    assert_eq!(found, ["token", "lens", "attention", "looked_at"]);
    assert_eq!(views[0]["token"]["alternatives"].as_array().unwrap().len(), 10);
    assert_eq!(views[2]["attention"]["layers"][7][4].as_array().unwrap().len(), 21);
    let with_team = explained(&[&asked[..], &["--look", "20", "--threads", "3"]].concat());
    assert!(with_team == lines, "three threads see the same");
}

#[test]
fn tokens_are_taken_and_parts_switched_off() {
    let asked = ["--tokens", "40", "--seed", "7", "ROMEO:"];
    let ids = |flags: &[&str]| -> Vec<u64> {
        explained(&[flags, &asked[..]].concat()).iter().map(|token| token["id"].as_u64().unwrap()).collect()
    };
    let (plain, taken, off) = (ids(&[]), ids(&["--take", "20:5,21:6"]), ids(&["--off", "0.0,mlp.7"]));
    assert_eq!((&taken[..20], &taken[20..22]), (&plain[..20], &[5, 6][..]));
    assert_ne!(off, plain);
    let (text, ..) = run(&[&["--take", "20:5,21:6"], &asked[..]].concat());
    assert!(text.starts_with("ROMEO:"), "{text}");
}

#[test]
fn bad_arguments_and_bad_files_are_one_clear_line() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (arguments, expected) in [
        (&["--words", "0"][..], "words takes a whole number from 1 to 5000, found `0`"),
        (&["--top-p", "2"], "top_p takes a number from 0 to 1, found `2`"),
        (&["--temperature", "-1"], "temperature takes a number from 0 to 10, found `-1`"),
        (&["--stop", ""], "stop takes up to 4 texts of 1 to 100 characters each, found ``"),
        (&["--stop=a", "--stop=b", "--stop=c", "--stop=d", "--stop=e"], "each, found `e`"),
        (&["--take", "12"], "take takes position:id with commas between, each position once, found `12`"),
        (&["--take", "2:5", "ROMEO:"], "from position 6 on, behind the prompt, found position 2"),
        (&["--take", "20:999"], "the text has token 999, and the model has 65 tokens"),
        (&["--off", "mlp"], "off takes layer.head and mlp.layer with commas between, found `mlp`"),
        (&["--off", "0.5"], "0.5 cannot be switched off: expected layers below 8 and heads below 5"),
        (&["--look", "3"], "the following required arguments were not provided"),
        (&["--threads", "0"], "invalid value '0' for '--threads <N>'"),
        (&["--colour", "red"], "unexpected argument '--colour'"),
        (&["--model", "missing.gguf"], "missing.gguf: "),
        (&["--model", manifest], "Cargo.toml: "),
        (&["Für Elise"], "ü"),
    ] {
        let (text, error, code) = run(arguments);
        assert_eq!((code, text.as_str()), (Some(2), ""), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.starts_with("generate: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut command = generate(&["--words", "5000", "--seed", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 20];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap(); // dropped here: the pipe is closed
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn help_names_every_parameter() {
    let (help, _, code) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for parameter in peargpt::app::settings::PARAMETERS {
        let flag = format!("--{}", parameter.name.replace('_', "-"));
        assert!(help.contains(&flag) && help.contains(parameter.help), "{flag} in {help}");
    }
}
