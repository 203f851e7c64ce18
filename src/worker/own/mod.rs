//! A model of the reader's own: looked at, opened, kept; and any model that the reader takes along.

mod export;
mod keep;
mod look;
mod open;
mod written;

pub use export::{ExportFailure, Exported, export};
pub use keep::keep;
pub use look::inspect;
pub use open::{ImportFailure, Opened, open};
