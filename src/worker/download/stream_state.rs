//! The stored state of a stream from the hub.

/// Name of the file with the state.
pub const STATE: &str = "draft.state";

/// The state. As bytes: position, length of the etag (8 bytes each), etag, saved.
#[derive(Debug, PartialEq)]
pub struct StreamState<'a> {
    /// Bytes of the file that have been taken.
    pub position: u64,
    /// The etag of the file; empty if the server sends none.
    pub etag: &'a str,
    /// The state of the conversion.
    pub saved: &'a [u8],
}

impl<'a> StreamState<'a> {
    /// Reads the bytes that `to_bytes` made; `None` for others.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (position, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (etag, saved) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(StreamState { position: u64::from_le_bytes(*position), etag: std::str::from_utf8(etag).ok()?, saved })
    }

    /// The state as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.etag.len() as u64;
        [&self.position.to_le_bytes(), &length.to_le_bytes(), self.etag.as_bytes(), self.saved].concat()
    }
}
