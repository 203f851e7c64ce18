//! What the test server makes of a request.

use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;

/// The parts of a request that matter here.
#[derive(Default)]
pub struct Asked {
    /// `GET`, or another.
    pub method: String,
    /// What stands behind the origin, up to a `?`.
    pub path: String,
    /// First byte and, where it is said, the one after the last.
    pub range: Option<(usize, Option<usize>)>,
    /// What the range is asked of.
    pub if_range: Option<String>,
}

/// The request; nothing if the connection closes without one.
pub fn read(stream: &TcpStream) -> io::Result<Option<Asked>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_string();
    let path = words.next().and_then(|target| target.split('?').next()).unwrap_or_default().to_string();
    let mut asked = Asked { method, path, ..Asked::default() };
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => asked.range = read_range(value),
            "if-range" => asked.if_range = Some(value.to_string()),
            _ => {}
        }
    }
    Ok(Some(asked))
}

/// `bytes=3-` or, as the browser's cache asks, `bytes=3-5`.
fn read_range(value: &str) -> Option<(usize, Option<usize>)> {
    let (from, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, last.parse().ok().map(|last: usize| last + 1)))
}
