//! What a machine has found out about itself on `#/about`: rows for people, one JSON object, and a part of an address.
//!
//! In an address the values stand in the order of [`FIELDS`], `2~0.1.0~691386097644~…`, behind the number of this form. A
//! value that is not known is empty there and `null` in JSON. What is read from an address comes from anybody, and is held to
//! what each field takes; so nothing in a value has to be escaped.

use std::fmt;
use std::str::FromStr;

use crate::generation::Settings;
use crate::tokenizer::Vocabulary;

/// The text that pearGPT writes anew: `generate --tokens 309 --seed 7 --prompt $'ROMEO:\n' | sha256sum`.
pub const REPLAY_PROMPT: &str = "ROMEO:\n";
/// Its seed.
pub const REPLAY_SEED: u32 = 7;
/// Its tokens: more than fit the context, and the last one ends a line, so that the terminal adds none.
pub const REPLAY_TOKENS: u32 = 309;
/// The sha256 of prompt and text; `tests/text.rs` holds the engine to it.
pub const REPLAY_SHA256: &str = "5b4e8342e8d304a8dba0c1a6fc99f864462f17f5a142ee36db834c39277f12c3";

/// Tokens that the short bench reads.
pub const BENCH_PROMPT: u32 = 64;
/// Tokens that it writes then.
pub const BENCH_TOKENS: u32 = 128;

/// Characters of a result in an address, at most.
pub const MOST: usize = 2000;

/// Behind this stand the values; another form would have another number.
const FORM: &str = "2";

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// So many printable ASCII characters at most, but no `"`, `\` or `~`.
    Text(usize),
    /// So many hex digits.
    Hex(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number, with decimals or without.
    Number,
}

/// Outcomes of a check.
pub const PASSED: &str = "passed";
/// The opposite.
pub const FAILED: &str = "failed";
/// This browser could not.
pub const NOT_COMPARED: &str = "not compared";
/// GPT-2 is not here.
pub const NOT_STORED: &str = "not stored";

/// The fields: their names in JSON, for people, and what they take.
pub const FIELDS: [(&str, &str, Kind); 15] = [
    ("version", "Version", Kind::Text(20)),
    ("release", "Release, sha256", Kind::Hex(12)),
    ("backend", "Engine", Kind::Text(60)),
    ("processor_threads", "Processor’s threads", Kind::Number),
    ("user_agent", "Browser", Kind::Text(200)),
    ("replay", "pearGPT’s known text", Kind::Word(&[PASSED, FAILED, NOT_COMPARED])),
    ("replay_sha256", "Its sha256", Kind::Hex(64)),
    ("gpt2", "GPT-2 as published", Kind::Word(&[PASSED, FAILED, NOT_STORED])),
    ("model", "Model that was measured", Kind::Text(12)),
    ("load_ms", "Loading it, ms", Kind::Number),
    ("prefill_ms", "Up to 64 tokens of prompt, ms", Kind::Number),
    ("decode_tokens_per_second", "128 tokens, per second", Kind::Number),
    ("decode_ms_p50", "One token, median, ms", Kind::Number),
    ("read_gb_per_second", "Memory, GB per second", Kind::Number),
    ("wasm_memory_bytes", "WebAssembly memory, bytes", Kind::Number),
];

/// A result: one value for each of [`FIELDS`], empty where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfCheck(Box<[String; FIELDS.len()]>);

/// Why an address holds no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfCheckError {
    /// More than anybody can have shared.
    #[error("it is longer than {MOST} characters")]
    TooLong,
    /// Of another release.
    #[error("another release of this page has written it")]
    Form,
    /// Cut off, or put together.
    #[error("it has {0} values, not {expected}", expected = FIELDS.len())]
    Count(usize),
    /// What the field does not take.
    #[error("“{0}” has a value that it cannot have")]
    Value(&'static str),
}

impl SelfCheck {
    /// Sets a field. Of a text what fits stays, and what a text does not take becomes a `?`.
    pub fn set(&mut self, name: &str, value: &str) {
        for ((field, _, kind), place) in FIELDS.iter().zip(self.0.iter_mut()) {
            if *field == name {
                *place = match kind {
                    Kind::Text(most) => {
                        value.chars().take(*most).map(|one| if is_plain(one) { one } else { '?' }).collect()
                    }
                    _ => value.to_string(),
                };
            }
        }
    }

    /// Sets a number, to a hundredth.
    pub fn set_number(&mut self, name: &str, value: f64) {
        let value = if value.is_finite() { value.clamp(0.0, 1e12) } else { 0.0 };
        self.set(name, format!("{value:.2}").trim_end_matches('0').trim_end_matches('.'));
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> &str {
        self.rows().zip(&FIELDS).find(|(_, field)| field.0 == name).map_or("", |((_, value), _)| value)
    }

    /// For people: what each value is, and the value.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FIELDS.iter().zip(self.0.iter()).map(|((_, label, _), value)| (*label, value.as_str()))
    }

    /// One object, a line for each field.
    pub fn json(&self) -> String {
        let value = |value: &str, kind: Kind| match kind {
            _ if value.is_empty() => "null".to_string(),
            Kind::Number => value.to_string(),
            _ => format!("\"{value}\""),
        };
        let fields = FIELDS.iter().zip(self.0.iter());
        let lines: Vec<String> =
            fields.map(|((name, _, kind), found)| format!("  \"{name}\": {}", value(found, *kind))).collect();
        format!("{{\n{}\n}}", lines.join(",\n"))
    }
}

/// As an address has it, before that escapes anything.
impl fmt::Display for SelfCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}~{}", self.0.join("~"))
    }
}

impl FromStr for SelfCheck {
    type Err = SelfCheckError;

    fn from_str(text: &str) -> Result<Self, SelfCheckError> {
        if text.len() > MOST {
            return Err(SelfCheckError::TooLong);
        }
        let mut values = text.split('~');
        if values.next() != Some(FORM) {
            return Err(SelfCheckError::Form);
        }
        let found = values.clone().count();
        if found != FIELDS.len() {
            return Err(SelfCheckError::Count(found));
        }
        let mut check = SelfCheck::default();
        for ((value, (_, label, kind)), place) in values.zip(FIELDS).zip(check.0.iter_mut()) {
            if !value.is_empty() && !kind.takes(value) {
                return Err(SelfCheckError::Value(label));
            }
            *place = value.to_string();
        }
        Ok(check)
    }
}

impl Kind {
    fn takes(self, value: &str) -> bool {
        match self {
            Kind::Text(most) => value.len() <= most && value.chars().all(is_plain),
            Kind::Hex(digits) => value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Kind::Word(words) => words.contains(&value),
            Kind::Number => is_number(value),
        }
    }
}

/// As JSON has it: no sign, no exponent, no zeros at the front.
fn is_number(value: &str) -> bool {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, "0"));
    let are_digits = |part: &str| (1..=13).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(decimals) && (whole == "0" || !whole.starts_with('0'))
}

fn is_plain(character: char) -> bool {
    matches!(character, ' '..='}') && character != '"' && character != '\\'
}

/// What pearGPT is asked to write.
pub fn replay_settings() -> Settings {
    Settings {
        prompt: REPLAY_PROMPT.to_string(),
        tokens: Some(REPLAY_TOKENS),
        seed: Some(REPLAY_SEED),
        ..Settings::defaults(Vocabulary::Characters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::permalink::{Address, Route};
    use serde_json::{Value, json};

    /// With every field.
    fn full() -> SelfCheck {
        let mut check = SelfCheck::default();
        for (name, _, kind) in FIELDS {
            match kind {
                Kind::Text(_) => check.set(name, "Mozilla/5.0 (X11; Linux x86_64), like “pear” ~ \\ \"1\""),
                Kind::Hex(digits) => check.set(name, &"0f".repeat(digits / 2)),
                Kind::Word(words) => check.set(name, words[0]),
                Kind::Number => check.set_number(name, 1234.567),
            }
        }
        check
    }

    fn address(check: &SelfCheck) -> String {
        Address::of(Route::About { result: Some(check.clone()) }).to_string()
    }

    fn problem(address: &str) -> String {
        let (read, problems) = Address::parse(address);
        assert_eq!(read.route, Route::About { result: None }, "{address}");
        assert_eq!(problems.len(), 1, "{address}: {problems:?}");
        problems[0].to_string()
    }

    #[test]
    fn what_an_address_carries_is_what_was_found() {
        for check in [SelfCheck::default(), full()] {
            let (read, problems) = Address::parse(&address(&check));
            assert_eq!(problems, []);
            assert_eq!(read.route, Route::About { result: Some(check) });
        }
    }

    #[test]
    fn json_has_every_field_and_null_for_what_is_not_known() {
        let empty: Value = serde_json::from_str(&SelfCheck::default().json()).unwrap();
        let full: Value = serde_json::from_str(&full().json()).unwrap();
        for (name, _, kind) in FIELDS {
            assert_eq!(empty[name], Value::Null, "{name}");
            assert_eq!(full[name].is_number(), kind == Kind::Number, "{name}");
        }
        assert_eq!((&full["decode_ms_p50"], &full["gpt2"]), (&json!(1234.57), &json!("passed")));
        assert_eq!(full["user_agent"], "Mozilla/5.0 (X11; Linux x86_64), like ?pear? ? ? ?1?");
    }

    #[test]
    fn numbers_are_those_of_json_whatever_was_measured() {
        let mut check = SelfCheck::default();
        for (measured, expected) in [
            (0.0, "0"),
            (10.0, "10"),
            (0.004, "0"),
            (99.999, "100"),
            (885.25, "885.25"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
            (-1.0, "0"),
            (1e15, "1000000000000"),
        ] {
            check.set_number("load_ms", measured);
            assert_eq!(check.get("load_ms"), expected, "{measured}");
            assert_eq!(check.to_string().parse(), Ok(check.clone()));
        }
    }

    #[test]
    fn the_longest_result_fits_an_address() {
        let mut check = full();
        check.set("user_agent", &"/(;".repeat(1000));
        check.set("backend", &"é".repeat(1000));
        check.set_number("wasm_memory_bytes", 1e300);
        let address = address(&check);
        assert!(address.len() <= MOST, "{} characters", address.len());
        assert_eq!(Address::parse(&address).0.route, Route::About { result: Some(check) });
    }

    #[test]
    fn a_damaged_result_is_refused_with_what_is_wrong() {
        let whole = full().to_string();
        let with = |name: &str, value: &str| {
            let index = 1 + FIELDS.iter().position(|field| field.0 == name).unwrap();
            let mut values: Vec<&str> = whole.split('~').collect();
            values[index] = value;
            format!("#/about?result={}", values.join("~").replace(' ', "%20"))
        };
        for (address, expected) in [
            ("#/about?result=".to_string(), "another release"),
            (format!("#/about?result={}", &whole.replace(' ', "+")[..60]), "values, not 15"),
            (format!("#/about?result={}~", whole.replace(' ', "+")), "has 16 values"),
            (format!("#/about?result=1{}", &whole.replace(' ', "+")[1..]), "another release"),
            (format!("#/about?result=2{}", "~".repeat(MOST)), "longer than 2000"),
            (with("release", "0f0f"), "Release"),
            (with("replay", "perhaps"), "“pearGPT’s known text” has"),
            (with("user_agent", "<b>\"</b>"), "“Browser” has"),
            (with("user_agent", &"a".repeat(201)), "“Browser” has"),
            (with("load_ms", "1e9"), "Loading"),
            (with("load_ms", "007"), "Loading"),
            (with("load_ms", "-1"), "Loading"),
            (with("load_ms", "1."), "Loading"),
        ] {
            let said = problem(&address);
            assert!(said.contains(expected) && said.contains("once more"), "{address}: {said}");
        }
    }

    #[test]
    fn the_terminal_repeats_what_is_asked_for() {
        let settings = replay_settings();
        let address = Address { settings, ..Address::of(Route::PearGpt) };
        assert_eq!(address.to_string(), "#/peargpt?prompt=ROMEO%3A%0A&tokens=309&seed=7");
    }
}
