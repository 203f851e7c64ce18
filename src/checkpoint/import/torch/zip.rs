//! Reads the zip files that torch and our own export write: entries without compression, and 64-bit sizes where 32 bits are too few.
//!
//! Follows PKWARE's APPNOTE.TXT. The offset and the length of an entry in the directory are checked against the header
//! before the entry's bytes, and against the file's length.
//! docs/own-code.md says why the `zip` crate only writes.

use std::io::{Read, Seek};
use std::ops::Range;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::{Source, room};

/// The end record: the last record of the file, with a comment of up to 64 KiB behind it.
const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: u64 = 22;
const MOST_COMMENT: u64 = 1 << 16;
/// Before it, where a number exceeds 32 bits, stand a 64-bit end record and a locator with its offset.
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LENGTH: u64 = 20;
const END_64: [u8; 4] = *b"PK\x06\x06";
/// An entry's record in the directory, and its local header before its bytes: signature and least length of each.
const IN_DIRECTORY: [u8; 4] = *b"PK\x01\x02";
const IN_DIRECTORY_LENGTH: u64 = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LENGTH: u64 = 30;
/// The flag of an entry that is encrypted.
const ENCRYPTED: u16 = 1;
/// A 32-bit size with this value is in the extra field of number `EXTRA_64`.
const SEE_EXTRA: u32 = u32::MAX;
const EXTRA_64: u16 = 1;
/// The longest directory that is accepted; that of GPT-2 XL with its optimizer state has 150 KB.
const MOST_DIRECTORY: u64 = 16 << 20;

/// An entry as the directory describes it.
#[derive(Debug)]
struct Entry {
    name: Range<usize>,
    flags: u16,
    method: u16,
    stored: u64,
    length: u64,
    local: u64,
}

/// The entries of a zip file, sorted by name.
#[derive(Debug)]
pub(in super::super) struct Archive {
    directory: Vec<u8>,
    entries: Vec<Entry>,
}

impl Archive {
    /// Reads the directory.
    pub fn read<R: Read + Seek>(source: &mut Source<R>) -> Result<Self, CheckpointError> {
        let (count, span) = find_directory(source)?;
        let (at, length) = (span.start, span.end - span.start);
        let believed = length <= MOST_DIRECTORY && count.saturating_mul(IN_DIRECTORY_LENGTH) <= length;
        if !believed {
            let expected = format!("at most {MOST_DIRECTORY} bytes, with 46 for each of {count} entries");
            return Err(CheckpointError::field(&"zip directory", at, expected, length));
        }
        source.seek(at)?;
        let mut directory = room(&"zip directory", length)?;
        directory.resize(length as usize, 0);
        source.fill(&"zip directory", &mut directory)?;
        let entries = read_entries(&directory, at, count)?;
        Archive { directory, entries }.sorted(at)
    }

    fn sorted(mut self, at: u64) -> Result<Self, CheckpointError> {
        let Archive { directory, entries } = &mut self;
        entries.sort_unstable_by(|a, b| directory[a.name.clone()].cmp(&directory[b.name.clone()]));
        let same = |pair: &&[Entry]| directory[pair[0].name.clone()] == directory[pair[1].name.clone()];
        match entries.windows(2).find(same) {
            None => Ok(self),
            Some(pair) => {
                let name = String::from_utf8_lossy(&directory[pair[0].name.clone()]).into_owned();
                Err(CheckpointError::field(&"zip directory", at, "each entry once", format!("`{name}` twice")))
            }
        }
    }

    /// If exactly one entry's name ends so, the name without that end.
    pub fn prefix_of(&self, end: &str) -> Option<&str> {
        let mut prefixes = self.names().filter_map(|name| name.strip_suffix(end));
        prefixes.next().filter(|_| prefixes.next().is_none())
    }

    /// The entries' names, sorted; those that are no UTF-8 are left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| std::str::from_utf8(&self.directory[entry.name.clone()]).ok())
    }

    /// Whether there is such an entry, and its bytes are compressed.
    pub fn is_compressed(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.method != 0)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let by_name = |entry: &Entry| self.directory[entry.name.clone()].cmp(name.as_bytes());
        self.entries.binary_search_by(by_name).ok().map(|index| &self.entries[index])
    }

    /// The range of an entry's bytes, after its local header was checked; `None` if there is no such entry.
    pub fn find<R: Read + Seek>(
        &self,
        name: &str,
        source: &mut Source<R>,
    ) -> Result<Option<Range<u64>>, CheckpointError> {
        self.entry(name).map(|entry| locate(entry, name, source)).transpose()
    }
}

/// The number of entries in the directory, and its range.
fn find_directory<R: Read + Seek>(source: &mut Source<R>) -> Result<(u64, Range<u64>), CheckpointError> {
    let at = find_end(source)?;
    let (count, length, start) = match find_end_64(source, at)? {
        Some(found) => found,
        None => read_end(source, at)?,
    };
    match start.checked_add(length).filter(|&end| end <= at) {
        Some(end) => Ok((count, start..end)),
        None => {
            let found = format!("{length} bytes from byte {start}");
            Err(CheckpointError::field(&"zip directory", at, "a place before its end record", found))
        }
    }
}

/// The offset of the last end record.
fn find_end<R: Read + Seek>(source: &mut Source<R>) -> Result<u64, CheckpointError> {
    let length = source.length();
    let start = length.saturating_sub(END_LENGTH + MOST_COMMENT);
    source.seek(start)?;
    let mut tail = room(&"zip end record", length - start)?;
    tail.resize((length - start) as usize, 0);
    source.fill(&"zip end record", &mut tail)?;
    let last = tail.windows(END_LENGTH as usize).rposition(|window| window.starts_with(&END));
    let missing = || CheckpointError::field(&"zip end record", start, "`PK\\x05\\x06`: the file's end", "none");
    last.map(|index| start + index as u64).ok_or_else(missing)
}

/// Count, length and start of the directory as the end record says them.
fn read_end<R: Read + Seek>(source: &mut Source<R>, at: u64) -> Result<(u64, u64, u64), CheckpointError> {
    source.seek(at + 4)?;
    let disk = source.u16(&"zip disk number")?;
    check_disk(u32::from(disk), at + 4)?;
    source.skip(&"zip end record", 4)?;
    let count = source.u16(&"zip entry count")?;
    let (length, start) = (source.u32(&"zip directory length")?, source.u32(&"zip directory offset")?);
    Ok((u64::from(count), u64::from(length), u64::from(start)))
}

/// The last disk's number is 0 where there is one.
fn check_disk(disk: u32, at: u64) -> Result<(), CheckpointError> {
    let several = || CheckpointError::field(&"zip disk number", at, "0, for an archive in one file", disk);
    if disk == 0 { Ok(()) } else { Err(several()) }
}

/// Count, length and start of the directory where the record of 64 bits says them.
fn find_end_64<R: Read + Seek>(source: &mut Source<R>, end: u64) -> Result<Option<(u64, u64, u64)>, CheckpointError> {
    let Some(at) = end.checked_sub(LOCATOR_LENGTH) else { return Ok(None) };
    source.seek(at)?;
    if source.bytes::<4>(&"zip64 locator")? != LOCATOR {
        return Ok(None);
    }
    source.skip(&"zip64 locator", 4)?;
    let record = source.u64(&"zip64 end record offset")?;
    if record >= at {
        return Err(CheckpointError::field(&"zip64 end record offset", at + 8, format!("less than {at}"), record));
    }
    source.seek(record)?;
    let found = source.bytes::<4>(&"zip64 end record")?;
    if found != END_64 {
        return Err(CheckpointError::field(&"zip64 end record", record, "`PK\\x06\\x06`", found.escape_ascii()));
    }
    source.skip(&"zip64 end record", 12)?;
    check_disk(source.u32(&"zip disk number")?, record + 16)?;
    source.skip(&"zip64 end record", 12)?;
    let count = source.u64(&"zip entry count")?;
    let length = source.u64(&"zip directory length")?;
    Ok(Some((count, length, source.u64(&"zip directory offset")?)))
}

fn read_entries(directory: &[u8], at: u64, count: u64) -> Result<Vec<Entry>, CheckpointError> {
    // The directory is long enough for so many.
    let mut entries = room(&"zip directory", count)?;
    let mut position = 0;
    for index in 0..count {
        match read_entry(directory, position) {
            Some((entry, end)) => {
                entries.push(entry);
                position = end;
            }
            None => {
                let offset = at + position as u64;
                let expected = format!("entry {index} of {count}");
                return Err(CheckpointError::field(&"zip directory", offset, expected, "other bytes"));
            }
        }
    }
    Ok(entries)
}

/// The entry that begins at `position`, and where it ends.
fn read_entry(directory: &[u8], position: usize) -> Option<(Entry, usize)> {
    let bytes = directory.get(position..)?;
    let fixed: &[u8; IN_DIRECTORY_LENGTH as usize] = bytes.first_chunk()?;
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]])));
    let [stored, length, local] = [20, 24, 42].map(|at| read_u32(fixed, at));
    let start = fixed.len() + name;
    if !fixed.starts_with(&IN_DIRECTORY) {
        return None;
    }
    let mut wide = extra_64(bytes.get(start..start + extra)?)?;
    // The extra field holds those of the three that exceed 32 bits, in this order.
    let mut size = |number: u32| match number {
        SEE_EXTRA => wide.split_off(..8).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?))),
        _ => Some(u64::from(number)),
    };
    let (length, stored, local) = (size(length)?, size(stored)?, size(local)?);
    let [flags, method] = [8, 10].map(|at| u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    let end = position + start + extra + comment;
    let name = position + fixed.len()..position + start;
    (end <= directory.len()).then_some((Entry { name, flags, method, stored, length, local }, end))
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The extra field of 64-bit sizes; empty if there is none.
fn extra_64(mut extra: &[u8]) -> Option<&[u8]> {
    while let Some((&[a, b, c, d], rest)) = extra.split_first_chunk() {
        let (number, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let field = rest.get(..length)?;
        if number == EXTRA_64 {
            return Some(field);
        }
        extra = &rest[length..];
    }
    Some(&[])
}

/// Checks an entry against its local header, and returns the range of its bytes.
fn locate<R: Read + Seek>(entry: &Entry, name: &str, source: &mut Source<R>) -> Result<Range<u64>, CheckpointError> {
    let &Entry { flags, method, stored, length, local, .. } = entry;
    let wrong = |expected: &str, found: String| {
        Err(CheckpointError::field(&format!("zip entry {name}"), local, expected, found))
    };
    if flags & ENCRYPTED != 0 {
        return wrong("an entry that is not encrypted", format!("flags {flags}"));
    }
    if method != 0 || stored != length {
        return wrong("an entry that is stored as it is", format!("method {method}, {stored} bytes for {length}"));
    }
    source.seek(local)?;
    let fixed = source.bytes::<{ LOCAL_LENGTH as usize }>(&format_args!("zip entry {name}"))?;
    if !fixed.starts_with(&LOCAL) {
        return wrong("`PK\\x03\\x04`", fixed[..4].escape_ascii().to_string());
    }
    let [named, extra] = [26, 28].map(|at| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]])));
    let mut found = vec![0; named];
    source.fill(&format_args!("zip entry {name}"), &mut found)?;
    if found != name.as_bytes() {
        return wrong("the name that the directory has", format!("`{}`", found[..named.min(64)].escape_ascii()));
    }
    source.skip(&format_args!("zip entry {name}"), extra as u64)?;
    source.claim(&format_args!("zip entry {name}"), length, 1)?;
    Ok(source.offset()..source.offset() + length)
}

#[cfg(test)]
mod tests;
