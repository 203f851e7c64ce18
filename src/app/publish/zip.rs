//! The headers of a zip file whose contents stay where they are: nothing is compressed, and all dates are the same, so
//! that the same files make the same bytes.

/// The first day that a zip file can name, at midnight.
const DATE: u16 = 1 << 5 | 1;
/// Made on Unix by version 2.0, which any program can read.
const MADE_BY: u16 = 3 << 8 | 20;
const NEEDED: u16 = 20;
/// A plain file that its owner may write, and all may read.
const MODE: u32 = 0o100_644 << 16;

/// More than a zip file without 64-bit fields can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a zip file of this kind holds at most 4 GB in 65,535 files, and this site is larger")]
pub struct TooLarge;

/// A zip file that is being written.
#[derive(Debug, Default)]
pub struct Zip {
    /// What stands at its end.
    directory: Vec<u8>,
    /// Bytes before that.
    offset: u32,
    files: u16,
}

impl Zip {
    /// What stands before the contents of the next file.
    pub fn file(&mut self, path: &str, bytes: u64, crc32: u32) -> Result<Vec<u8>, TooLarge> {
        let bytes = u32::try_from(bytes).map_err(|_| TooLarge)?;
        let name = u16::try_from(path.len()).map_err(|_| TooLarge)?;
        // Both headers have these: no flags but that names are UTF-8, stored, when, what.
        let mut facts = Vec::new();
        [NEEDED, 1 << 11, 0, 0, DATE].iter().for_each(|number| facts.extend(number.to_le_bytes()));
        [crc32, bytes, bytes].iter().for_each(|number| facts.extend(number.to_le_bytes()));
        facts.extend(name.to_le_bytes());
        facts.extend([0; 2]);

        let header = [b"PK\x03\x04", facts.as_slice(), path.as_bytes()].concat();
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(MADE_BY.to_le_bytes());
        self.directory.extend(facts);
        // No comment, on the first disk, no attributes inside.
        self.directory.extend([0; 6]);
        self.directory.extend(MODE.to_le_bytes());
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend(path.as_bytes());
        self.files = self.files.checked_add(1).ok_or(TooLarge)?;
        let end = self.offset.checked_add(header.len() as u32).and_then(|end| end.checked_add(bytes));
        self.offset = end.ok_or(TooLarge)?;
        Ok(header)
    }

    /// What stands behind the contents of the last file.
    pub fn end(mut self) -> Result<Vec<u8>, TooLarge> {
        let length = u32::try_from(self.directory.len()).map_err(|_| TooLarge)?;
        self.offset.checked_add(length).ok_or(TooLarge)?;
        self.directory.extend(b"PK\x05\x06\0\0\0\0");
        self.directory.extend(self.files.to_le_bytes());
        self.directory.extend(self.files.to_le_bytes());
        self.directory.extend(length.to_le_bytes());
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend([0; 2]);
        Ok(self.directory)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn what_is_written_is_read_by_another_program() {
        let files = [("index.html", &b"<p>"[..]), ("weights/a.gguf", &[7; 1000]), ("empty", b"")];
        let (mut zip, mut bytes) = (Zip::default(), Vec::new());
        for (path, contents) in files {
            bytes.extend(zip.file(path, contents.len() as u64, crc32fast::hash(contents)).unwrap());
            bytes.extend(contents);
        }
        bytes.extend(zip.end().unwrap());
        let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(read.len(), files.len());
        for (index, (path, contents)) in files.into_iter().enumerate() {
            let (mut file, mut found) = (read.by_index(index).unwrap(), Vec::new());
            file.read_to_end(&mut found).unwrap();
            assert_eq!((file.name().unwrap().as_ref(), found.as_slice()), (path, contents));
            assert_eq!(file.unix_mode(), Some(0o100_644));
            assert_eq!(file.last_modified().unwrap().to_string(), "1980-01-01 00:00:00");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut zip = Zip::default();
        assert_eq!(zip.file("a", 1 << 32, 0), Err(TooLarge));
        zip.file("a", 3 << 30, 0).unwrap();
        assert_eq!(zip.file("b", 1 << 30, 0), Err(TooLarge));
        let mut zip = Zip::default();
        (0..65_535).for_each(|_| drop(zip.file("a", 0, 0).unwrap()));
        assert_eq!(zip.file("a", 0, 0), Err(TooLarge));
    }
}
