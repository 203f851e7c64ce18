//! Why weights could not be fetched or made.

use wasm_bindgen::JsValue;

use crate::checkpoint::CheckpointError;

/// A file could not be fetched or made.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// A request interrupted the download.
    #[error("the download was interrupted")]
    Interrupted,
    /// No answer, or a connection that was cut.
    #[error(
        "{url} could not be fetched: the connection failed after {received} of {bytes} bytes ({reason}). Check the connection and try again."
    )]
    Network { url: String, received: u64, bytes: u64, reason: String },
    /// No byte arrived for a while.
    #[error(
        "{url} could not be fetched: nothing arrived for {ms} ms after {received} of {bytes} bytes. Check the connection and try again."
    )]
    Stalled { url: String, received: u64, bytes: u64, ms: u32 },
    /// The server answered with an error.
    #[error(
        "{url} could not be fetched: the server answered {status} {text}. Try again, or tell whoever runs this site."
    )]
    Status { url: String, status: u16, text: String },
    /// The server sent fewer or more bytes than the catalog says.
    #[error(
        "{url} has the wrong length: expected {expected} bytes, found {found}. Try again, or tell whoever runs this site."
    )]
    Length { url: String, expected: u64, found: u64 },
    /// The bytes do not have the SHA-256 that the catalog names.
    #[error("{url} is damaged: expected sha256 {expected}, found {found}. Try again, or tell whoever runs this site.")]
    Sha256 { url: String, expected: String, found: String },
    /// The bytes of a whole stream do not have the SHA-256 that the catalog names.
    #[error(
        "{url} is not the file that was published: expected sha256 {expected}, found {found}. All of it has been discarded. Try again."
    )]
    Discarded { url: String, expected: String, found: String },
    /// Storage does not have the bytes that were written to it.
    #[error(
        "{title} was damaged in this browser's storage while it arrived ({source}). All of it has been discarded. Try again."
    )]
    Changed { title: String, source: CheckpointError },
    /// The converted file is not the one that the catalog names.
    #[error(
        "{title} has arrived, but what became of it is not the file that the catalog names: expected sha256 {expected}, found {found}. All of it has been discarded. Try again, or tell whoever runs this site."
    )]
    Converted { title: String, expected: String, found: String },
    /// The bytes cannot be converted.
    #[error("{url} cannot be converted: {source}. What was stored of it has been removed; try again.")]
    Convert { url: String, source: CheckpointError },
    /// The file is larger than the memory that is left.
    #[error("{title} needs {bytes} bytes of memory, which this browser does not give. Close other tabs and try again.")]
    Memory { title: String, bytes: u64 },
    /// The catalog has an invalid URL.
    #[error("the catalog's address `{url}` is not one")]
    Url { url: String },
    /// The browser failed at something that it should be able to do.
    #[error("the browser failed: {0}. Reload the page and try again.")]
    Browser(String),
}

impl From<JsValue> for DownloadError {
    fn from(error: JsValue) -> Self {
        DownloadError::Browser(super::super::storage::reason(&error))
    }
}

impl DownloadError {
    /// Whether the same request may work later.
    pub fn is_passing(&self) -> bool {
        match self {
            DownloadError::Network { .. } | DownloadError::Stalled { .. } => true,
            DownloadError::Length { expected, found, .. } => found < expected,
            DownloadError::Status { status, .. } => matches!(status, 408 | 429) || *status >= 500,
            _ => false,
        }
    }

    /// Whether the stored state of the stream is useless after this error.
    pub fn leaves_nothing(&self) -> bool {
        use DownloadError::{Changed, Convert, Converted, Discarded};
        matches!(self, Convert { .. } | Discarded { .. } | Changed { .. } | Converted { .. })
    }
}
