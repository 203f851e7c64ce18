//! Models of the reader's own, for the page: [`ImportSession`] holds the files that were handed over, and [`texts`]
//! describes them.

mod import_session;
pub mod texts;

pub use import_session::{ImportSession, Stage};

/// The name inside the GGUF of every model of the reader's own. It is the same for all, since the file's SHA-256 is the
/// model's id, and must not depend on the title.
pub const NAME: &str = "GPT";

/// Whether this is the id of a model of the reader's own: 64 hex digits, which no id of the catalog is.
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
