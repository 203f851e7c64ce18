//! The format that torch wrote before 1.6: five pickles, then each storage behind its length.
//!
//! The pickles are a magic number, a version, the machine's byte order, the object, and the names of the storages in
//! order; see `_legacy_save` in torch's `serialization.py`.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;

use super::pickle::{self, PickledValue, PickledValues, Storage};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::Source;

/// The pickle of the magic number 0x1950a86a20f9469cfc6c.
pub(super) const MAGIC: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The only version that exists.
const VERSION: i64 = 1001;

/// Where each storage is, by its name.
#[derive(Debug)]
pub(super) struct Legacy(BTreeMap<Vec<u8>, Range<u64>>);

impl Legacy {
    /// The range of a storage's bytes.
    pub fn find(&self, key: &[u8]) -> Option<Range<u64>> {
        self.0.get(key).cloned()
    }
}

/// Reads the object, and finds the storages. `bytes` are the beginning of the file.
pub(super) fn read<'a, R: Read + Seek>(
    bytes: &'a [u8],
    source: &mut Source<R>,
) -> Result<(PickledValues<'a>, Legacy), CheckpointError> {
    let mut position = MAGIC.len().min(bytes.len());
    let mut next = || {
        let at = position as u64;
        let (values, length) = pickle::read(&bytes[position..], at)?;
        position += length;
        Ok::<_, CheckpointError>((values, at))
    };
    let (version, at) = next()?;
    if version.int(version.root) != Some(VERSION) {
        return Err(CheckpointError::field(&"torch version", at, VERSION, version.root));
    }
    let (system, at) = next()?;
    if system.get(system.root, "little_endian") != Some(PickledValue::Bool(true)) {
        return Err(CheckpointError::field(&"little_endian", at, "true", "another value"));
    }
    let ((object, _), (names, at)) = (next()?, next()?);
    let storages = find_storages(&object, &names, at, position as u64, source)?;
    Ok((object, storages))
}

/// Finds the storages, which begin at `start`, in the order of their names.
fn find_storages<R: Read + Seek>(
    object: &PickledValues,
    names: &PickledValues,
    at: u64,
    start: u64,
    source: &mut Source<R>,
) -> Result<Legacy, CheckpointError> {
    let mut described = BTreeMap::new();
    described.extend(object.storages().iter().map(|storage| (object.bytes_of(storage.key), storage)));
    let mut found = BTreeMap::new();
    source.seek(start)?;
    for &name in names.items(names.root) {
        let key = names.bytes_of(name);
        let Some(&&Storage { element, count, .. }) = described.get(key) else {
            let told = format!("`{}`", key[..key.len().min(64)].escape_ascii());
            return Err(CheckpointError::field(&"names of storages", at, "storages of the object", told));
        };
        let offset = source.offset();
        let info = source.u64(&"length of a storage")?;
        if info != count {
            return Err(CheckpointError::field(&"length of a storage", offset, count, info));
        }
        source.claim(&"storage", count, element.size())?;
        let begin = source.offset();
        source.skip(&"storage", count * element.size())?;
        found.insert(key.to_vec(), begin..source.offset());
    }
    Ok(Legacy(found))
}
