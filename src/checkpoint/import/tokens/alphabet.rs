//! The alphabets of character models.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::super::Pause;
use super::super::texts::TextChunks;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::torch::{pickle, read_pickle};
use crate::checkpoint::source::Source;
use pickle::{PickledValue, PickledValues};

/// The longest `meta.pkl` that is read, since it is read in one step; enough for tens of thousands of characters.
const MOST_META: u64 = 1 << 20;

/// The characters of a text, in the order of Python's `sorted(set(text))`, with line ends read as Python reads them.
/// Stops reading once there are more than `most`.
pub(in crate::checkpoint) async fn of_text<R: Read + Seek>(
    source: &mut Source<'_, R>,
    most: usize,
    pause: Pause<'_>,
) -> Result<Vec<char>, CheckpointError> {
    let (mut characters, mut is_seen) = (BTreeSet::new(), [false; 128]);
    let mut pieces = TextChunks::new(source)?;
    while characters.len() <= most
        && let Some(text) = pieces.next(source)?
    {
        for character in text.chars().map(|character| if character == '\r' { '\n' } else { character }) {
            // Most characters are ASCII.
            match is_seen.get_mut(character as usize) {
                Some(true) => {}
                Some(is_new) => *is_new = characters.insert(character),
                None => drop(characters.insert(character)),
            }
        }
        pause().await;
    }
    Ok(characters.into_iter().collect())
}

/// The characters in nanoGPT's `meta.pkl`: those of `itos`, or of `stoi`, by their ids.
pub(super) fn meta<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<char>, CheckpointError> {
    let length = source.length();
    if length > MOST_META {
        return Err(wrong(format!("at most {MOST_META} bytes"), length));
    }
    let bytes = read_pickle(0..length, source)?;
    let (values, _) = pickle::read(&bytes, 0)?;
    let (itos, stoi) = (values.get(values.root, "itos"), values.get(values.root, "stoi"));
    let pairs: Vec<(PickledValue, PickledValue)> = match (itos, stoi) {
        (Some(itos @ PickledValue::Dict(_)), _) => values.pairs(itos).collect(),
        (_, Some(stoi @ PickledValue::Dict(_))) => values.pairs(stoi).map(|(text, id)| (id, text)).collect(),
        _ => return Err(wrong("a dict with `itos` or `stoi`", values.root)),
    };
    by_id(&pairs, &values)
}

/// The characters by their ids. Fails unless each id from 0 on occurs once, each with a different character.
fn by_id(pairs: &[(PickledValue, PickledValue)], values: &PickledValues) -> Result<Vec<char>, CheckpointError> {
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

    use super::super::super::texts::PIECE;
    use super::super::super::{at_once, no_pause};
    use super::*;

    #[test]
    fn a_text_has_its_characters_in_pythons_order() {
        // Two pieces meet within the é, and a line ends as on Windows.
        let text = format!("{}é\r\nb→", "a".repeat(PIECE - 1));
        let of_text = |bytes: &[u8], most| {
            let mut bytes = Cursor::new(bytes);
            at_once(of_text(&mut Source::new(&mut bytes).unwrap(), most, &no_pause))
        };
        assert_eq!(of_text(text.as_bytes(), usize::MAX).unwrap(), ['\n', 'a', 'b', 'é', '→']);
        assert_eq!(of_text(text.as_bytes(), 0).unwrap(), ['a'], "nothing is read behind the first piece");
        let error = of_text(b"ab\xc3", usize::MAX).unwrap_err().to_string();
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
