//! Finds out what each file is, from its bytes.

use std::io::{Read, Seek};

use super::json::JsonCursor;
use super::texts::{self, MOST_TEXT};
use super::torch;
use super::unzip::{self, ZipKind};
use super::{ImportError, Named, Pause, in_file_by_steps};
use crate::checkpoint::source::Source;
use crate::checkpoint::{CheckpointError, gguf};

/// Bytes from a file's beginning that suffice to recognise most kinds.
const BEGINNING: usize = 4096;

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A GGUF file.
    Gguf,
    /// A safetensors file.
    Safetensors,
    /// A zip file, as torch writes since 1.6.
    TorchZip,
    /// Another zip file.
    Zip,
    /// The format that torch wrote before 1.6.
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
    /// An empty file.
    Empty,
    /// An image.
    Image,
    /// Anything else.
    Other,
}

impl Content {
    /// Whether it has weights.
    pub fn has_weights(self) -> bool {
        matches!(self, Content::Gguf | Content::Safetensors | Content::TorchZip | Content::TorchLegacy)
    }

    /// Whether it surely is of use beside weights only.
    pub fn goes_with_weights(self) -> bool {
        matches!(self, Content::Pickle | Content::Config | Content::Tokenizer | Content::Vocabulary)
    }

    /// The name of this kind in messages.
    pub fn title(self) -> &'static str {
        match self {
            Content::Gguf => "a GGUF file",
            Content::Safetensors => "a safetensors file",
            Content::TorchZip | Content::TorchLegacy => "a torch checkpoint",
            Content::Zip => "a zip file",
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

/// Finds the kind of each file.
pub(super) async fn all<R: Read + Seek>(files: &mut [Named<R>], pause: Pause<'_>) -> Result<Vec<Content>, ImportError> {
    let mut contents = Vec::with_capacity(files.len());
    for file in 0..files.len() {
        contents.push(in_file_by_steps(files, file, async |source| content(source, pause).await).await?);
        pause().await;
    }
    Ok(contents)
}

async fn content<R: Read + Seek>(source: &mut Source<'_, R>, pause: Pause<'_>) -> Result<Content, CheckpointError> {
    let length = source.length();
    let mut beginning = vec![0; length.min(BEGINNING as u64) as usize];
    source.fill(&"file", &mut beginning)?;
    Ok(match beginning.as_slice() {
        [] => Content::Empty,
        bytes if bytes.starts_with(&gguf::MAGIC) => Content::Gguf,
        bytes if bytes.starts_with(&unzip::MAGIC) => zip(source),
        bytes if torch::is_legacy(bytes) => Content::TorchLegacy,
        [0x80, 2..=5, ..] => Content::Pickle,
        [_, _, _, _, _, _, _, _, b'{', ..] if !is_text(&beginning) => Content::Safetensors,
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => Content::Image,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Content::Image,
        bytes if is_text(bytes) && length <= MOST_TEXT && may_be_known(bytes) => {
            text(&texts::read(source, MOST_TEXT, pause).await?, pause).await
        }
        bytes if is_text(bytes) => Content::Text,
        _ => Content::Other,
    })
}

/// The kind of a zip file. One that is damaged is taken for torch's, whose reader then says what is wrong.
fn zip<R: Read + Seek>(source: &mut Source<R>) -> Content {
    match unzip::kind(source) {
        Ok(ZipKind::Torch) | Err(_) => Content::TorchZip,
        Ok(_) => Content::Zip,
    }
}

/// Whether a file that begins so is text: valid UTF-8 without zero bytes. The last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && bytes.len() == BEGINNING,
    };
    valid && !bytes.contains(&0)
}

/// Whether a text that begins so may be JSON or a list of merges. No other text is read further.
fn may_be_known(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let (lines, cut) = text.rsplit_once('\n').unwrap_or(("", &text));
    let may_be_merges = || lines.lines().all(is_merge) && cut.matches(' ').count() <= 1;
    is_json(&text) || text.starts_with("#version") || may_be_merges()
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn is_merge(line: &str) -> bool {
    let pieces = line.split_once(' ');
    line.is_empty() || pieces.is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains(' '))
}

/// Finds the kind of a text. A kind that is read later is recognised only after the whole text was checked.
async fn text(text: &str, pause: Pause<'_>) -> Content {
    if is_json(text) {
        return json(text, pause).await.unwrap_or(Content::Text);
    }
    let (mut lines, mut rest) = texts::cut(text);
    while text.starts_with("#version") || lines.lines().all(is_merge) {
        if rest.is_empty() {
            return Content::Merges;
        }
        pause().await;
        (lines, rest) = texts::cut(rest);
    }
    Content::Text
}

/// Keys by which the files of a Hugging Face model are told apart.
const KEYS: [&str; 6] = ["n_layer", "n_head", "n_embd", "weight_map", "model_type", "model"];

async fn json(text: &str, pause: Pause<'_>) -> Result<Content, CheckpointError> {
    let mut json = JsonCursor::new(text, "JSON", pause);
    let (mut has, mut count, mut is_vocabulary) = ([false; KEYS.len()], 0, true);
    json.begin(b'{')?;
    while let Some(key) = json.key().await? {
        let value = json.skip().await?;
        if let Some(place) = KEYS.iter().position(|known| *known == key) {
            has[place] |= value != "null";
        }
        is_vocabulary &= value.parse::<u64>().is_ok();
        count += 1;
    }
    json.end()?;
    Ok(match has {
        // No vocabulary has all three of them among its pieces.
        [true, true, true, ..] => Content::Config,
        _ if is_vocabulary && count > 0 => Content::Vocabulary,
        [.., true, _, _] => Content::Index,
        [.., true, _] => Content::Config,
        [.., true] => Content::Tokenizer,
        _ => Content::Text,
    })
}

#[cfg(test)]
mod tests {
    use super::super::at_once;
    use super::super::no_pause;
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        let cases = [
            (r#"{"n_layer": 1, "n_head": 2, "n_embd": 3}"#, Content::Config),
            (r#"{"model_type": "llama"}"#, Content::Config),
            (r#"{"weight_map": {"a": "b"}}"#, Content::Index),
            (r#" {"model": {"vocab": {}}}"#, Content::Tokenizer),
            // A vocabulary whose words are keys of other files.
            (r#"{"model": 0, "weight_map": 1}"#, Content::Vocabulary),
            (r#"{"bos_token_id": 0, "version": "5"}"#, Content::Text),
            ("{broken", Content::Text),
            ("#version: 0.2\n", Content::Merges),
            ("Ġ t\nh e\n", Content::Merges),
            ("First Citizen:\nBefore we proceed any further\n", Content::Text),
        ];
        for (bytes, expected) in cases {
            assert_eq!(at_once(text(bytes, &no_pause)), expected, "{bytes}");
        }
    }

    #[test]
    fn a_text_may_be_cut_within_a_character() {
        let cut: Vec<u8> = "a".bytes().chain("é".repeat(BEGINNING).bytes()).take(BEGINNING).collect();
        assert!(std::str::from_utf8(&cut).is_err() && is_text(&cut));
        assert!(!is_text(b"a\xc3") && !is_text(b"a\0"));
    }
}
