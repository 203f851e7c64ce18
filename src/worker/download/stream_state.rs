//! Where a stream from the hub stands, as it is stored.

/// Name of the file that it is stored in.
pub const STATE: &str = "draft.state";

/// A stream's state as it is stored: the position and the length of the etag in 8 bytes each, the etag, the rest.
#[derive(Debug, PartialEq)]
pub struct StreamState<'a> {
    /// Bytes of the file that have been taken.
    pub position: u64,
    /// The version of the file, empty where the host says none.
    pub etag: &'a str,
    /// What the conversion needs to go on.
    pub saved: &'a [u8],
}

impl<'a> StreamState<'a> {
    /// Reads what `to_bytes` made; `None` where it is something else.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (position, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (etag, saved) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(StreamState { position: u64::from_le_bytes(*position), etag: std::str::from_utf8(etag).ok()?, saved })
    }

    /// The state as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.etag.len() as u64;
        [&self.position.to_le_bytes(), &length.to_le_bytes(), self.etag.as_bytes(), self.saved].concat()
    }
}
