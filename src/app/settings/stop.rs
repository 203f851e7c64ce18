//! Stop sequences as text: one per line, with escapes for characters that a line cannot show.

use crate::generation::{MOST_STOP_CHARACTERS, MOST_STOPS};

/// Each escape, and what it stands for. A `\` before anything else is a `\`.
const ESCAPES: [(&str, &str); 4] = [("\\\\", "\\"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")];

/// The sequences as lines.
pub(super) fn lines(sequences: &[String]) -> String {
    sequences.iter().map(|sequence| escaped(sequence)).collect::<Vec<_>>().join("\n")
}

/// Adds a sequence that is written with escapes. `None`, and no change, if it is too long or empty, or one too many.
pub(super) fn add(sequences: &mut Vec<String>, text: &str) -> Option<()> {
    let sequence = unescaped(text);
    let fits = (1..=MOST_STOP_CHARACTERS).contains(&sequence.chars().count()) && sequences.len() < MOST_STOPS;
    fits.then(|| sequences.push(sequence))
}

/// The sequences of these lines; empty lines are left out.
pub(super) fn of_lines(text: &str) -> Option<Vec<String>> {
    let mut sequences = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        add(&mut sequences, line)?;
    }
    Some(sequences)
}

/// The text with escapes, as [`unescaped`] reads them.
pub fn escaped(sequence: &str) -> String {
    ESCAPES.iter().fold(sequence.to_string(), |text, (escape, character)| text.replace(character, escape))
}

/// A text that is written with escapes, such as `\n` for a line end.
pub fn unescaped(text: &str) -> String {
    let (mut sequence, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let escape = ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape));
        let taken = escape.map_or(first.len_utf8(), |(escape, _)| escape.len());
        sequence.push_str(escape.map_or(&rest[..taken], |(_, character)| character));
        rest = &rest[taken..];
    }
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sequence_is_a_line_and_read_back() {
        for sequence in ["JULIET:", "\n\n", " ", "\\", "\\n", "a\\\nb", "\t\r\n", "C:\\temp", "你好 \u{1}"] {
            let line = escaped(sequence);
            assert!(!line.contains(['\n', '\r']), "{line}");
            assert_eq!(unescaped(&line), sequence);
        }
    }

    #[test]
    fn an_escape_that_is_none_stands_for_itself() {
        assert_eq!(unescaped("\\d\\\\n\\"), "\\d\\n\\");
        assert_eq!(unescaped("\n"), "\n", "as an address and a shell can give it");
    }
}
