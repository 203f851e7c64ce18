//! The texts beside the weights.

use std::fmt;
use std::io::{Read, Seek};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::CheckpointError;
use super::super::safetensors::config::{self, Said};
use super::super::source::{Source, room};
use super::{Content, ImportError, Named, in_file};

/// The longest text that is read whole; GPT-2's `tokenizer.json` has 1.4 MB.
pub(super) const MOST_TEXT: u64 = 16 << 20;

/// Reads a text from its beginning.
pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> Result<String, CheckpointError> {
    let length = source.length();
    if length > MOST_TEXT {
        return Err(CheckpointError::field(&"text", 0, format!("at most {MOST_TEXT} bytes"), length));
    }
    let mut bytes = room(&"text", length)?;
    bytes.resize(length as usize, 0);
    source.seek(0)?;
    source.fill(&"text", &mut bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        CheckpointError::field(&"text", error.utf8_error().valid_up_to() as u64, "UTF-8", "other bytes")
    })
}

/// The text of the only file that is this; an error where there are two.
pub(super) fn only<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    content: Content,
) -> Result<Option<String>, ImportError> {
    match find(files, contents, content)? {
        Some(file) => in_file(files, file, read).map(Some),
        None => Ok(None),
    }
}

/// The only file that is this; an error where there are two.
pub(super) fn find<R>(
    files: &[Named<R>],
    contents: &[Content],
    content: Content,
) -> Result<Option<usize>, ImportError> {
    let mut found = (0..files.len()).filter(|&file| contents[file] == content);
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            let expected = format!("{} only, as {} is", content.title(), files[first].name);
            let source = CheckpointError::field(&"file", 0, expected, "another");
            Err(ImportError::File { name: files[second].name.clone(), source })
        }
        (found, _) => Ok(found),
    }
}

/// What `config.json` says, where there is one.
pub(super) fn config<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
) -> Result<Option<Said>, ImportError> {
    let Some(text) = only(files, contents, Content::Config)? else { return Ok(None) };
    Ok(Some(config::parse(&text)?))
}

/// Whether this is an object of numbers, with one at least: `vocab.json`.
pub(super) fn is_vocabulary(text: &str) -> bool {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Numbers).is_ok_and(|count| count > 0)
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value::<u64>()?;
            count += 1;
        }
        Ok(count)
    }
}
