//! What a file is, by what is in it.

use std::io::{Read, Seek};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::source::Source;
use super::super::{CheckpointError, gguf, torch};
use super::texts::{self, MOST_TEXT};
use super::{ImportError, Named, in_file};

/// Bytes by which most files are told apart.
const BEGINNING: usize = 4096;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A GGUF file.
    Gguf,
    /// A safetensors file.
    Safetensors,
    /// A zip file, as torch writes since 1.6.
    TorchZip,
    /// What torch wrote before.
    TorchLegacy,
    /// Another pickle: `meta.pkl`.
    Pickle,
    /// `config.json`.
    Config,
    /// `model.safetensors.index.json` or `pytorch_model.bin.index.json`.
    Index,
    /// `tokenizer.json`.
    Tokenizer,
    /// `vocab.json`.
    Vocabulary,
    /// `merges.txt`.
    Merges,
    /// Any other text.
    Text,
    /// Nothing.
    Empty,
    /// A picture.
    Image,
    /// Anything else.
    Other,
}

impl Content {
    /// Whether it has weights.
    pub fn has_weights(self) -> bool {
        matches!(self, Content::Gguf | Content::Safetensors | Content::TorchZip | Content::TorchLegacy)
    }

    /// What messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Content::Gguf => "a GGUF file",
            Content::Safetensors => "a safetensors file",
            Content::TorchZip | Content::TorchLegacy => "a torch checkpoint",
            Content::Pickle => "a pickle",
            Content::Config => "a configuration",
            Content::Index => "an index of shards",
            Content::Tokenizer => "a tokenizer",
            Content::Vocabulary => "a vocabulary",
            Content::Merges => "a list of merges",
            Content::Text => "a text",
            Content::Empty => "an empty file",
            Content::Image => "an image",
            Content::Other => "a file of no format that is known here",
        }
    }
}

/// What each of these files is.
pub(super) fn all<R: Read + Seek>(files: &mut [Named<R>]) -> Result<Vec<Content>, ImportError> {
    (0..files.len()).map(|file| in_file(files, file, content)).collect()
}

fn content<R: Read + Seek>(source: &mut Source<R>) -> Result<Content, CheckpointError> {
    let length = source.length();
    let mut beginning = vec![0; length.min(BEGINNING as u64) as usize];
    source.fill(&"file", &mut beginning)?;
    Ok(match beginning.as_slice() {
        [] => Content::Empty,
        bytes if bytes.starts_with(&gguf::MAGIC) => Content::Gguf,
        [b'P', b'K', 3, 4, ..] => Content::TorchZip,
        bytes if torch::is_legacy(bytes) => Content::TorchLegacy,
        [0x80, 2..=5, ..] => Content::Pickle,
        [_, _, _, _, _, _, _, _, b'{', ..] if !is_text(&beginning) => Content::Safetensors,
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => Content::Image,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Content::Image,
        bytes if is_text(bytes) && length <= MOST_TEXT => text(&texts::read(source)?),
        bytes if is_text(bytes) => Content::Text,
        _ => Content::Other,
    })
}

/// Whether this begins a text: UTF-8, the last character perhaps cut, and no zeros.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && bytes.len() == BEGINNING,
    };
    valid && !bytes.contains(&0)
}

/// What a text is; those that are read later have been found to be whole.
fn text(text: &str) -> Content {
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let is_merge = |line: &str| {
        let pieces = line.split_once(' ');
        line.is_empty() || pieces.is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains(' '))
    };
    match text.starts_with("#version") || text.lines().all(is_merge) {
        true => Content::Merges,
        false => Content::Text,
    }
}

/// Keys by which the files of a Hugging Face model are told apart.
#[derive(Deserialize)]
struct Probe {
    n_layer: Option<IgnoredAny>,
    n_head: Option<IgnoredAny>,
    n_embd: Option<IgnoredAny>,
    weight_map: Option<IgnoredAny>,
    model: Option<IgnoredAny>,
    model_type: Option<IgnoredAny>,
}

fn json(text: &str) -> Content {
    let Ok(probe) = serde_json::from_str(text) else { return Content::Text };
    match probe {
        // No vocabulary has all three for words.
        Probe { n_layer: Some(_), n_head: Some(_), n_embd: Some(_), .. } => Content::Config,
        _ if texts::is_vocabulary(text) => Content::Vocabulary,
        Probe { weight_map: Some(_), .. } => Content::Index,
        Probe { model_type: Some(_), .. } => Content::Config,
        Probe { model: Some(_), .. } => Content::Tokenizer,
        _ => Content::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        let cases = [
            (r#"{"n_layer": 1, "n_head": 2, "n_embd": 3}"#, Content::Config),
            (r#"{"model_type": "llama"}"#, Content::Config),
            (r#"{"weight_map": {"a": "b"}}"#, Content::Index),
            (r#" {"model": {"vocab": {}}}"#, Content::Tokenizer),
            // Words that are keys elsewhere.
            (r#"{"model": 0, "weight_map": 1}"#, Content::Vocabulary),
            (r#"{"bos_token_id": 0, "version": "5"}"#, Content::Text),
            ("{broken", Content::Text),
            ("#version: 0.2\n", Content::Merges),
            ("Ġ t\nh e\n", Content::Merges),
            ("First Citizen:\nBefore we proceed any further\n", Content::Text),
        ];
        for (bytes, expected) in cases {
            assert_eq!(text(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn a_text_may_be_cut_within_a_character() {
        let cut: Vec<u8> = "a".bytes().chain("é".repeat(BEGINNING).bytes()).take(BEGINNING).collect();
        assert!(std::str::from_utf8(&cut).is_err() && is_text(&cut));
        assert!(!is_text(b"a\xc3") && !is_text(b"a\0"));
    }
}
