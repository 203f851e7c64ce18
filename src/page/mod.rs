//! The page: the only code that draws. It holds no model; what computes lives in [`crate::worker`].
//!
//! ```text
//! site                                 the document's own page; mounts
//! app ─ options, address_bar, theme    which view stands there, what it is told, how it looks
//!  ├ home ─ architecture, not_found     what this is, how it works inside, and where nothing is
//!  ├ own, import_panel ─ import,       models of the reader's own: handed over, kept
//!  │     dropped
//!  ├ writing_view ─ prompt, controls,  prompt and settings in, text and numbers out
//!  │     tokens, toolbar, messages,    how the weights come, which are kept,
//!  │     status, download, stored,     and whether they are GPT-2's
//!  │     keep, export ─ publish, exported,
//!  │     verify, presets, threads, inside
//!  ├ train_view, train_run ─ training  a model that learns a text
//!  ├ bench                             one measurement
//!  └ about                             what this is, and whether it computes here as elsewhere
//!         │
//!      writing ─ form, phase, seen,    what is asked for, what became of it, and what is seen inside
//!         │     output, highlight
//!      engine ─ model, fetch           the model: wanted, arriving, ready
//!         │
//!     programs ─ bridge, release       the workers, of this release
//! ```

// What the views stand on.
mod agreed;
mod bridge;
mod engine;
mod fetch;
mod js;
mod kept;
mod model;
mod options;
mod programs;
mod release;
mod saving;
mod thread_choice;

// What a reader asks for, and gets.
mod dropped;
mod form;
mod highlight;
mod import;
mod models;
mod output;
mod phase;
mod seen;
mod training;
mod writing;

// What is drawn.
mod about;
mod address_bar;
mod app;
mod architecture;
mod bench;
mod clipboard;
mod controls;
mod copy_button;
mod download;
mod export;
mod exported;
mod history;
mod home;
mod import_panel;
mod inside;
mod keep;
mod messages;
mod not_found;
mod own;
mod presets;
mod prompt;
mod publish;
mod site;
mod status;
mod stored;
mod theme;
mod threads;
mod tokens;
mod toolbar;
mod train_run;
mod train_view;
mod verify;
mod writing_view;

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    let mut characters = reason.trim_end_matches('.').chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}

pub use app::mount;
pub use options::{Options, Router};
pub use site::start;
