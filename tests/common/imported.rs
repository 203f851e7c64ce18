//! The checkpoints of `tests/fixtures/make_imported.py`, in memory.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Cursor;

use peargpt::checkpoint::import::{Answers, Draft, ImportError, Named, Need, Outlook, TINY_SHAKESPEARE, inspect};
use peargpt::checkpoint::quantize::Precision;
use peargpt::checkpoint::{Checkpoint, import};

use crate::common::path;

pub type Files = Vec<Named<Cursor<Vec<u8>>>>;

/// A file of this name.
pub fn named(name: &str, bytes: impl Into<Vec<u8>>) -> Named<Cursor<Vec<u8>>> {
    Named { name: name.to_string(), reader: Cursor::new(bytes.into()) }
}

/// Files of a fixture.
pub fn files(fixture: &str, names: &[&str]) -> Files {
    let read = |name: &&str| named(name, fs::read(path(&format!("tests/fixtures/imported/{fixture}/{name}"))).unwrap());
    names.iter().map(read).collect()
}

/// The model of these files, where nothing is missing.
pub fn draft(files: &mut Files, answers: &Answers) -> Result<Draft, ImportError> {
    match inspect(files, answers)? {
        import::Outlook::Ready(draft) => Ok(*draft),
        import::Outlook::Needs(needs) => panic!("{needs:?}"),
    }
}

/// What is missing.
pub fn needs(files: &mut Files, answers: &Answers) -> Vec<Need> {
    match inspect(files, answers).unwrap() {
        Outlook::Needs(needs) => needs,
        Outlook::Ready(draft) => panic!("{:?}", draft.config),
    }
}

pub fn read(files: &mut Files, precision: Option<Precision>) -> Checkpoint {
    draft(files, &shakespeare()).unwrap().load(files, precision, || ()).unwrap()
}

/// The answer where a character model of 65 tokens says no more.
pub fn shakespeare() -> Answers {
    Answers { alphabet: Some(TINY_SHAKESPEARE.to_string()), ..Answers::default() }
}
