//! `vocab.json` and `merges.txt`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::super::CheckpointError;
use crate::tokenizer::TokenizerSpec;

/// What GPT-2 starts from and ends with.
const END_OF_TEXT: &str = "<|endoftext|>";
/// The newline in GPT-2's byte alphabet: what a model without [`END_OF_TEXT`] starts from.
const NEWLINE: &str = "Ċ";

/// Reads both files; `size` is the model's number of tokens, `start` the first one that `config.json` says.
pub(in super::super) fn parse(
    vocabulary: &str,
    merges: &str,
    start: Option<u32>,
    size: usize,
) -> Result<TokenizerSpec, CheckpointError> {
    Ok(spec(parse_tokens(vocabulary, size)?, parse_merges(merges)?, start))
}

/// The tokenizer of these pieces.
pub(in super::super) fn spec(tokens: Vec<String>, merges: Vec<String>, start: Option<u32>) -> TokenizerSpec {
    let id = |piece| tokens.iter().position(|token| token == piece).map(|id| id as u32);
    let end_of_text = id(END_OF_TEXT);
    let start = start.or(end_of_text).or_else(|| id(NEWLINE)).unwrap_or(0);
    TokenizerSpec { tokens, merges, start, end_of_text }
}

/// Pieces by id: each id from 0 to `size` exactly once.
fn parse_tokens(text: &str, size: usize) -> Result<Vec<String>, CheckpointError> {
    let failed = |source| CheckpointError::Json { part: "vocab.json", source };
    let read = |tokens| {
        let mut json = serde_json::Deserializer::from_str(text);
        let tokens = Tokens(tokens).deserialize(&mut json)?;
        json.end().map(|()| tokens)
    };
    // Counted before anything is reserved.
    let count = read(None).map_err(failed)?.len;
    if count != size {
        return Err(CheckpointError::field(&"vocab.json", 0, format!("{size} tokens, as the model has"), count));
    }
    let tokens = read(Some(vec![None; size])).map_err(failed)?.tokens;
    // As many entries as ids, and no id twice: each is there.
    Ok(tokens.into_iter().flatten().collect())
}

/// Reads `{"piece": id, …}` into room that has been reserved, or counts it where there is none.
struct Tokens(Option<Vec<Option<String>>>);

struct Counted {
    len: usize,
    tokens: Vec<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Tokens {
    type Value = Counted;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Counted, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tokens {
    type Value = Counted;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object with the id of each token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counted, A::Error> {
        let mut len = 0;
        let Some(mut tokens) = self.0 else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                len += 1;
            }
            return Ok(Counted { len, tokens: Vec::new() });
        };
        while let Some((piece, id)) = map.next_entry::<String, u64>()? {
            let place = usize::try_from(id).ok().and_then(|id| tokens.get_mut(id));
            match place {
                Some(place @ None) => *place = Some(piece),
                Some(Some(other)) => {
                    return Err(A::Error::custom(format!(
                        "expected each id once, found {id} for `{other}` and `{piece}`"
                    )));
                }
                None => return Err(A::Error::custom(format!("expected an id below {}, found {id}", tokens.len()))),
            }
            len += 1;
        }
        Ok(Counted { len, tokens })
    }
}

fn parse_merges(text: &str) -> Result<Vec<String>, CheckpointError> {
    let start = merges_start(text);
    merges_in(&text[start..], start)
}

/// Where the merges begin: behind a line `#version`.
pub(in super::super) fn merges_start(text: &str) -> usize {
    if text.starts_with("#version") { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 }
}

/// Two pieces with a space between them in each of these lines, which begin at `start` in the file.
pub(in super::super) fn merges_in(text: &str, start: usize) -> Result<Vec<String>, CheckpointError> {
    let lines = || text.lines().filter(|line| !line.is_empty());
    let is_merge =
        |line: &str| line.split_once(' ').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains(' '));
    if let Some(line) = lines().find(|line| !is_merge(line)) {
        let offset = start + line.as_ptr() as usize - text.as_ptr() as usize;
        let found = format!("`{}`", line.chars().take(64).collect::<String>());
        return Err(CheckpointError::field(
            &"merges.txt",
            offset as u64,
            "two pieces with a space between them",
            found,
        ));
    }
    let mut merges = Vec::with_capacity(lines().count());
    merges.extend(lines().map(str::to_string));
    Ok(merges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_end_of_text_or_a_newline_where_nothing_is_said() {
        let start = |vocabulary, said| parse(vocabulary, "#version: 0.2", said, 2).unwrap().start;
        assert_eq!(start(r#"{"a":0,"<|endoftext|>":1}"#, None), 1);
        assert_eq!(start(r#"{"a":0,"Ċ":1}"#, None), 1);
        assert_eq!(start(r#"{"a":0,"Ċ":1}"#, Some(0)), 0);
    }

    #[test]
    fn ids_that_are_missing_double_or_too_large_are_refused() {
        let error = |vocabulary| parse(vocabulary, "", None, 2).unwrap_err().to_string();
        assert!(error(r#"{"a":0}"#).contains("expected 2 tokens, as the model has, found 1"));
        assert!(error(r#"{"a":0,"b":0}"#).contains("expected each id once, found 0 for `a` and `b`"));
        assert!(error(r#"{"a":0,"b":2}"#).contains("expected an id below 2, found 2"));
        assert!(error("[]").starts_with("vocab.json: "));
    }

    #[test]
    fn merges_are_two_pieces_a_line() {
        assert_eq!(parse_merges("#version: 0.2\nĠ t\n# a\n").unwrap(), ["Ġ t", "# a"]);
        assert!(parse_merges("#version: 0.2").unwrap().is_empty());
        let error = parse_merges("Ġ t\nabc\n").unwrap_err().to_string();
        assert_eq!(error, "`merges.txt` at byte 5: expected two pieces with a space between them, found `abc`");
    }
}
