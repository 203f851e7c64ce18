//! peargpt: small GPTs that run in a browser tab.
//!
//! The modules stand in the order in which a prompt becomes text; each imports only those below it:
//!
//! ```text
//! page                                      engine's worker
//! prompt + settings ── Request::Generate ─▶ tokenizer   text → ids
//!                                           model       ids + KV cache → logits
//!                                           sampler     logits → id
//!                                           generation  the loop, the stop rules, UTF-8 assembly
//! text appended     ◀── Event::Text ──────  at most every other frame
//! numbers shown     ◀── Event::Done ──────
//!
//! a token chosen    ── a question ───────▶ explain     the same pass, observed → numbers of the inside
//!
//! files dropped     ── converter's worker ─▶ any format → GGUF + its sha256 ─▶ engine's worker
//! ```
//!
//! Everything but [`worker`] and [`page`] knows nothing of browsers and is tested natively.

// The browser's programs: the page, the engine's worker and the converter's.
#[cfg(target_arch = "wasm32")]
pub mod page;
#[cfg(target_arch = "wasm32")]
pub mod worker;

pub mod app;

// Why a token stands where it stands.
pub mod explain;

// How good a model is.
pub mod evaluate;

// From a prompt to text.
pub mod generation;

// Learning.
pub mod train;

// Several threads that compute one model.
pub mod team;

// From a file to a model, which turns ids into logits; checkpoint/import and checkpoint/export do the rest.
pub mod checkpoint;
pub mod model;

// Logits → id, and text ↔ ids.
pub mod sampler;
pub mod tokenizer;

// Values from JavaScript and JSON, into types.
pub mod wire;

// The inner loops.
pub mod kernels;
