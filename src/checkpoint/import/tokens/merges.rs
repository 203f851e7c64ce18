//! `merges.txt`.

use super::super::{Pause, texts};
use crate::checkpoint::CheckpointError;

/// The merges of a file.
pub(super) async fn read(text: &str, pause: Pause<'_>) -> Result<Vec<String>, CheckpointError> {
    let (mut merges, mut rest) = (Vec::new(), &text[start(text)..]);
    while !rest.is_empty() {
        let (lines, behind) = texts::cut(rest);
        merges.append(&mut of_lines(lines, text.len() - rest.len())?);
        rest = behind;
        pause().await;
    }
    Ok(merges)
}

/// Where the merges begin: behind the line `#version`, if there is one.
fn start(text: &str) -> usize {
    if text.starts_with("#version") { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 }
}

/// The merges in these lines, which begin at `start` in the file. Each line has two pieces with a space between them.
fn of_lines(text: &str, start: usize) -> Result<Vec<String>, CheckpointError> {
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
    use super::super::super::{at_once, no_pause};
    use super::*;

    fn merges(text: &str) -> Result<Vec<String>, CheckpointError> {
        at_once(read(text, &no_pause))
    }

    #[test]
    fn merges_are_two_pieces_a_line() {
        assert_eq!(merges("#version: 0.2\nĠ t\n# a\n").unwrap(), ["Ġ t", "# a"]);
        assert!(merges("#version: 0.2").unwrap().is_empty());
        let error = merges("Ġ t\nabc\n").unwrap_err().to_string();
        assert_eq!(error, "`merges.txt` at byte 5: expected two pieces with a space between them, found `abc`");
    }
}
