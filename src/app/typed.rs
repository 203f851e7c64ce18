//! What readers type, and what a character model knows: names for characters that cannot be seen, and plain forms of
//! those that phones and word processors put in place of them.

use std::collections::BTreeSet;

/// Plain forms, the best first. A character is removed where the form is empty.
const PLAIN: [(&[char], &[&str]); 7] = [
    (&['‘', '’', '‚', '‛', '′', '`', '´'], &["'"]),
    (&['“', '”', '„', '‟', '″', '«', '»', '"'], &["\"", "'"]),
    (&['–', '—', '―', '−', '‐', '‑', '‒'], &["-"]),
    (&['…'], &["..."]),
    (&['\t', '\u{a0}', '\u{2002}', '\u{2003}', '\u{2009}', '\u{202f}', '\u{3000}'], &[" "]),
    (&['\r', '\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'], &[""]),
    (&['\u{2028}', '\u{2029}'], &["\n"]),
];

/// The characters of a text that `alphabet` lacks, each once.
pub fn unknown(text: &str, alphabet: &str) -> Vec<char> {
    let mut seen: BTreeSet<char> = alphabet.chars().collect();
    text.chars().filter(|character| seen.insert(*character)).collect()
}

/// A text in which characters that `alphabet` lacks have their plain forms, as far as there are any that it has.
pub fn plain(text: &str, alphabet: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        let is_known = alphabet.contains(character);
        match (!is_known).then(|| form(character, alphabet)).flatten() {
            Some(form) => plain.push_str(form),
            None => plain.push(character),
        }
    }
    plain
}

fn form(character: char, alphabet: &str) -> Option<&'static str> {
    let (_, forms) = PLAIN.iter().find(|(characters, _)| characters.contains(&character))?;
    forms.iter().find(|form| form.chars().all(|plain| alphabet.contains(plain))).copied()
}

/// The character, or its name where it cannot be seen.
pub fn name(character: char) -> String {
    let is_unseen = matches!(u32::from(character),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
        | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb | 0xe0000..=0xe0fff);
    match character {
        '\t' => "the tab".to_string(),
        '\u{a0}' => "the no-break space".to_string(),
        _ if is_unseen || character.is_control() || character.is_whitespace() => {
            format!("U+{:04X}", u32::from(character))
        }
        _ => format!("“{character}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::import::TINY_SHAKESPEARE;

    #[test]
    fn what_phones_write_becomes_what_shakespeare_has() {
        let plain = |text| plain(text, TINY_SHAKESPEARE);
        assert_eq!(plain("‘Tis so’ — “ay”…\u{200b}"), "'Tis so' - 'ay'...");
        assert_eq!(plain("a\u{a0}b\tc\r\n"), "a b c\n");
        assert_eq!(plain("Café 7"), "Café 7", "what has no plain form stays");
        assert_eq!(plain("to-day!"), "to-day!");
    }

    #[test]
    fn each_unknown_character_is_named_once() {
        assert_eq!(unknown("café, naïve café", "acefnv ,"), ['é', 'ï']);
        assert_eq!(unknown("", TINY_SHAKESPEARE), Vec::<char>::new());
        // Nearly all of Unicode, twice over.
        let all: String = ('\u{4e00}'..=char::MAX).collect();
        assert_eq!(unknown(&all.repeat(2), TINY_SHAKESPEARE), all.chars().collect::<Vec<_>>());
    }

    #[test]
    fn what_the_model_knows_stays() {
        assert_eq!(plain("“ay” – \"no\"", "“”ayno \""), "“ay” – \"no\"");
    }

    #[test]
    fn characters_that_cannot_be_seen_have_names() {
        for (character, expected) in
            [('é', "“é”"), ('\u{200b}', "U+200B"), ('\u{feff}', "U+FEFF"), ('\u{7}', "U+0007"), ('\t', "the tab")]
        {
            assert_eq!(name(character), expected);
        }
    }
}
