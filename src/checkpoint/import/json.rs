//! Reads JSON value by value, so that a large file can be read in steps. `serde_json` only reads a whole text at once.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::Pause;
use super::texts::PIECE;
use crate::checkpoint::CheckpointError;

/// Bytes of the longest string that is accepted, since a string is read in one step.
const MOST_STRING: usize = 1 << 20;

/// A position in a JSON text.
pub(super) struct JsonCursor<'a, 'p> {
    text: &'a str,
    /// The name of the text in messages.
    part: &'static str,
    at: usize,
    /// Whether an object or an array has just begun, so that no comma may come.
    fresh: bool,
    pause: Pause<'p>,
    /// The position of the last pause.
    paused: usize,
}

impl<'a, 'p> JsonCursor<'a, 'p> {
    /// At the beginning of a text.
    pub fn new(text: &'a str, part: &'static str, pause: Pause<'p>) -> Self {
        JsonCursor { text, part, at: 0, fresh: false, pause, paused: 0 }
    }

    /// Enters an object (`{`) or an array (`[`).
    pub fn begin(&mut self, bracket: u8) -> Result<(), CheckpointError> {
        self.take(bracket)?;
        self.fresh = true;
        Ok(())
    }

    /// The next key of the object, whose value follows. `None` at the object's end, which is passed.
    pub async fn key(&mut self) -> Result<Option<Cow<'a, str>>, CheckpointError> {
        if !self.goes_on(b'}').await? {
            return Ok(None);
        }
        let key = self.string()?;
        self.take(b':')?;
        Ok(Some(key))
    }

    /// Whether the array has another item. The array's end is passed.
    pub async fn item(&mut self) -> Result<bool, CheckpointError> {
        self.goes_on(b']').await
    }

    /// A string.
    pub fn string(&mut self) -> Result<Cow<'a, str>, CheckpointError> {
        let (start, quoted) = (self.at, self.quoted()?);
        let inner = &quoted[1..quoted.len() - 1];
        if !inner.bytes().any(|byte| byte == b'\\' || byte < b' ') {
            return Ok(Cow::Borrowed(inner));
        }
        serde_json::from_str(quoted).map(Cow::Owned).map_err(|error| self.wrong(start, "a string", error))
    }

    /// A whole number that is not negative.
    pub fn number(&mut self) -> Result<u64, CheckpointError> {
        let start = self.at;
        let number = self.plain()?;
        number.parse().map_err(|_| self.wrong(start, "a whole number", number))
    }

    /// Passes over a value, and returns its text.
    pub async fn skip(&mut self) -> Result<&'a str, CheckpointError> {
        let mut open = Vec::new();
        self.peek();
        let start = self.at;
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.begin(bracket)?;
                    open.push(bracket);
                }
                Some(b'"') => drop(self.string()?),
                _ => drop(self.plain()?),
            }
            loop {
                let goes_on = match open.last() {
                    None => return Ok(&self.text[start..self.at]),
                    Some(b'{') => self.key().await?.is_some(),
                    Some(_) => self.item().await?,
                };
                if goes_on {
                    break;
                }
                open.pop();
            }
        }
    }

    /// The next byte that is not white space.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Fails unless only white space is left.
    pub fn end(&mut self) -> Result<(), CheckpointError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong(self.at, "the end", self.rest())),
        }
    }

    /// Whether the object or array has another item. Passes the comma before it, or the end.
    async fn goes_on(&mut self, end: u8) -> Result<bool, CheckpointError> {
        if self.at - self.paused >= PIECE {
            self.paused = self.at;
            (self.pause)().await;
        }
        let is_first = std::mem::take(&mut self.fresh);
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        if !is_first {
            self.take(b',')?;
        }
        Ok(true)
    }

    fn take(&mut self, byte: u8) -> Result<(), CheckpointError> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.wrong(self.at, format_args!("`{}`", char::from(byte)), self.rest())),
        }
    }

    /// A string, with its quotes.
    fn quoted(&mut self) -> Result<&'a str, CheckpointError> {
        let start = self.at;
        self.take(b'"')?;
        let (begin, mut escaped) = (self.at - 1, false);
        let length = self.text.as_bytes()[self.at..].iter().take(MOST_STRING).position(|&byte| {
            let is_end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            is_end
        });
        match length {
            Some(length) => {
                self.at += length + 1;
                Ok(&self.text[begin..self.at])
            }
            None => Err(self.wrong(start, format_args!("a string of at most {MOST_STRING} bytes"), self.rest())),
        }
    }

    /// A number, a boolean or `null`.
    fn plain(&mut self) -> Result<&'a str, CheckpointError> {
        self.peek();
        let rest = &self.text.as_bytes()[self.at..];
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        let plain = self.text.get(self.at..self.at + length).unwrap_or_default();
        serde_json::from_str::<IgnoredAny>(plain).map_err(|_| self.wrong(self.at, "a value", self.rest()))?;
        self.at += length;
        Ok(plain)
    }

    /// The part of the remaining text that messages show.
    fn rest(&self) -> String {
        match self.text.get(self.at..).unwrap_or_default().chars().take(32).collect::<String>() {
            rest if rest.is_empty() => "the end of the file".to_string(),
            rest => format!("`{}`", rest.escape_debug()),
        }
    }

    /// The error for something unexpected at `at`.
    pub fn wrong(&self, at: usize, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> CheckpointError {
        CheckpointError::field(&self.part, at as u64, expected, found)
    }

    /// The offset at which the next value is expected.
    pub fn offset(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::super::{at_once, no_pause};
    use super::*;

    fn skip(text: &str) -> Result<&str, String> {
        let mut json = JsonCursor::new(text, "test", &no_pause);
        let value = at_once(json.skip()).and_then(|value| json.end().map(|()| value));
        value.map_err(|error| error.to_string())
    }

    #[test]
    fn what_serde_refuses_is_refused() {
        let whole = r#" {"a": [1, -2.5e3, true, null, "x\"\\\u00e9"], "b": {}, "c": [[], {"d": "é"}]} "#;
        assert_eq!(skip(whole).unwrap(), whole.trim());
        let numbers = &mut crate::checkpoint::testing::numbers(1);
        let mut below = |end: usize| ((numbers() + 1.0) / 2.0 * end as f32) as usize % end;
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut characters: Vec<char> = whole.chars().collect();
            for _ in 0..=below(3) {
                let at = below(characters.len());
                match below(3) {
                    0 => drop(characters.remove(at)),
                    1 => characters[at] = ['{', '}', '[', ']', ',', ':', '"', '\\', '1', ' ', 'n'][below(11)],
                    _ => characters.insert(at, ['{', '}', '[', ']', ',', ':', '"', '\\', '1', ' ', 'n'][below(11)]),
                }
            }
            let text: String = characters.into_iter().collect();
            let is_right = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(skip(&text).is_ok(), is_right, "{text}: {:?}", skip(&text));
            refused += usize::from(!is_right);
        }
        assert!((10_000..20_000).contains(&refused), "{refused}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(skip("[1, 2").unwrap_err(), "`test` at byte 5: expected `,`, found the end of the file");
        assert_eq!(skip("[1] 2").unwrap_err(), "`test` at byte 4: expected the end, found `2`");
        assert!(skip(&format!("\"{}\"", "a".repeat(MOST_STRING))).unwrap_err().contains("at most 1048576 bytes"));
    }
}
