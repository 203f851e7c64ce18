//! The model that is wanted, and what has become of it.

use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::model::{ModelState, WantedModel};
use super::super::release::keep_release;
use crate::app::protocol::{Answers, Event};

/// Files of the reader's.
#[derive(Clone)]
pub struct HandedFiles {
    /// The files.
    pub files: Array,
    /// Their names; behind that of its folder, where a file lies in one.
    pub names: Vec<String>,
}

/// A model of the reader's own: its id, its files, and what the reader says of them.
pub type OwnFiles = (String, HandedFiles, Answers);

/// A handle to the model.
#[derive(Clone, Copy)]
pub struct Loading {
    /// The model.
    pub model: RwSignal<ModelState>,
    /// What the reader should know of the download, as sentences.
    pub notices: RwSignal<Vec<String>>,
    /// The catalog's id of the model that is wanted.
    pub id: RwSignal<Option<String>>,
    /// The model that waits for its turn.
    pub next: RwSignal<Option<String>>,
    /// What is known of it.
    pub wanted: StoredValue<WantedModel>,
    /// How often the catalog has been asked.
    pub lookups: StoredValue<u32>,
    /// How often in a row a worker that broke has been replaced.
    pub restarts: StoredValue<u32>,
    /// The model of the reader's own that was opened last.
    pub own: StoredValue<Option<OwnFiles>, LocalStorage>,
}

impl Loading {
    /// No model is wanted.
    pub fn new() -> Self {
        Loading {
            model: RwSignal::new(ModelState::Absent),
            notices: RwSignal::new(Vec::new()),
            id: RwSignal::new(None),
            next: RwSignal::new(None),
            wanted: StoredValue::new(WantedModel::default()),
            lookups: StoredValue::new(0),
            restarts: StoredValue::new(0),
            own: StoredValue::new_local(None),
        }
    }

    /// Takes what the workers say of it; the event comes back where it is about something else.
    pub fn take(self, event: Event) -> Option<Event> {
        match event {
            Event::Asking { host, received, total } => self.model.set(ModelState::Asking { host, received, total }),
            Event::Waiting => self.model.set(ModelState::Waiting),
            Event::Downloading { received, total, bytes_per_second } => {
                self.downloading(received, total, bytes_per_second);
            }
            Event::Retrying { reason, delay_ms } => self.retrying(reason, delay_ms),
            Event::Paused { received, total } => self.model.set(ModelState::Paused { received, total }),
            Event::Notice(sentence) => self.notices.update(|notices| {
                if !notices.contains(&sentence) {
                    notices.push(sentence);
                }
            }),
            Event::NotHere => self.model.set(ModelState::NotHere),
            Event::Opening => self.model.set(ModelState::Opening),
            // One that was wanted before the reader went to another is of no use any more.
            Event::Loaded(summary) if !self.id.with_untracked(|id| id.as_ref() == Some(&summary.id)) => {}
            Event::Loaded(summary) => {
                self.restarts.set_value(0);
                self.model.set(ModelState::Loaded(summary));
                spawn_local(keep_release());
            }
            other => return Some(other),
        }
        None
    }

    fn downloading(self, received: u64, total: u64, bytes_per_second: Option<f64>) {
        self.model.update(|model| {
            let again = match model {
                // Until something new comes, what went wrong is what the reader should know.
                ModelState::Downloading { received: before, again, .. } if *before == received => again.take(),
                _ => None,
            };
            *model = ModelState::Downloading { received, total, bytes_per_second, again };
        });
    }

    fn retrying(self, reason: String, delay_ms: u32) {
        self.model.update(|model| match model {
            ModelState::Downloading { again, .. } => *again = Some((reason, delay_ms)),
            other => {
                let (received, total, bytes_per_second) = (0, 0, None);
                *other = ModelState::Downloading { received, total, bytes_per_second, again: Some((reason, delay_ms)) };
            }
        });
    }
}
