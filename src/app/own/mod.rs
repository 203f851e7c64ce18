//! A model of the reader's own, as the page meets it: [`ImportSession`] is what has been handed over and how far that has
//! come, [`texts`] says what it turned out to be.

mod import_session;
pub mod texts;

pub use import_session::{ImportSession, Stage};

/// Name of every model of the reader's own inside its GGUF file. The file's SHA-256 is the model's id, which must not
/// depend on what the reader calls it.
pub const NAME: &str = "GPT";

/// Whether this is the id of a model of the reader's own: 64 hex digits, which no catalog's id are.
pub fn is_own(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_told_from_a_catalogs_id() {
        assert!(is_own(&"0f".repeat(32)));
        assert!(!is_own("gpt2") && !is_own(&"0g".repeat(32)) && !is_own(&"0f".repeat(31)));
    }
}
