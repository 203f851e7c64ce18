//! The browser's storage for weights: the origin private file system, or memory where there is none.
//!
//! Each model has a folder under `models/`. Its name is the model's id in the catalog, or the SHA-256 of a model of the
//! reader's own:
//!
//! ```text
//! <sha256>     a file with that hash: it gets this name only after it was verified
//! record.json  the files of the whole model, and their checksums, see `Record`
//! draft.gguf   the GGUF of a stream from the hub, as far as it has been written, and
//! draft.state  the state of that stream
//! *.new        a file that is being written
//! ```
//!
//! Files that the converter makes are in `unkept/` until they are kept or the model is closed, see [`Unkept`].

mod file;
mod folder;
mod lock;
mod new_file;
mod reason;
mod split_file;
mod store;
mod unkept;

pub use file::{MemoryFile, StoredFile, bytes, place};
pub use folder::Folder;
pub use lock::{Attempt, Lock};
pub use new_file::NewFile;
pub use reason::reason;
pub use split_file::{FilePiece, SplitFile};
pub use store::{Record, Store, forget, list};
pub use unkept::{Unkept, sweep};
