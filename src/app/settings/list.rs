//! Settings that are lists with commas between their items: tokens that are taken, parts that are switched off.

use std::fmt::Display;

use crate::generation::Take;
use crate::model::Part;

/// The items as text.
pub(super) fn joined(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The tokens that this text takes, by position; else the piece of it that is wrong.
pub(super) fn takes(text: &str) -> Result<Vec<Take>, &str> {
    let mut takes = items(text, |item| {
        let (position, id) = item.split_once(':')?;
        Some(Take { position: number(position)?, id: number(id)? })
    })?;
    takes.sort_unstable();
    match takes.windows(2).any(|pair| pair[0].position == pair[1].position) {
        true => Err(text),
        false => Ok(takes),
    }
}

/// The parts that this text switches off, each once; else the piece of it that is wrong.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, &str> {
    let mut parts = items(text, Part::named)?;
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

fn items<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, &str> {
    let pieces = text.split(',').filter(|_| !text.trim().is_empty()).map(str::trim);
    pieces.map(|piece| read(piece).ok_or(piece)).collect()
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
