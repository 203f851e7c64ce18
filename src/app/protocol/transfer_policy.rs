//! How weights are fetched.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

/// How weights are fetched. After a temporary failure the fetch is repeated: after `delay_ms`, then after twice that,
/// and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
#[serde(default)]
pub struct TransferPolicy {
    /// Tries in a row without a new byte, at least 1; further ones are [`again_ms`](Self::again_ms) apart.
    pub tries: u32,
    /// Milliseconds before the second try.
    pub delay_ms: u32,
    /// Milliseconds without a byte after which a transfer counts as stalled.
    pub stall_ms: u32,
    /// Milliseconds between two tries after those, until the reader ends the download or the browser is online again; 0
    /// gives up.
    pub again_ms: u32,
    /// Whether the reader is asked before a large model is fetched.
    pub asks: bool,
    /// Bytes of a stream after which its state is stored. An interruption costs at most as many.
    pub checkpoint_bytes: u64,
}

impl Default for TransferPolicy {
    fn default() -> Self {
        TransferPolicy {
            tries: 4,
            delay_ms: 1000,
            stall_ms: 20_000,
            again_ms: 30_000,
            asks: true,
            checkpoint_bytes: 8 << 20,
        }
    }
}
