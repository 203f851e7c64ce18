//! Reads a model from the files that people have.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use peargpt::checkpoint::import::{self, Answers, CheckpointInfo, Inspection, Named, Need, ZippedFile, zipped_files};

/// Where to get the files for --verify if they are missing.
const FETCH: &str = "`cargo xtask gpt2` fetches GPT-2, and leaves its files in target/gpt2";
/// Files that are read with weights beside them, if only the weights are named.
const BESIDE: [&str; 5] = ["config.json", "vocab.json", "merges.txt", "tokenizer.json", "meta.pkl"];

/// A file, or a part of one.
type FilePart = BufReader<Take<File>>;

/// Open files.
pub type DiskFiles = Vec<Named<FilePart>>;

/// The options that answer what the files do not say.
pub struct Hints<'a> {
    /// `--heads`.
    pub heads: Option<usize>,
    /// `--alphabet`.
    pub alphabet: Option<&'a Path>,
    /// `--text`.
    pub text: Option<&'a Path>,
}

/// Finds out what these files are: a folder, a file with those beside it, or several files. With `wants_gpt2`, an error
/// about missing files says where to get GPT-2.
pub fn inspect(input: &[PathBuf], said: &Hints, wants_gpt2: bool) -> Result<(DiskFiles, CheckpointInfo), String> {
    let hint = if wants_gpt2 && input.iter().any(|path| !path.exists()) { format!("; {FETCH}") } else { String::new() };
    let mut files = open_all(input).map_err(|message| message + &hint)?;
    let mut answers = Answers { heads: said.heads, alphabet: alphabet(said)?, ..Answers::default() };
    let mut inspection = identify(&mut files, &answers)?;
    if let Inspection::Needs(needs) = &inspection
        && let [Need::Alphabet { proposed: Some(alphabet), .. }] = needs.as_slice()
    {
        eprintln!("convert: nothing says the alphabet, tiny Shakespeare's is taken; --alphabet or --text says another");
        answers.alphabet = Some(alphabet.to_string());
        inspection = identify(&mut files, &answers)?;
    }
    match inspection {
        Inspection::Ready(info) => Ok((files, *info)),
        Inspection::Needs(needs) => Err(needs.iter().map(told).collect::<Vec<_>>().join("; ")),
    }
}

fn identify(files: &mut DiskFiles, answers: &Answers) -> Result<Inspection, String> {
    import::inspect(files, answers).map_err(|error| error.sentence())
}

/// Says what is missing, and how to give it.
fn told(need: &Need) -> String {
    match need {
        Need::Weights => "expected the weights too: safetensors, a torch checkpoint or GGUF".to_string(),
        Need::Choice { models } => {
            format!("these files hold several models, of which one can be opened: {}", models.join(", "))
        }
        Need::File { name } => format!("expected {name} too"),
        Need::Tokenizer { tokens } => {
            format!("expected vocab.json and merges.txt too, or tokenizer.json, of {tokens} tokens or fewer")
        }
        Need::Heads { n_embd, proposed } => {
            let proposed = proposed.map(|heads| format!(" ({heads} are usual)")).unwrap_or_default();
            format!("nothing says the number of heads, by which {n_embd} is divided: give --heads{proposed}")
        }
        Need::Alphabet { tokens, .. } => {
            format!("nothing says the alphabet of {tokens} characters: give meta.pkl, --text or --alphabet")
        }
    }
}

fn alphabet(said: &Hints) -> Result<Option<String>, String> {
    match (said.alphabet, said.text) {
        (Some(path), _) => fs::read_to_string(path).map(Some).map_err(|error| at(path, error)),
        (None, Some(path)) => {
            let alphabet = import::alphabet_of(&mut open(path)?).map_err(|error| at(path, error))?;
            Ok(Some(alphabet))
        }
        (None, None) => Ok(None),
    }
}

fn open_all(input: &[PathBuf]) -> Result<DiskFiles, String> {
    let paths = match input {
        [folder] if folder.is_dir() => in_folder(folder)?,
        [file] if file.extension().is_none_or(|is| is != "gguf") => {
            let beside =
                BESIDE.iter().map(|name| file.with_file_name(name)).filter(|path| path != file && path.is_file());
            std::iter::once(file.clone()).chain(beside).collect()
        }
        files => files.to_vec(),
    };
    let is_one_folder = paths.windows(2).all(|pair| pair[0].parent() == pair[1].parent());
    let mut files = Vec::new();
    for path in paths {
        let mut file = Named { name: name(&path, is_one_folder), reader: open(&path)? };
        match zipped_files(&mut file).map_err(|error| error.to_string())? {
            None => files.push(file),
            Some(zipped) => {
                for ZippedFile { name, span } in zipped {
                    files.push(Named { name, reader: part(&path, span)? });
                }
            }
        }
    }
    Ok(files)
}

/// A file's name; behind that of its folder, unless all are in the same.
fn name(path: &Path, is_one_folder: bool) -> String {
    let text = |part: &OsStr| part.to_string_lossy().into_owned();
    let name = path.file_name().map(text).unwrap_or_default();
    match path.parent().filter(|folder| !is_one_folder && !folder.as_os_str().is_empty()) {
        Some(folder) => format!("{}/{name}", text(folder.as_os_str())),
        None => name,
    }
}

/// The files of a folder, sorted by name.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| at(folder, error))?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

fn open(path: &Path) -> Result<FilePart, String> {
    let length = fs::metadata(path).map_err(|error| at(path, error))?.len();
    part(path, 0..length)
}

/// These bytes of a file.
fn part(path: &Path, span: Range<u64>) -> Result<FilePart, String> {
    let mut file = File::open(path).map_err(|error| at(path, error))?;
    file.seek(SeekFrom::Start(span.start)).map_err(|error| at(path, error))?;
    Ok(BufReader::new(file.take(span.end - span.start)))
}

/// An error message with the name of the file.
pub fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
