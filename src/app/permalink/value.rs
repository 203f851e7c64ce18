//! Decodes and reads a single value of an address.

use percent_encoding::percent_decode_str;

use crate::app::settings::SettingsError;
use crate::app::threads::MOST;

/// `None` for a `%` without two hex digits after it and for bytes that are not UTF-8; `+` is a space, as in forms.
pub(super) fn decode(text: &str) -> Option<String> {
    let escapes = text.split('%').skip(1);
    if !escapes.map(|rest| rest.as_bytes()).all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit)) {
        return None;
    }
    let spaced = text.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

/// The beginning of a text, short enough for a sentence.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// The error for a value that the parameter does not take.
pub(super) fn refused(name: &str, expected: String, value: &str) -> SettingsError {
    SettingsError { name: name.to_string(), expected, found: shortened(value) }
}

/// `digits` hex digits, in lower case.
pub(super) fn hex(name: &str, value: &str, digits: usize) -> Result<String, SettingsError> {
    if value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(value.to_ascii_lowercase());
    }
    Err(refused(name, format!("{digits} hex digits"), value))
}

/// 1 or 0.
pub(super) fn flag(name: &str, value: &str) -> Result<bool, SettingsError> {
    match value {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(refused(name, "1 or 0".to_string(), value)),
    }
}

/// A token's place in a text.
pub(super) fn position(name: &str, value: &str) -> Result<u32, SettingsError> {
    value.parse().map_err(|_| refused(name, "a whole number from 0 on".to_string(), value))
}

/// A number of threads.
pub(super) fn threads(name: &str, value: &str) -> Result<u32, SettingsError> {
    let threads = value.parse().ok().filter(|threads| (1..=MOST).contains(threads));
    threads.ok_or_else(|| refused(name, format!("a whole number from 1 to {MOST}"), value))
}

/// Reads a number of tokens into `target`.
pub(super) fn count(name: &str, value: &str, target: &mut u32) -> Result<(), SettingsError> {
    const MOST: u32 = 4096;
    match value.parse() {
        Ok(number) if (1..=MOST).contains(&number) => {
            *target = number;
            Ok(())
        }
        _ => Err(refused(name, format!("a whole number from 1 to {MOST}"), value)),
    }
}
