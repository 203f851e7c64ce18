//! The program `convert`, as people run it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

use common::{Files, inspect, named, path, text};
use peargpt::app::catalog;
use peargpt::checkpoint::import::{self, Answers};
use peargpt::checkpoint::precision::Precision;

fn convert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_convert")).args(arguments).current_dir(path("")).output().unwrap()
}

/// What it prints; it must have ended well.
fn printed(arguments: &[&str]) -> String {
    let output = convert(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An empty folder for one test's files.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_folder_becomes_a_file_and_an_entry() {
    let folder = folder("a_folder_becomes_a_file_and_an_entry");
    let (out, list) = (folder.join("small.gguf"), folder.join("catalog.json"));
    let (file, json) = (out.to_str().unwrap(), list.to_str().unwrap());
    let said = ["--catalog", json, "--id", "small", "--title", "Small", "--source", "random"];
    for _ in 0..2 {
        printed(&[&["tests/fixtures/small", "--out", file], &said[..]].concat());
    }
    let bytes = fs::read(&out).unwrap();
    let entries = catalog::parse(&fs::read_to_string(&list).unwrap()).unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.id.as_str(), entry.parts[0].url.as_str(), entry.context), ("small", "small.gguf", 32));
    assert_eq!(entry.parts[0].sha256, catalog::sha256(&bytes));
    let described = printed(&[file, "--describe"]);
    assert!(described.contains("blk.1.ffn_up.weight") && described.contains("Q8_0"), "{described}");
}

#[test]
fn a_text_is_measured() {
    let folder = folder("a_text_is_measured");
    let (text, scored) = (folder.join("text"), "nats per token, 32 predictions");
    fs::write(&text, "abcdefgh ".repeat(8)).unwrap();
    // Half of 72 characters are 36 tokens: one window of 32.
    let arguments = ["tests/fixtures/small/model.safetensors", "--evaluate", text.to_str().unwrap(), "--share", "0.5"];
    let alone = printed(&arguments);
    assert!(alone.trim_end().ends_with(scored));
    assert_eq!(printed(&[&arguments[..], &["--threads", "3"]].concat()), alone);
}

#[test]
fn what_is_wrong_is_one_line_and_exit_code_2() {
    let short = folder("what_is_wrong_is_one_line_and_exit_code_2").join("short");
    fs::write(&short, "Once more unto the breach").unwrap();
    let short = short.to_str().unwrap();
    let cases: [(&[&str], &str); 13] = [
        (
            &["tests/fixtures/small", "--out", "target/", "--quantize", "q8_0"],
            "target/: expected --quantize f16 or f32",
        ),
        (&["tests/fixtures/small", "--out", "folder/", "--name", "Small"], "expected a GGUF file beside --name"),
        (&[], "required arguments were not provided"),
        (&["a.gguf"], "--out"),
        (&["a.gguf", "--describe"], "a.gguf: No such file"),
        (&["README.md", "weights/catalog.json", "--describe"], "found README.md: a text, weights/catalog.json: a text"),
        (
            &["weights/catalog.json", "--describe"],
            "expected a model's weights (safetensors, a torch checkpoint or GGUF)",
        ),
        (
            &["tests/fixtures/imported/lecture/bare.pth", "--describe", "--text", "Cargo.toml"],
            "the alphabet` at byte 0",
        ),
        (&["tests/fixtures/imported/bin/pytorch_model.bin", "a", "--describe"], "a: No such file"),
        (&["weights/peargpt.gguf", "--evaluate", "Cargo.toml", "--share", "2"], "at most 1"),
        (&["weights/peargpt.gguf", "--evaluate", short], "expected more than 256 tokens, found 25"),
        (&["weights/peargpt.gguf", "--evaluate", "Cargo.toml"], "does not know these characters"),
        (&["tests/fixtures/small", "--out", "a.gguf", "--catalog", "b"], "--id"),
    ];
    for (arguments, says) in cases {
        let output = convert(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn what_people_trained_becomes_a_file() {
    let folder = folder("what_people_trained_becomes_a_file");
    let out = folder.join("lecture.gguf");
    let lecture = "tests/fixtures/imported/lecture/bare.pth";
    let said = convert(&[lecture, "--out", out.to_str().unwrap(), "--quantize", "f16"]);
    assert!(said.status.success());
    assert!(String::from_utf8(said.stderr).unwrap().contains("tiny Shakespeare's is taken"));
    let described = printed(&[out.to_str().unwrap(), "--describe"]);
    assert!(described.contains("relu and a head that is untied, with a bias"), "{described}");
    let alphabet = folder.join("alphabet");
    fs::write(&alphabet, peargpt::checkpoint::import::TINY_SHAKESPEARE).unwrap();
    let json = printed(&[lecture, "--describe", "--json", "--alphabet", alphabet.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["source"], &json["heads"]), (&"the lecture's GPT".into(), &4.into()));
    let nanogpt = printed(&["tests/fixtures/imported/nanogpt", "--describe"]);
    assert!(nanogpt.contains("source: nanoGPT\n") && nanogpt.contains("ignored: logits.json"), "{nanogpt}");
}

#[test]
fn a_model_becomes_a_folder_and_a_file_again() {
    let folder = folder("a_model_becomes_a_folder_and_a_file_again");
    let at = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let (whole, half) = (at("whole/"), at("half"));
    fs::create_dir(&half).unwrap();
    let said = convert(&["tests/fixtures/small", "--out", &whole]);
    assert!(said.status.success());
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.lines().count() == 4 && said.contains("whole/model.safetensors: "), "{said}");
    printed(&[&whole, "--out", &half, "--quantize", "f16"]);
    let gguf = |from: &str, precision: &str| {
        let out = at("small.gguf");
        printed(&[from, "--out", &out, "--quantize", precision]);
        fs::read(out).unwrap()
    };
    assert!(gguf(&whole, "f32") == gguf("tests/fixtures/small", "f32"));
    assert!(gguf(&half, "f16") == gguf("tests/fixtures/small", "f16"));
}

/// Every file of a folder, in memory.
fn files(folder: &str) -> Files {
    let mut paths: Vec<PathBuf> = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
    paths.iter().map(|path| named(&name(path), fs::read(path).unwrap())).collect()
}

#[test]
fn the_terminal_and_the_tab_make_the_same_file() {
    let folder = folder("the_terminal_and_the_tab_make_the_same_file");
    let (out, again) = (folder.join("out.gguf"), folder.join("again.gguf"));
    let (out, again) = (out.to_str().unwrap(), again.to_str().unwrap());
    let sources = ["small", "variant"].map(str::to_string).into_iter();
    let imported = ["nanogpt", "unbiased", "bin", "sharded", "quantised", "kquants"];
    for source in sources.chain(imported.map(|name| format!("imported/{name}"))) {
        let source = format!("tests/fixtures/{source}");
        printed(&[&source, "--out", out, "--heads", "4"]);
        let mut files = files(&source);
        let info = inspect(&mut files, &Answers { heads: Some(4), ..Answers::default() }).unwrap();
        let (file, mut bytes) = (import::to_gguf(&info, "GPT", info.usual_precision()).unwrap(), Vec::new());
        file.write(&info, &mut files, &mut bytes).unwrap();
        assert!(fs::read(out).unwrap() == bytes, "{source}");
        printed(&[out, "--out", again]);
        assert!(fs::read(again).unwrap() == bytes, "{source} from the GGUF");
    }
}

#[test]
fn a_file_that_is_there_stays_until_the_new_one_is_whole() {
    let folder = folder("a_file_that_is_there_stays_until_the_new_one_is_whole");
    let (source, out) = (folder.join("source.gguf"), folder.join("out.gguf"));
    let mut bytes = common::as_gguf("small", Precision::F32);
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&source, &bytes).unwrap();
    fs::write(&out, "before").unwrap();
    let output = convert(&[source.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&out).unwrap(), "before");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    // A file may be written over itself.
    bytes[end - 4..].copy_from_slice(&0f32.to_le_bytes());
    fs::write(&source, &bytes).unwrap();
    printed(&[source.to_str().unwrap(), "--out", source.to_str().unwrap(), "--name", "fixture"]);
    assert!(fs::read(&source).unwrap() == bytes);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[test]
fn who_cannot_read_a_file_is_said() {
    let folder = folder("who_cannot_read_a_file_is_said");
    let said = |out: &str| {
        let out = folder.join(out);
        let said = convert(&["tests/fixtures/imported/lecture/bare.pth", "--out", out.to_str().unwrap()]);
        String::from_utf8(said.stderr).unwrap()
    };
    let gguf = said("lecture.gguf");
    assert!(gguf.contains("\nconvert: llama.cpp cannot open this file") && gguf.contains("has ReLU"), "{gguf}");
    let huggingface = said("lecture/");
    assert!(huggingface.contains("\nconvert: transformers leaves out the bias of the head"), "{huggingface}");
}

#[test]
fn of_several_models_none_is_taken_unasked() {
    let (nanogpt, lecture) = ("tests/fixtures/imported/nanogpt/ckpt.pt", "tests/fixtures/imported/lecture/bare.pth");
    let output = convert(&[nanogpt, lecture, "--describe"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    let expected =
        format!("convert: these files hold several models, of which one can be opened: {nanogpt}, {lecture}\n");
    assert_eq!(said, expected);
}

#[test]
fn a_zip_file_is_read_as_its_folder() {
    let folder = folder("a_zip_file_is_read_as_its_folder");
    let (written, zip) = (folder.join("written/"), folder.join("written.zip"));
    let [of_folder, of_zip] = ["folder.gguf", "zip.gguf"].map(|name| folder.join(name));
    printed(&["tests/fixtures/imported/nanogpt", "--out", &format!("{}/", written.display())]);
    printed(&[written.to_str().unwrap(), "--out", of_folder.to_str().unwrap()]);
    let mut writer = zip::ZipWriter::new(fs::File::create(&zip).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for file in fs::read_dir(&written).unwrap() {
        let path = file.unwrap().path();
        writer.start_file(path.file_name().unwrap().to_str().unwrap(), stored).unwrap();
        writer.write_all(&fs::read(&path).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    printed(&[zip.to_str().unwrap(), "--out", of_zip.to_str().unwrap()]);
    assert!(fs::read(&of_folder).unwrap() == fs::read(&of_zip).unwrap());
}

#[test]
fn what_is_not_gpt2_is_told_why() {
    let error = |arguments: &[&str]| {
        let output = convert(arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, absent) = error(&["target/no-such-folder/model.safetensors", "--verify"]);
    assert_eq!(code, Some(2));
    assert!(absent.contains("model.safetensors: No such file") && absent.contains("`cargo xtask gpt2`"), "{absent}");
    let (code, other) = error(&["weights/peargpt.gguf", "--verify"]);
    assert_eq!(code, Some(2));
    assert!(other.contains("this one has 9967040 parameters and 65 tokens"), "{other}");
}

#[test]
fn the_readme_of_the_weights_says_what_they_are() {
    let described = printed(&["weights/peargpt.gguf", "--describe"]);
    assert!(described.contains("parameters: 9967040"));
    assert!(text("weights/README.md").contains("9,967,040 parameters"));
}
