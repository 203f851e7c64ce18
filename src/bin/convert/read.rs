//! A model from the files that people have.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use peargpt::checkpoint::safetensors::{self, HuggingFace};
use peargpt::checkpoint::{self, Checkpoint};

/// What to do where the files are not there that --verify is about.
const FETCH: &str = "`cargo xtask gpt2` fetches GPT-2, and leaves its files in target/gpt2";

/// Reads a file, a folder, or the four files of one; `wants_gpt2`: says where GPT-2 is to be had if there is none.
pub fn checkpoint(input: &[PathBuf], wants_gpt2: bool) -> Result<Checkpoint, String> {
    let hint = if wants_gpt2 && input.iter().any(|path| !path.exists()) { format!("; {FETCH}") } else { String::new() };
    let checkpoint = match input {
        [folder] if folder.is_dir() => hugging_face(&with_texts(folder.join("model.safetensors"))),
        [file] if file.extension().is_some_and(|is| is == "safetensors") => hugging_face(&with_texts(file.clone())),
        [file] => open(file).and_then(|mut reader| checkpoint::read(&mut reader).map_err(|error| at(file, error))),
        files => hugging_face(files),
    };
    checkpoint.map_err(|message| message + &hint)
}

/// The weights and the three files beside them.
fn with_texts(weights: PathBuf) -> [PathBuf; 4] {
    let [config, vocabulary, merges] =
        ["config.json", "vocab.json", "merges.txt"].map(|name| weights.with_file_name(name));
    [weights, config, vocabulary, merges]
}

/// Reads the four files, in whatever order.
fn hugging_face(files: &[PathBuf]) -> Result<Checkpoint, String> {
    let file = |end: &str| {
        let found = files.iter().find(|path| path.to_string_lossy().ends_with(end));
        found.ok_or_else(|| {
            format!("expected model.safetensors, config.json, vocab.json and merges.txt, found no {end}")
        })
    };
    let text = |path: &PathBuf| fs::read_to_string(path).map_err(|error| at(path, error));
    let weights = file(".safetensors")?;
    let mut reader = open(weights)?;
    let config = text(file("config.json")?)?;
    let (vocabulary, merges) = (text(file("vocab.json")?)?, text(file("merges.txt")?)?);
    let parts = HuggingFace { config: &config, vocabulary: &vocabulary, merges: &merges, weights: &mut reader };
    safetensors::read(parts).map_err(|error| at(weights, error))
}

fn open(path: &Path) -> Result<BufReader<File>, String> {
    File::open(path).map(BufReader::new).map_err(|error| at(path, error))
}

/// An error in a file, with the file's name.
pub fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
