//! Pieces by their ids, as `vocab.json` and `tokenizer.json` list them.

use super::super::json::JsonCursor;
use crate::checkpoint::CheckpointError;

/// The pieces that have been read.
pub(super) struct Ids {
    /// The name of the file in messages.
    part: &'static str,
    /// The most tokens that the model has room for.
    most: usize,
    pieces: Vec<Option<String>>,
}

impl Ids {
    /// No pieces yet, and at most as many as the embedding has rows.
    pub fn new(part: &'static str, most: usize) -> Self {
        Ids { part, most, pieces: Vec::new() }
    }

    /// Reads `{"piece": id, …}`.
    pub async fn read(&mut self, json: &mut JsonCursor<'_, '_>) -> Result<(), CheckpointError> {
        json.begin(b'{')?;
        while let Some(piece) = json.key().await? {
            let (offset, id) = (json.offset(), json.number()?);
            self.put(&piece, id, offset)?;
        }
        Ok(())
    }

    /// Adds a piece that was found at `offset`. The same pair of piece and id may occur twice.
    pub fn put(&mut self, piece: &str, id: u64, offset: usize) -> Result<(), CheckpointError> {
        let wrong =
            |expected: &str, found: String| Err(CheckpointError::field(&self.part, offset as u64, expected, found));
        if id >= self.most as u64 {
            let expected = format!("ids below {}, as the model's embedding has rows", self.most);
            return wrong(&expected, id.to_string());
        }
        let id = id as usize;
        if let Some(Some(other)) = self.pieces.get(id)
            && other != piece
        {
            return wrong("each id once", format!("{id} for `{other}` and `{piece}`"));
        }
        self.pieces.resize(self.pieces.len().max(id + 1), None);
        self.pieces[id] = Some(piece.to_string());
        Ok(())
    }

    /// The pieces by their ids. Fails unless each id from 0 on has a piece.
    pub fn tokens(self) -> Result<Vec<String>, CheckpointError> {
        let Ids { part, pieces, .. } = self;
        let expected = "a piece for each id from 0 on";
        match pieces.iter().position(Option::is_none) {
            Some(id) => Err(CheckpointError::field(&part, 0, expected, format!("none for {id}"))),
            None if pieces.is_empty() => Err(CheckpointError::field(&part, 0, expected, "none at all")),
            None => Ok(pieces.into_iter().flatten().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{at_once, no_pause};
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let (mut ids, mut json) = (Ids::new("vocab.json", 3), JsonCursor::new(text, "vocab.json", &no_pause));
        at_once(ids.read(&mut json)).and_then(|()| ids.tokens()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_id_has_one_piece() {
        assert_eq!(read(r#"{"b": 1, "a": 0, "é": 2}"#).unwrap(), ["a", "b", "é"]);
        let says = "`vocab.json` at byte 13: expected each id once, found 0 for `a` and `b`";
        assert_eq!(read(r#"{"a": 0, "b": 0}"#).unwrap_err(), says);
        assert!(read(r#"{"a": 0, "b": 2}"#).unwrap_err().ends_with("found none for 1"));
        assert!(read(r#"{"a": 3}"#).unwrap_err().ends_with("ids below 3, as the model's embedding has rows, found 3"));
        assert!(read("{}").unwrap_err().ends_with("found none at all"));
        assert!(read(r#"{"a": -1}"#).unwrap_err().ends_with("expected a whole number, found -1"));
    }
}
