//! Looks into a zip file of a model's files, as our own export writes it: each file in it lies there as it is.

use std::io::{Read, Seek};
use std::ops::Range;

use super::torch::zip::Archive;
use super::{ImportError, Named, folder_and_name, in_file};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::Source;

/// The most files in a zip file.
const MOST_FILES: usize = 256;
/// How a zip file begins.
pub(super) const MAGIC: [u8; 4] = *b"PK\x03\x04";
/// The folder in which macOS keeps what it knows of the files.
const MACOS: &str = "__MACOSX";

/// A file in a zip file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZippedFile {
    /// Its name, behind those of the zip file and of its folder there.
    pub name: String,
    /// Its bytes in the zip file.
    pub span: Range<u64>,
}

/// What a zip file is.
pub(super) enum ZipKind {
    /// A torch checkpoint.
    Torch,
    /// Files that lie there as they are: their names, and their bytes.
    Stored(Vec<(String, Range<u64>)>),
    /// Files of which this one is compressed.
    Compressed(String),
    /// So many files, which are none or too many.
    Unfit(usize),
}

/// The files in a zip file: those at its top, or, if there are none, those in the folders there. `None` for any file
/// that has none to be read, a torch checkpoint among them, which is a zip file too.
pub fn zipped_files<R: Read + Seek>(file: &mut Named<R>) -> Result<Option<Vec<ZippedFile>>, ImportError> {
    let found = in_file(std::slice::from_mut(file), 0, |source| match is_zip(source)? {
        true => kind(source).map(Some),
        false => Ok(None),
    })?;
    let Some(ZipKind::Stored(files)) = found else { return Ok(None) };
    let named = |(name, span)| ZippedFile { name: format!("{}/{name}", file.name), span };
    Ok(Some(files.into_iter().map(named).collect()))
}

fn is_zip<R: Read + Seek>(source: &mut Source<R>) -> Result<bool, CheckpointError> {
    Ok(source.length() >= MAGIC.len() as u64 && source.bytes(&"file")? == MAGIC)
}

/// Finds out what a zip file is.
pub(super) fn kind<R: Read + Seek>(source: &mut Source<R>) -> Result<ZipKind, CheckpointError> {
    let archive = Archive::read(source)?;
    if archive.names().any(|name| folder_and_name(name).1 == "data.pkl") {
        return Ok(ZipKind::Torch);
    }
    let names = names(&archive);
    if names.is_empty() || names.len() > MOST_FILES {
        return Ok(ZipKind::Unfit(names.len()));
    }
    if let Some(name) = names.iter().find(|name| archive.is_compressed(name)) {
        return Ok(ZipKind::Compressed(name.to_string()));
    }
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        files.push((name.to_string(), archive.find(name, source)?.unwrap_or_default()));
    }
    check_spans(&mut files).map(|()| ZipKind::Stored(files))
}

/// Why a zip file without weights cannot be read.
pub(super) fn refusal<R: Read + Seek>(files: &mut [Named<R>], zip: usize) -> ImportError {
    let name = files[zip].name.clone();
    match in_file(files, zip, kind) {
        Err(error) => error,
        Ok(ZipKind::Compressed(file)) => ImportError::Compressed { zip: name, file },
        Ok(kind) => {
            let found = match kind {
                ZipKind::Unfit(count) => format!("{count} files"),
                _ => "files of other kinds".to_string(),
            };
            let expected = format!("the files of a model, at most {MOST_FILES}");
            ImportError::File { name, source: CheckpointError::field(&"zip directory", 0, expected, found) }
        }
    }
}

/// The names of the files at the top, or in the folders there.
fn names(archive: &Archive) -> Vec<&str> {
    let at_depth = |depth: usize| {
        let is_there = move |name: &&str| name.matches('/').count() == depth && !name.ends_with('/');
        archive.names().filter(is_there).filter(|name| !name.starts_with(MACOS)).collect::<Vec<_>>()
    };
    let top = at_depth(0);
    if top.is_empty() { at_depth(1) } else { top }
}

/// Sorts the files by their places. Fails if two share bytes.
fn check_spans(files: &mut [(String, Range<u64>)]) -> Result<(), CheckpointError> {
    files.sort_unstable_by_key(|(_, span)| (span.start, span.end));
    match files.windows(2).find(|pair| pair[0].1.end > pair[1].1.start) {
        None => Ok(()),
        Some(pair) => {
            let (name, span) = &pair[1];
            let expected = format!("bytes behind those of {}, which end at {}", pair[0].0, pair[0].1.end);
            Err(CheckpointError::field(&format!("zip entry {name}"), span.start, expected, format!("{span:?}")))
        }
    }
}
