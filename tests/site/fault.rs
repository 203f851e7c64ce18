//! What goes wrong with an answer of the test's server.

/// What goes wrong with the answer to a request. Places are bytes of the whole file, wherever the answer begins.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status instead of the file.
    Status(u16),
    /// The connection ends here.
    CutAt(usize),
    /// All bits of the byte here are flipped.
    FlipAt(usize),
    /// Nothing comes from here on, and the connection stays open.
    StallAt(usize),
    /// This many bytes per second.
    Slow(usize),
    /// This many bytes more, or fewer, are announced than come.
    Lie(i64),
    /// All of the file is sent, whatever part was asked for.
    NoRanges,
    /// Another address is named.
    Redirect(String),
    /// Other contents.
    Other(Vec<u8>),
    /// Another type.
    Type(&'static str),
    /// Scripts of other origins may not read it.
    Closed,
}
