//! A file that is being written: in storage, or in memory once storage fails.

use std::io::{self, Read, Seek, SeekFrom, Write};

use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::file::{MemoryFile, StoredFile};
use super::split_file::FilePiece;

/// What it is made in.
#[derive(Debug)]
enum Backing {
    Stored(StoredFile),
    Memory(MemoryFile),
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    place: Backing,
    /// Why it went into memory.
    obstacle: Option<String>,
}

impl NewFile {
    /// In this file, or in memory where there is none.
    pub fn new(file: Option<StoredFile>) -> Self {
        let place = file.map_or_else(|| Backing::Memory(MemoryFile::default()), Backing::Stored);
        NewFile { place, obstacle: None }
    }

    /// Whether it lies in memory, and ends with the tab.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.place, Backing::Memory(_))
    }

    /// Why it went into memory, the first time that this is asked.
    pub fn take_obstacle(&mut self) -> Option<String> {
        self.obstacle.take()
    }

    /// Cuts the file, or fills it with zeros, to this length; storage reserves its room now.
    pub fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.attempt(|place| match place {
            Backing::Stored(file) => file.set_length(length),
            Backing::Memory(file) => file.set_length(length),
        })
    }

    /// The contents, where they are in memory.
    pub fn into_pieces(self) -> Vec<FilePiece> {
        match self.place {
            Backing::Stored(_) => Vec::new(),
            Backing::Memory(file) => file.into_chunks().map(FilePiece::Memory).collect(),
        }
    }

    /// The contents, where they are in memory; nothing where they are in storage.
    pub fn into_blob(self) -> Result<Blob, JsValue> {
        match self.place {
            Backing::Stored(_) => Blob::new(),
            Backing::Memory(file) => file.into_blob(),
        }
    }

    /// Does something with the file, a second time in memory where storage fails.
    fn attempt<T>(&mut self, mut act: impl FnMut(&mut Backing) -> io::Result<T>) -> io::Result<T> {
        match (act(&mut self.place), &mut self.place) {
            (Err(error), Backing::Stored(file)) => {
                self.place = Backing::Memory(copied(file)?);
                self.obstacle = Some(error.to_string());
                act(&mut self.place)
            }
            (outcome, _) => outcome,
        }
    }
}

/// The contents of a stored file, and the place in it, in memory.
fn copied(file: &mut StoredFile) -> io::Result<MemoryFile> {
    let (position, mut memory) = (file.stream_position()?, MemoryFile::default());
    file.seek(SeekFrom::Start(0))?;
    io::copy(file, &mut memory)?;
    memory.seek(SeekFrom::Start(position))?;
    Ok(memory)
}

impl Read for NewFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.place {
            Backing::Stored(file) => file.read(bytes),
            Backing::Memory(file) => file.read(bytes),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|place| match place {
            Backing::Stored(file) => file.write(bytes),
            Backing::Memory(file) => file.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(|place| match place {
            Backing::Stored(file) => file.flush(),
            Backing::Memory(file) => file.flush(),
        })
    }
}

impl Seek for NewFile {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        match &mut self.place {
            Backing::Stored(file) => file.seek(seek),
            Backing::Memory(file) => file.seek(seek),
        }
    }
}
