//! What the browser's storage holds.

use leptos::prelude::*;

use super::super::kept::Kept;
use super::super::options::Mounted;
use crate::app::protocol::Stored;

/// A handle to it.
#[derive(Clone, Copy)]
pub struct Library {
    /// All of it, once that was asked for.
    pub stored: RwSignal<Option<Stored>>,
    /// The models of the reader's own, as far as the page remembers.
    pub kept: Kept,
}

impl Library {
    /// As the page knew it last.
    pub fn new(mounted: Mounted) -> Self {
        Library { stored: RwSignal::new(None), kept: Kept::remembered(mounted) }
    }

    /// As a worker has found it.
    pub fn set(self, stored: Stored) {
        self.kept.set(&stored);
        self.stored.set(Some(stored));
    }
}
