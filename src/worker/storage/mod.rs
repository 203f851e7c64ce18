//! The browser's storage for weights: the origin private file system, or memory where there is none.
//!
//! Each model has a folder of its own under `models/`, named by its id in the catalog or, a model of the reader's own, by
//! its SHA-256:
//!
//! ```text
//! <sha256>     a file whose contents have that hash: it is renamed to this only after they were verified
//! record.json  what the whole model is made of and its checksums, see `Record`
//! draft.gguf   what a stream from the hub has become so far, and
//! draft.state  where that stream stands
//! *.new        a file that is being written
//! ```
//!
//! What the converter makes lies in `unkept/` until it is kept or the model is left, see [`Unkept`].

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
