//! GPT-2's byte alphabet: one visible character for each byte, so that vocabularies can be text files.
//!
//! Follows `bytes_to_unicode` of OpenAI's `encoder.py`: printable bytes stand for themselves, and the other 68 are
//! U+0100 and up, in order. A space is `Ġ`, a newline is `Ċ`.

/// Each byte's character.
const SPELLINGS: [char; 256] = spellings();

/// Characters from U+0000 to the last of the alphabet.
const SPAN: usize = 256 + 68;

/// Each character's byte, if it has one.
const BYTES: [Option<u8>; SPAN] = bytes();

const fn prints(byte: u8) -> bool {
    matches!(byte, 33..=126 | 161..=172 | 174..=255)
}

const fn spellings() -> [char; 256] {
    let mut table = ['\0'; 256];
    let (mut byte, mut next) = (0, '\u{100}');
    while byte < table.len() {
        if prints(byte as u8) {
            table[byte] = byte as u8 as char;
        } else {
            table[byte] = next;
            next = match char::from_u32(next as u32 + 1) {
                Some(character) => character,
                None => next, // never: 68 characters from U+0100 on are far from the surrogates
            };
        }
        byte += 1;
    }
    table
}

const fn bytes() -> [Option<u8>; SPAN] {
    let mut table = [None; SPAN];
    let mut byte = 0;
    while byte < SPELLINGS.len() {
        table[SPELLINGS[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    table
}

/// Spells bytes in the alphabet: ` é` is `ĠÃ©`.
pub fn spell(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| SPELLINGS[usize::from(byte)]).collect()
}

/// Appends the bytes that a piece spells. `false` if it has a character that is not in the alphabet.
pub fn unspell(piece: &str, bytes: &mut Vec<u8>) -> bool {
    piece.chars().all(|character| {
        let byte = BYTES.get(character as usize).copied().flatten();
        bytes.extend(byte);
        byte.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_gpt2s() {
        assert_eq!(spell(" the\n".as_bytes()), "ĠtheĊ");
        assert_eq!(spell("é".as_bytes()), "Ã©");
        // The first and last bytes of each range in `bytes_to_unicode`.
        assert_eq!(spell(&[0, 32, 33, 126, 127, 160, 161, 172, 173, 174, 255]), "ĀĠ!~ġł¡¬Ń®ÿ");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut bytes = Vec::new();
        assert!(unspell(&spell(&all), &mut bytes));
        assert_eq!(bytes, all);
    }

    #[test]
    fn other_characters_spell_nothing() {
        for piece in ["a b", "\n", "\u{ad}", "\u{144}", "😀"] {
            assert!(!unspell(piece, &mut Vec::new()), "{piece:?}");
        }
    }
}
