//! Texts of all kinds, to compare tokenizers with.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use crate::common::numbers::Numbers;

/// A kind of text, and what draws one.
pub type Kind = (&'static str, fn(&mut Numbers) -> String);

pub const KINDS: [Kind; 9] = [
    ("any characters", |numbers| repeat(numbers, 12, |numbers| scalar(numbers, 0, 0x11_0000))),
    ("characters of one block", block),
    ("ASCII with contractions", |numbers| repeat(numbers, 30, |numbers| one_of(numbers, &ENGLISH))),
    ("white space", |numbers| repeat(numbers, 24, white_space)),
    ("combining marks", |numbers| repeat(numbers, 16, combined)),
    ("emoji", |numbers| repeat(numbers, 8, emoji)),
    ("numbers of all kinds", |numbers| repeat(numbers, 16, |numbers| one_of(numbers, &DIGITS))),
    ("broken UTF-8", |numbers| String::from_utf8_lossy(&bytes(numbers, 60)).into_owned()),
    ("all of these", |numbers| repeat(numbers, 4, |numbers| draw(numbers, 8))),
];

/// A text of one of the first `kinds` kinds.
fn draw(numbers: &mut Numbers, kinds: usize) -> String {
    KINDS[numbers.below(kinds)].1(numbers)
}

/// Fewer than `most` pieces.
fn repeat(numbers: &mut Numbers, most: usize, piece: impl Fn(&mut Numbers) -> String) -> String {
    (0..numbers.below(most)).map(|_| piece(numbers)).collect()
}

fn one_of(numbers: &mut Numbers, pieces: &[&str]) -> String {
    pieces[numbers.below(pieces.len())].to_string()
}

/// A character from a range of code points; nothing where a surrogate was drawn.
fn scalar(numbers: &mut Numbers, start: u32, end: u32) -> String {
    char::from_u32(start + numbers.below((end - start) as usize) as u32).map_or_else(String::new, String::from)
}

/// Up to 128 neighbouring characters, most often of one script, with spaces in between; mostly of the first two planes.
fn block(numbers: &mut Numbers) -> String {
    let end = [0x1_0000, 0x1_0000, 0x2_0000, 0x11_0000][numbers.below(4)];
    let start = numbers.below(end / 128) as u32 * 128;
    repeat(numbers, 24, |numbers| match numbers.below(6) {
        0 => " ".to_string(),
        _ => scalar(numbers, start, start + 128),
    })
}

const ENGLISH: [&str; 40] = [
    "'s",
    "'t",
    "'re",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "'S",
    "'LL",
    "'",
    "''",
    "’s",
    "’",
    "a",
    "I",
    "we",
    " we",
    " the",
    "The",
    "you",
    " would",
    " antidisestablishmentarianism",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "0",
    " 1",
    "1999",
    "3.14",
    ",",
    ".",
    " ...",
    "!?",
    " (",
    "\"",
    "<|endoftext|>",
    "_x_",
    "#![allow(",
];

/// All characters of the property White_Space, two that look like it, and what may stand next to them.
fn white_space(numbers: &mut Numbers) -> String {
    const SPACES: &str = "\t\n\u{b}\u{c}\r\u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\
        \u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{200b}\u{feff}";
    match numbers.below(8) {
        0 => one_of(numbers, &["a", "é", "1", "²", ".", "'s", "日"]),
        1..=3 => " ".repeat(numbers.below(6)),
        4 => "\r\n".repeat(numbers.below(4)),
        _ => SPACES.chars().nth(numbers.below(SPACES.chars().count())).unwrap().to_string(),
    }
}

/// A letter with up to 20 marks; some scripts spell vowels so, and some people names of demons.
fn combined(numbers: &mut Numbers) -> String {
    const BASES: [&str; 12] = ["e", "A", "n", " o", "ß", "क", "ਸ", "ก", "א", "ع", "한", " "];
    const MARKS: [(u32, u32); 8] = [
        (0x300, 0x370),
        (0x483, 0x48a),
        (0x591, 0x5c8),
        (0x64b, 0x660),
        (0x900, 0x980),
        (0xe31, 0xe50),
        (0x1ab0, 0x1b00),
        (0x20d0, 0x2100),
    ];
    let most = [2, 4, 20][numbers.below(3)];
    let marks = repeat(numbers, most, |numbers| {
        let (start, end) = MARKS[numbers.below(MARKS.len())];
        scalar(numbers, start, end)
    });
    one_of(numbers, &BASES) + &marks
}

/// Emoji as keyboards write them: joined, with a skin tone, with a variation selector, keycaps, flags; also cut short.
pub fn emoji(numbers: &mut Numbers) -> String {
    const WHOLE: [&str; 14] = ["👩‍👩‍👧‍👦", "👨🏽‍🚀", "❤️", "❤️‍🔥", "🏳️‍🌈", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "#️⃣", "🇩🇪", "🇺🇳", "👍🏿", "☺︎", " 😀", "🫠"];
    match numbers.below(8) {
        0 => scalar(numbers, 0x1f300, 0x1fb00),
        1 => scalar(numbers, 0x1f1e6, 0x1f200),
        2 => scalar(numbers, 0x1f3fb, 0x1f400),
        3 => one_of(numbers, &["\u{200d}", "\u{fe0f}", "\u{fe0e}", "\u{20e3}"]),
        _ => one_of(numbers, &WHOLE),
    }
}

const DIGITS: [&str; 16] = ["0", "42", " 7", "٣", "४", "௧", "๙", "Ⅷ", "²", "½", "①", "㊿", "𝟘", "〇", "1,000.5", "3rd"];

/// Bytes of which some are UTF-8.
fn bytes(numbers: &mut Numbers, most: usize) -> Vec<u8> {
    const COMMON: [u8; 16] =
        [b'a', b' ', b'\n', 0x80, 0x8f, 0xbf, 0xc0, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xf0, 0x9f, 0x98];
    let any = numbers.below(2) == 0;
    let byte = |numbers: &mut Numbers| if any { numbers.below(256) as u8 } else { COMMON[numbers.below(16)] };
    (0..numbers.below(most)).map(|_| byte(numbers)).collect()
}

/// About this many bytes of what looks like English: words of syllables, the short ones far more often.
pub fn prose(numbers: &mut Numbers, length: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["the", "a", "of", "to", "and", "in", "er", "ing", "con", "ta", "ly", "un", "sis", "re", "mo", "th"];
    const ENDS: [&str; 8] = [". ", ", ", ".\n", "'s ", ".\n\n", " — ", "! ", "; "];
    let mut text = String::with_capacity(length + 100);
    while text.len() < length {
        let syllables = 1 + numbers.below(5) * numbers.below(2);
        text.extend((0..syllables).map(|_| SYLLABLES[numbers.below(16)]));
        text.push_str(if numbers.below(8) == 0 { ENDS[numbers.below(8)] } else { " " });
    }
    text
}
