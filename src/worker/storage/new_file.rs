//! A file that is being written: in storage, or in memory after storage has failed.

use std::io::{self, Read, Seek, SeekFrom, Write};

use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::file::{MemoryFile, StoredFile};
use super::split_file::FilePiece;

/// Where the file is.
#[derive(Debug)]
enum Backing {
    Stored(StoredFile),
    Memory(MemoryFile),
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    place: Backing,
    /// Why it was moved into memory.
    obstacle: Option<String>,
}

impl NewFile {
    /// Writes to this file, or to memory if there is none.
    pub fn new(file: Option<StoredFile>) -> Self {
        let place = file.map_or_else(|| Backing::Memory(MemoryFile::default()), Backing::Stored);
        NewFile { place, obstacle: None }
    }

    /// Whether it is in memory, and so is lost when the tab closes.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.place, Backing::Memory(_))
    }

    /// Why it was moved into memory; `None` after the first call.
    pub fn take_obstacle(&mut self) -> Option<String> {
        self.obstacle.take()
    }

    /// Sets the file's length: cuts it, or appends zeros. Storage reserves the room now.
    pub fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.attempt(|place| match place {
            Backing::Stored(file) => file.set_length(length),
            Backing::Memory(file) => file.set_length(length),
        })
    }

    /// The contents, if they are in memory.
    pub fn into_pieces(self) -> Vec<FilePiece> {
        match self.place {
            Backing::Stored(_) => Vec::new(),
            Backing::Memory(file) => file.into_chunks().map(FilePiece::Memory).collect(),
        }
    }

    /// The contents if they are in memory, else an empty blob.
    pub fn into_blob(self) -> Result<Blob, JsValue> {
        match self.place {
            Backing::Stored(_) => Blob::new(),
            Backing::Memory(file) => file.into_blob(),
        }
    }

    /// Calls `act` with the file. If storage fails, moves the file into memory and calls `act` again.
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

/// Copies a stored file, with its position, into memory.
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
