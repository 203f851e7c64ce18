//! Decodes bytes to text while they arrive.

/// Decodes UTF-8 that arrives in pieces. All of its output, joined, is [`String::from_utf8_lossy`] of all bytes.
///
/// A character's bytes can be in several tokens. They are held back until the character is complete, so that a `�` is
/// given only for invalid bytes.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    /// The beginning of a character that is still incomplete, at most 3 bytes.
    held: Vec<u8>,
}

impl Utf8Stream {
    /// A stream without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes, and returns the text that is complete.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut start = 0;
        for chunk in self.held.utf8_chunks() {
            text.push_str(chunk.valid());
            start += chunk.valid().len();
            if is_incomplete(&self.held[start..]) {
                break;
            }
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                start += chunk.invalid().len();
            }
        }
        self.held.drain(..start);
        text
    }

    /// Ends the stream: an incomplete character becomes one `�`.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        text
    }
}

/// Whether these bytes are the beginning of a single character.
fn is_incomplete(bytes: &[u8]) -> bool {
    bytes.len() < 4
        && std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::random::Pcg32;

    #[test]
    fn a_split_character_waits_for_its_end() {
        let mut stream = Utf8Stream::new();
        let [first, second, third, fourth] = *"😀".as_bytes() else { panic!("four bytes") };
        assert_eq!(stream.push(&[b'a', first]), "a");
        assert_eq!(stream.push(&[second, third]), "");
        assert_eq!(stream.push(&[fourth, b'b']), "😀b");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn invalid_bytes_show_at_once() {
        let mut stream = Utf8Stream::new();
        assert_eq!(stream.push(b"a\xff"), "a\u{fffd}");
        assert_eq!(stream.push(b"\xe2\x82"), "");
        assert_eq!(stream.push(b"b"), "\u{fffd}b");
        assert_eq!(stream.push(b"\xe2"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.finish(), "");
    }

    /// Bytes that often form valid, broken and overlong sequences of all lengths.
    const BYTES: [u8; 16] =
        [b'a', b'\n', 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xc3, 0xe0, 0xa9, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff];

    #[test]
    fn any_split_of_any_bytes_gives_the_same_text() {
        let mut random = Pcg32::new(1, 1);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.below(24)).map(|_| BYTES[random.below(16) as usize]).collect();
            let (mut stream, mut text, mut rest) = (Utf8Stream::new(), String::new(), &bytes[..]);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(random.below(rest.len() as u32 + 1) as usize);
                text += &stream.push(now);
                rest = later;
            }
            text += &stream.finish();
            assert_eq!(text, String::from_utf8_lossy(&bytes), "{bytes:x?}");
        }
    }

    #[test]
    fn text_split_anywhere_shows_no_replacement() {
        let text = "naïve 日本語 😀 Ωμέγα".repeat(3);
        let mut random = Pcg32::new(2, 1);
        for _ in 0..1000 {
            let (mut stream, mut rest) = (Utf8Stream::new(), text.as_bytes());
            let mut shown = String::new();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(1 + random.below(rest.len().min(3) as u32) as usize);
                shown += &stream.push(now);
                rest = later;
                assert!(text.starts_with(&shown), "{shown}");
            }
            assert_eq!(shown, text);
        }
    }
}
