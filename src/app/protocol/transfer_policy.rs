//! How weights are fetched.

use serde::Serialize;

use crate::wire::{Problems, Read, Value};

/// How weights are fetched. After a temporary failure the fetch is repeated: after `delay_ms`, then after twice that,
/// and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// What is not said is as by default.
impl Read for TransferPolicy {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        let default = TransferPolicy::default();
        TransferPolicy {
            tries: problems.field_or(value, "tries", default.tries),
            delay_ms: problems.field_or(value, "delay_ms", default.delay_ms),
            stall_ms: problems.field_or(value, "stall_ms", default.stall_ms),
            again_ms: problems.field_or(value, "again_ms", default.again_ms),
            asks: problems.field_or(value, "asks", default.asks),
            checkpoint_bytes: problems.field_or(value, "checkpoint_bytes", default.checkpoint_bytes),
        }
    }
}
