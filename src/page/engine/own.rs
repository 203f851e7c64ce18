//! The reader's own models: opened from files, found in storage, named.

use leptos::prelude::*;

use super::super::model::{ModelState, WantedModel};
use super::Engine;
use super::loading::HandedFiles;
use crate::app::catalog::Entry;
use crate::app::own::is_own;
use crate::app::protocol::{Answers, Event, ModelSummary, Request};

/// What is wanted while nobody knows yet which model the files are.
const UNNAMED: &str = "";

impl Engine {
    /// Opens the model in these files; `listener` hears how that goes. Once it is open it is the one that is wanted.
    pub fn import(self, files: HandedFiles, answers: Answers, listener: impl Fn(Event) + 'static) {
        self.loading.wanted.set_value(WantedModel::default());
        self.loading.next.set(None);
        self.loading.id.set(Some(UNNAMED.to_string()));
        self.read(files, answers, listener);
    }

    /// What a model is called; nothing where that is not known.
    pub fn title(self, id: &str) -> Option<String> {
        self.library.kept.title(id).or_else(|| match self.model_of(id) {
            ModelState::Loaded(summary) => Some(summary.title),
            _ => None,
        })
    }

    /// The models of the reader's own that can be had here, ids and names: those that are kept, and the one that was
    /// opened last.
    pub fn own(self) -> Vec<(String, String)> {
        let mut own = self.library.kept.list();
        if let ModelState::Loaded(ModelSummary { id, title, .. }) = self.loading.model.get()
            && is_own(&id)
            && own.iter().all(|(kept, _)| *kept != id)
        {
            own.push((id, title));
        }
        own
    }

    /// Calls a model of the reader's own by another name, if it is one.
    pub fn rename(self, id: &str, title: String) {
        if title.trim().is_empty() {
            return;
        }
        self.loading.model.update(|model| match model {
            ModelState::Loaded(summary) if summary.id == id => summary.title.clone_from(&title),
            _ => {}
        });
        if untrack(|| self.library.kept.title(id)).is_some() {
            self.send(Request::Rename { id: id.to_string(), title });
        }
    }

    /// Loads a model that no catalog has; `false` where a catalog may.
    pub(super) fn load_own(self, id: &str) -> bool {
        match self.loading.own.get_value() {
            _ if id == UNNAMED => self.loading.model.set(ModelState::Absent),
            _ if !is_own(id) || self.mounted.options().site.is_home(id) => return false,
            // Files are read only where storage does not have the model.
            Some((own, files, answers)) if own == id && untrack(|| self.library.kept.title(id)).is_none() => {
                self.read(files, answers, |_| ());
            }
            _ => self.send_load(Entry::own(id.to_string())),
        }
        true
    }

    fn read(self, files: HandedFiles, answers: Answers, listener: impl Fn(Event) + 'static) {
        self.loading.model.set(ModelState::Opening);
        let wanted = self.loading.id.get_untracked();
        let source = (files.clone(), answers.clone());
        let hear = move |_, event| {
            if self.loading.id.with_untracked(|id| *id == wanted) {
                self.take(&event, &source);
            }
            listener(event);
        };
        let HandedFiles { files, names } = files;
        self.begin_with(files, |run| Request::Import { run, names, answers }, hear);
    }

    fn take(self, event: &Event, source: &(HandedFiles, Answers)) {
        match event {
            Event::Imported { summary, .. } => {
                let (files, answers) = source.clone();
                self.loading.own.set_value(Some((summary.id.clone(), files, answers)));
                self.adopt(summary);
            }
            Event::Failed { message, .. } => self.loading.model.set(ModelState::Failed(message.clone())),
            Event::Interrupted { .. } => {
                self.loading.model.set(ModelState::Failed("Opening the model was stopped.".into()))
            }
            _ => {}
        }
    }

    fn adopt(self, summary: &ModelSummary) {
        self.loading.restarts.set_value(0);
        self.backend.set(Some(summary.backend.clone()));
        self.loading.id.set(Some(summary.id.clone()));
        self.loading.model.set(ModelState::Loaded(summary.clone()));
    }
}
