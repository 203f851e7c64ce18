//! Keys and their values, by name and type.

use super::super::CheckpointError;
use super::header::KeyEntry;
use super::value;

/// The keys of a header, sorted.
pub(super) struct Metadata<'a> {
    bytes: &'a [u8],
    entries: Vec<KeyEntry>,
}

/// A value of the header.
#[derive(Clone, Copy)]
pub(super) struct MetadataValue<'a> {
    key: &'a str,
    kind: u32,
    offset: u64,
    bytes: &'a [u8],
}

impl<'a> Metadata<'a> {
    /// Sorts the keys of the header that `bytes` begin with. A key that occurs twice is an error.
    pub fn new(bytes: &'a [u8], mut entries: Vec<KeyEntry>) -> Result<Self, CheckpointError> {
        entries.sort_unstable_by(|a, b| slice(bytes, &a.key).cmp(slice(bytes, &b.key)));
        match entries.windows(2).find(|pair| slice(bytes, &pair[0].key) == slice(bytes, &pair[1].key)) {
            None => Ok(Metadata { bytes, entries }),
            Some(pair) => {
                let key = String::from_utf8_lossy(slice(bytes, &pair[0].key));
                let (first, second) =
                    (pair[0].key.start.min(pair[1].key.start), pair[0].key.start.max(pair[1].key.start));
                let found = format!("it at byte {first} too");
                Err(CheckpointError::field(&key, second, "each key once", found))
            }
        }
    }

    /// The value of a key, if it has one.
    pub fn get(&self, key: &'a str) -> Option<MetadataValue<'a>> {
        let found = self.entries.binary_search_by(|entry| slice(self.bytes, &entry.key).cmp(key.as_bytes())).ok()?;
        let KeyEntry { kind, value, .. } = &self.entries[found];
        Some(MetadataValue { key, kind: *kind, offset: value.start, bytes: slice(self.bytes, value) })
    }

    /// The value of a required key.
    pub fn need(&self, key: &'a str) -> Result<MetadataValue<'a>, CheckpointError> {
        self.get(key).ok_or_else(|| CheckpointError::MissingKey { key: key.to_string() })
    }
}

/// The bytes of a range, which the header's first walk has checked.
fn slice<'a>(bytes: &'a [u8], range: &std::ops::Range<u64>) -> &'a [u8] {
    bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
}

impl<'a> MetadataValue<'a> {
    /// An integer of any width, from `least` to `most`.
    pub fn whole(self, least: u64, most: u64) -> Result<u64, CheckpointError> {
        let expected = format!("a whole number from {least} to {most}");
        let signed = match (self.kind, self.bytes) {
            (value::UINT8, &[byte]) => i128::from(byte),
            (value::INT8, &[byte]) => i128::from(byte as i8),
            (value::UINT16, &[a, b]) => i128::from(u16::from_le_bytes([a, b])),
            (value::INT16, &[a, b]) => i128::from(i16::from_le_bytes([a, b])),
            (value::UINT32, &[a, b, c, d]) => i128::from(u32::from_le_bytes([a, b, c, d])),
            (value::INT32, &[a, b, c, d]) => i128::from(i32::from_le_bytes([a, b, c, d])),
            (value::UINT64, &[a, b, c, d, e, f, g, h]) => i128::from(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            (value::INT64, &[a, b, c, d, e, f, g, h]) => i128::from(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => return Err(self.wrong(expected, self.found())),
        };
        match u64::try_from(signed) {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(self.wrong(expected, signed)),
        }
    }

    /// A positive, finite number.
    pub fn positive(self) -> Result<f32, CheckpointError> {
        let (value::FLOAT32, &[a, b, c, d]) = (self.kind, self.bytes) else {
            return Err(self.wrong("a 32-bit float", self.found()));
        };
        let number = f32::from_le_bytes([a, b, c, d]);
        let is_right = number.is_finite() && number > 0.0;
        if is_right { Ok(number) } else { Err(self.wrong("a positive number", number)) }
    }

    /// A boolean.
    pub fn flag(self) -> Result<bool, CheckpointError> {
        match (self.kind, self.bytes) {
            (value::BOOL, [0]) => Ok(false),
            (value::BOOL, [1]) => Ok(true),
            _ => Err(self.wrong("true (1) or false (0)", self.found())),
        }
    }

    /// Which of these names the string is.
    pub fn name_of(self, names: &[&str]) -> Result<usize, CheckpointError> {
        let text = match (self.kind, self.bytes.split_first_chunk::<8>()) {
            (value::STRING, Some((_, text))) => String::from_utf8_lossy(text),
            _ => return Err(self.wrong("a string", self.found())),
        };
        let expected = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        let shown = || format!("`{}`", text.chars().take(64).collect::<String>());
        names.iter().position(|&name| name == text).ok_or_else(|| self.wrong(expected(), shown()))
    }

    /// An array of strings.
    pub fn strings(self) -> Result<Vec<String>, CheckpointError> {
        let (count, mut left) = self.array(value::STRING, "strings")?;
        // The header's first walk has checked that the file has so many strings.
        let mut strings = Vec::with_capacity(count as usize);
        while let Some((length, rest)) = left.split_first_chunk() {
            let Some((bytes, rest)) = rest.split_at_checked(u64::from_le_bytes(*length) as usize) else { break };
            let text = std::str::from_utf8(bytes).map_err(|_| {
                let field = format!("{}[{}]", self.key, strings.len());
                let offset = self.offset + (self.bytes.len() - left.len() + length.len()) as u64;
                CheckpointError::field(
                    &field,
                    offset,
                    "UTF-8",
                    format!("`{}`", bytes[..bytes.len().min(64)].escape_ascii()),
                )
            })?;
            strings.push(text.to_string());
            left = rest;
        }
        Ok(strings)
    }

    /// The length of an array of strings, from 1 to `most`.
    pub fn string_count(self, most: u64) -> Result<u64, CheckpointError> {
        match self.array(value::STRING, "strings")?.0 {
            count if (1..=most).contains(&count) => Ok(count),
            count => Err(self.wrong(format!("1 to {most} strings"), count)),
        }
    }

    /// The length of an array of 32-bit integers.
    pub fn integers(self) -> Result<u64, CheckpointError> {
        let is_unsigned = self.bytes.starts_with(&value::UINT32.to_le_bytes());
        let kind = if is_unsigned { value::UINT32 } else { value::INT32 };
        Ok(self.array(kind, "32-bit integers")?.0)
    }

    /// Number and bytes of the elements of an array.
    fn array(self, elements: u32, expected: &str) -> Result<(u64, &'a [u8]), CheckpointError> {
        let parts = self.bytes.split_first_chunk().and_then(|(kind, rest)| Some((kind, rest.split_first_chunk()?)));
        match parts {
            Some((kind, (count, rest))) if self.kind == value::ARRAY && u32::from_le_bytes(*kind) == elements => {
                Ok((u64::from_le_bytes(*count), rest))
            }
            _ => Err(self.wrong(format!("an array of {expected}"), self.found())),
        }
    }

    /// The error that says that this value is wrong.
    pub fn wrong(self, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> CheckpointError {
        CheckpointError::field(&self.key, self.offset, expected, found)
    }

    fn found(self) -> String {
        format!("a value of type {} and {} bytes", self.kind, self.bytes.len())
    }
}
