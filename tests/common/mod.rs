//! Fixtures, and files made of them.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

#[cfg(not(target_arch = "wasm32"))]
pub mod letters;
pub mod numbers;

use std::fs;
use std::io::{Cursor, Read, Seek};
use std::path::PathBuf;

use peargpt::checkpoint::import::{self, Answers, CheckpointInfo, ImportError, Inspection, Named};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{self, Checkpoint, gguf};
use peargpt::model::{Config, Weights};
use peargpt::tokenizer::TokenizerSpec;
use peargpt::tokenizer::bytes::spell;

/// Files in memory.
pub type Files = Vec<Named<Cursor<Vec<u8>>>>;

/// A file of this name.
pub fn named(name: &str, bytes: impl Into<Vec<u8>>) -> Named<Cursor<Vec<u8>>> {
    Named { name: name.to_string(), reader: Cursor::new(bytes.into()) }
}

/// The model of these files, where nothing is missing.
pub fn inspect<R: Read + Seek>(files: &mut [Named<R>], answers: &Answers) -> Result<CheckpointInfo, ImportError> {
    match import::inspect(files, answers)? {
        Inspection::Ready(info) => Ok(*info),
        Inspection::Needs(needs) => panic!("{needs:?}"),
    }
}

/// The GGUF that a model becomes, which has the length that was said before.
pub fn gguf_of<R: Read + Seek>(
    info: &CheckpointInfo,
    files: &mut [Named<R>],
    precision: Option<Precision>,
) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    let file = import::to_gguf(info, "fixture", precision)?;
    let (name, length) = (file.name().to_string(), file.length());
    file.write(info, files, &mut bytes)?;
    assert_eq!((name.as_str(), length), ("fixture.gguf", bytes.len() as u64));
    Ok(bytes)
}

/// What the site opens.
pub fn opened(bytes: &[u8]) -> Checkpoint {
    checkpoint::read(&mut Cursor::new(bytes)).unwrap()
}

/// Weights of this shape in another precision, as files are converted.
pub fn in_precision(config: &Config, weights: Weights, precision: Precision) -> Weights {
    let tokenizer = characters(config.vocabulary_size);
    let checkpoint = Checkpoint { config: config.clone(), tokenizer, weights };
    let mut files = vec![named("model.gguf", to_bytes(&checkpoint))];
    let info = inspect(&mut files, &Answers::default()).unwrap();
    opened(&gguf_of(&info, &mut files, Some(precision)).unwrap()).weights
}

/// A tokenizer of so many characters.
pub fn characters(count: usize) -> TokenizerSpec {
    let spelled = |id| spell(char::from_u32('一' as u32 + id).unwrap().to_string().as_bytes());
    let tokens = (0..count as u32).map(spelled).collect();
    TokenizerSpec { tokens, merges: Vec::new(), start: 0, end_of_text: None }
}

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// A Hugging Face folder, in memory.
pub struct Folder {
    pub config: String,
    pub vocabulary: String,
    pub merges: String,
    pub weights: Vec<u8>,
}

impl Folder {
    /// `small` or `variant`.
    pub fn fixture(name: &str) -> Folder {
        let file = |file: &str| format!("tests/fixtures/{name}/{file}");
        Folder {
            config: text(&file("config.json")),
            vocabulary: text(&file("vocab.json")),
            merges: text(&file("merges.txt")),
            weights: fs::read(path(&file("model.safetensors"))).unwrap(),
        }
    }

    /// Its files, in memory.
    pub fn files(&self) -> Files {
        vec![
            named("config.json", self.config.as_str()),
            named("vocab.json", self.vocabulary.as_str()),
            named("merges.txt", self.merges.as_str()),
            named("model.safetensors", self.weights.as_slice()),
        ]
    }

    /// What the site opens of it, in float32.
    pub fn read(&self) -> Result<Checkpoint, ImportError> {
        Ok(opened(&self.convert(Precision::F32)?))
    }

    /// The GGUF that it becomes.
    pub fn convert(&self, precision: Precision) -> Result<Vec<u8>, ImportError> {
        let mut files = self.files();
        let info = inspect(&mut files, &Answers::default())?;
        gguf_of(&info, &mut files, Some(precision))
    }
}

/// A fixture as the GGUF file that it becomes.
pub fn as_gguf(name: &str, precision: Precision) -> Vec<u8> {
    Folder::fixture(name).convert(precision).unwrap()
}

pub fn to_bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    gguf::write(checkpoint, "fixture", &mut bytes).unwrap();
    bytes
}

/// Where a GGUF fixture's data begins, from the last tensor's `offset` and length.
pub fn gguf_data(bytes: &[u8]) -> usize {
    let end = after(bytes, "output_norm.bias");
    let field = &bytes[end + 4 + 8 + 4..];
    let offset = u64::from_le_bytes(*field.first_chunk().unwrap()) as usize;
    bytes.len() - offset - 32 * 4
}

/// Where a name ends in a file.
pub fn after(bytes: &[u8], name: &str) -> usize {
    bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len()
}
