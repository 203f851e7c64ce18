//! One model is open at a time. Another one waits while a text is written or a large download runs, unless the reader
//! says otherwise.

use leptos::prelude::*;

use super::super::model::ModelState;
use super::super::models::PEARGPT;
use super::Engine;

impl Engine {
    /// Loads the model that waits for its turn now. The text that is being written stops, and a download pauses; both can
    /// be continued.
    pub fn load_next(self) {
        if let Some(next) = self.loading.next.try_update(Option::take).flatten() {
            self.loading.id.set(None);
            self.want(&next);
        }
    }

    /// The view of the model that waits is left.
    pub fn give_up_turn(self, id: &str) {
        if self.loading.next.with_untracked(|next| next.as_deref() == Some(id)) {
            self.loading.next.set(None);
        }
    }

    /// Whether a text is being written.
    pub fn is_writing(self) -> bool {
        self.writing.with(Option::is_some)
    }

    /// This run, of a text, has ended.
    pub fn end_writing(self, run: u32) {
        if self.writing.get_untracked() == Some(run) {
            self.writing.set(None);
        }
    }

    /// Whether something goes on that would end if another model were loaded.
    pub fn is_occupied(self) -> bool {
        self.is_writing() || self.is_fetching_much()
    }

    pub(super) fn must_wait(self) -> bool {
        untrack(|| self.loading.id.with(|id| id.is_some()) && self.is_occupied())
    }

    /// pearGPT is small, and comes again in no time.
    fn is_fetching_much(self) -> bool {
        let is_under_way = self.loading.model.with(|model| match model {
            ModelState::Downloading { received, total, .. } => received < total,
            _ => false,
        });
        is_under_way && self.loading.id.with(|id| id.as_deref() != Some(PEARGPT.id))
    }

    /// What the model that waits is waiting for.
    pub(super) fn turn_sentence(self) -> String {
        match self.is_writing() {
            true => "Another model is writing a text. This one is loaded when that is done.".to_string(),
            false => "Another model is being downloaded. This one is loaded when that is done.".to_string(),
        }
    }

    /// Loads the model that waits once nothing is in its way.
    pub(super) fn take_turns(self) {
        Effect::new(move |_| {
            if self.loading.next.with(Option::is_some) && !self.is_occupied() {
                // A text that waited for the download begins first.
                request_animation_frame(move || {
                    if !self.must_wait() {
                        self.load_next();
                    }
                });
            }
        });
    }
}
