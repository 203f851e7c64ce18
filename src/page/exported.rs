//! A file that is written of a model, for the reader to take along.

use leptos::prelude::*;

use super::saving::download;
use super::writing::Writing;
use crate::app::protocol::{Event, Request};

/// What has become of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportState {
    /// None was asked for.
    Not,
    /// Bytes done, and all bytes.
    InPart(u64, u64),
    /// Its name.
    Whole(String),
    /// Why it could not be written, as a sentence.
    Failed(String),
}

/// Has a file written, and the browser store it.
pub fn write(writing: Writing, written: RwSignal<ExportState>, request: impl FnOnce(u32) -> Request) {
    written.set(ExportState::InPart(0, 1));
    let hear = move |_, event| {
        // The reader may have gone to another page meanwhile, and with it the signal.
        written.try_set(match event {
            Event::Exporting { done, all, .. } => ExportState::InPart(done, all),
            Event::Exported { url, name, .. } => {
                download(&url, &name);
                ExportState::Whole(name)
            }
            Event::Failed { message, .. } => ExportState::Failed(message),
            _ => ExportState::Not,
        });
    };
    writing.engine.begin(request, hear);
}
