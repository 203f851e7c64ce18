//! Several threads, or workers, that compute one model together. Each member has its rows of every matrix, see
//! [`Share`](crate::model::Share); every member goes through every pass, and what they exchange is put together in one
//! order. So the bytes are the same for any number of members.
//!
//! `board` is the protocol, on `shared_memory` that all members see; `threads` is a team of native threads.

mod board;
mod shared_memory;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

pub use board::{Board, Seat};
pub use shared_memory::{SharedMemory, Turn};
#[cfg(not(target_arch = "wasm32"))]
pub use threads::{Memory, StartError, Team, keep_candle_to_one_thread};
