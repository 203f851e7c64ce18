//! The parts of a comparison of two sites, by the names that `--only` takes. Shared with xtask, which refuses others
//! before it builds anything.

/// Tokens per second after a prompt.
pub const DECODE: &str = "decode";
/// Prompts, short and long: the first one after loading, and later ones.
pub const PROMPTS: &str = "prompts";
/// The token for which a full window moves on, and a text with several of them.
pub const CROSSINGS: &str = "crossings";
/// From the browser's storage to a model that is ready.
pub const LOAD: &str = "load";
/// From a click on Stop until nothing is written any more, with GPT-2.
pub const STOP: &str = "stop";
/// A first visit to pearGPT over a slow line.
pub const VISIT: &str = "visit";
/// The programs, compressed.
pub const SIZES: &str = "sizes";

/// All of them, in the order in which they run.
pub const PARTS: [&str; 7] = [SIZES, DECODE, PROMPTS, CROSSINGS, LOAD, STOP, VISIT];

/// Whether a part is measured with the model of this id; sizes are the site's, whichever model is measured.
pub fn is_measured(part: &str, model: &str) -> bool {
    !matches!((part, model), (STOP, "peargpt") | (VISIT, "gpt2"))
}
