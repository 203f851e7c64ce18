//! The engine's program: fetches GGUF files of this site, opens GGUF files, and generates text with them.

mod background;
mod bench;
mod error;
mod inside;
mod open;
mod serve;
mod text_stream;
mod texts;
mod threads;
mod verify;
mod warm_up;

use super::team;

/// Serves, or computes with a worker that does, as long as the worker lives.
pub fn start() {
    match team::is_member() {
        true => team::follow(team::compute),
        false => super::start(serve::serve()),
    }
}

/// The name of the kernels in use, for people, and of how many threads.
fn backend(threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("WebAssembly {}, {threads} thread{plural}", crate::kernels::selected().name)
}
