//! peargpt: small GPTs that run in a browser tab.
//!
//! The modules stand in the order in which a prompt becomes text:
//!
//! ```text
//! page                                      worker
//! prompt + settings ── Request::Generate ─▶ tokenizer   text → ids
//!                                           model       ids + KV cache → logits
//!                                           sampler     logits → id
//!                                           generation  the loop, the stop rules, UTF-8 assembly
//! text appended     ◀── Event::Text ──────  batched per animation frame
//! numbers shown     ◀── Event::Done ──────
//! ```
//!
//! Everything but [`worker`] and [`page`] knows nothing of browsers and is tested natively.

// What crosses the thread, and what a reader can ask for.
pub mod catalog;
pub mod estimate;
pub mod own;
pub mod pace;
pub mod permalink;
pub mod play;
pub mod protocol;
pub mod settings;

// From a file to a model that can be asked.
pub mod checkpoint;
pub mod checksum;
pub mod evaluate;
pub mod kernels;
pub mod model;
pub mod publish;
pub mod sha256;
pub mod verify;

// From a prompt to text.
pub mod generation;
pub mod sampler;
pub mod tokenizer;

// The two programs of the browser.
#[cfg(target_arch = "wasm32")]
pub mod page;
#[cfg(target_arch = "wasm32")]
pub mod worker;

#[cfg(test)]
mod testing;
