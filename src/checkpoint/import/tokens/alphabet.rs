//! The alphabets of character models.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::super::super::CheckpointError;
use super::super::super::source::Source;
use super::super::super::torch::{pickle, read_pickle};
use crate::tokenizer::{TokenizerSpec, bytes};
use pickle::{Value, Values};

/// The tokenizer of these characters: one token each. A text starts from a newline, or from the first of them.
pub(super) fn tokenizer(alphabet: &[char]) -> TokenizerSpec {
    let start = alphabet.iter().position(|&character| character == '\n').unwrap_or(0) as u32;
    let tokens = alphabet.iter().map(|character| bytes::spell(character.to_string().as_bytes())).collect();
    TokenizerSpec { tokens, merges: Vec::new(), start, end_of_text: None }
}

/// The characters of a text in the order of Python's `sorted(set(text))`, line ends read as Python reads them.
pub(in super::super) fn of_text<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<char>, CheckpointError> {
    let (mut characters, mut buffer, mut left) = (BTreeSet::new(), vec![0; 64 << 10], source.length());
    let mut kept = 0;
    source.seek(0)?;
    while left > 0 {
        let count = left.min((buffer.len() - kept) as u64) as usize;
        source.fill(&"text", &mut buffer[kept..kept + count])?;
        left -= count as u64;
        let bytes = &buffer[..kept + count];
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            // The last character goes on in the next piece.
            Err(error) if error.error_len().is_none() && left > 0 => error.valid_up_to(),
            Err(error) => {
                let offset = source.offset() - (bytes.len() - error.valid_up_to()) as u64;
                return Err(CheckpointError::field(&"text", offset, "UTF-8", "other bytes"));
            }
        };
        let (text, rest) = bytes.split_at(valid);
        let text = std::str::from_utf8(text).unwrap_or_default();
        characters.extend(text.chars().map(|character| if character == '\r' { '\n' } else { character }));
        let begin = valid..valid + rest.len();
        kept = rest.len();
        buffer.copy_within(begin, 0);
    }
    Ok(characters.into_iter().collect())
}

/// The characters in nanoGPT's `meta.pkl`: those of `itos`, or of `stoi`, by their ids.
pub(super) fn meta<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<char>, CheckpointError> {
    let bytes = read_pickle(0..source.length(), source)?;
    let (values, _) = pickle::read(&bytes, 0)?;
    let (itos, stoi) = (values.get(values.root, "itos"), values.get(values.root, "stoi"));
    let pairs: Vec<(Value, Value)> = match (itos, stoi) {
        (Some(itos @ Value::Dict(_)), _) => values.pairs(itos).collect(),
        (_, Some(stoi @ Value::Dict(_))) => values.pairs(stoi).map(|(text, id)| (id, text)).collect(),
        _ => return Err(wrong("a dict with `itos` or `stoi`", values.root)),
    };
    by_id(&pairs, &values)
}

/// Each id from 0 on exactly once, each with a character of its own.
fn by_id(pairs: &[(Value, Value)], values: &Values) -> Result<Vec<char>, CheckpointError> {
    let mut alphabet = vec![None; pairs.len()];
    for &(id, text) in pairs {
        let place = values.int(id).and_then(|id| alphabet.get_mut(usize::try_from(id).ok()?));
        match (place, single(values.text(text))) {
            (Some(place @ None), Some(character)) => *place = Some(character),
            (Some(Some(_)), _) => return Err(wrong("each id once", "one twice")),
            (None, _) => return Err(wrong(format!("ids below {}", pairs.len()), id)),
            (_, None) => return Err(wrong("one character for each id", text)),
        }
    }
    Ok(alphabet.into_iter().flatten().collect())
}

fn single(text: Option<&str>) -> Option<char> {
    let mut characters = text?.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn wrong(expected: impl std::fmt::Display, found: impl std::fmt::Display) -> CheckpointError {
    CheckpointError::field(&"meta.pkl", 0, expected, found)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_text_has_its_characters_in_pythons_order() {
        // The é lies across the border of two pieces, and a line ends as on Windows.
        let text = format!("{}é\r\nb→", "a".repeat((64 << 10) - 1));
        let mut bytes = Cursor::new(text.into_bytes());
        assert_eq!(of_text(&mut Source::new(&mut bytes).unwrap()).unwrap(), ['\n', 'a', 'b', 'é', '→']);
        let mut bytes = Cursor::new(b"ab\xc3".to_vec());
        let error = of_text(&mut Source::new(&mut bytes).unwrap()).unwrap_err().to_string();
        assert_eq!(error, "`text` at byte 2: expected UTF-8, found other bytes");
    }

    #[test]
    fn ids_that_are_missing_or_double_are_refused() {
        let error = |pickle: &[u8]| {
            let mut bytes = Cursor::new([b"\x80\x04}\x8c\x04itos}(", pickle, b"us."].concat());
            meta(&mut Source::new(&mut bytes).unwrap()).unwrap_err().to_string()
        };
        assert!(error(b"K\x01\x8c\x01aK\x02\x8c\x01b").ends_with("expected ids below 2, found a number"));
        assert!(error(b"K\x01\x8c\x01aK\x01\x8c\x01b").ends_with("expected each id once, found one twice"));
        assert!(error(b"K\x00\x8c\x02ab").ends_with("expected one character for each id, found a text"));
    }
}
