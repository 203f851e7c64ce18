//! What has arrived of a file, on disk: `NAME.partial`, and the entity tag beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::transfer::Resume;

/// The beginning of a file.
pub struct Partial {
    file: File,
    path: PathBuf,
    tag: PathBuf,
    len: u64,
}

impl Partial {
    /// Goes on with what is there.
    pub fn open(folder: &Path, name: &str) -> io::Result<Partial> {
        let path = folder.join(format!("{name}.partial"));
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let len = file.metadata()?.len();
        Ok(Partial { file, path, tag: folder.join(format!("{name}.partial.etag")), len })
    }

    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to ask the host for; nothing where there is nothing yet.
    pub fn resume(&self) -> Option<Resume> {
        let tag = fs::read_to_string(&self.tag).ok();
        (self.len > 0).then_some(Resume { from: self.len, tag })
    }

    /// Starts over with the file of this tag.
    pub fn restart(&mut self, tag: Option<&str>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.len = 0;
        match tag {
            Some(tag) => fs::write(&self.tag, tag),
            None => remove(&self.tag),
        }
    }

    /// Adds bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Gives the file, which is whole, its name.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        remove(&self.tag)
    }

    /// Removes the file.
    pub fn discard(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        remove(&self.tag)
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
