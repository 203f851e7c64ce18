//! A text is continued: by the worker that wrote it, or, where that has closed the model since, from its tokens.

use leptos::prelude::*;

use super::super::phase::RunState;
use super::Writing;
use crate::app::protocol::Request;
use crate::generation::Settings;

impl Writing {
    /// Whether the text that stands there can be continued now.
    pub fn can_continue(self) -> bool {
        !self.is_busy() && self.text.with(Option::is_some) && self.summary().is_some() && !self.is_of_other_weights()
    }

    /// Whether other weights are loaded than the text was written with.
    pub fn is_of_other_weights(self) -> bool {
        let loaded = self.loaded_model();
        self.text.with(|text| text.as_ref().is_some_and(|text| loaded.is_some() && text.model != loaded))
    }

    /// Goes on from the end of the text.
    pub fn go_on(self) {
        if !untrack(|| self.can_continue()) {
            return;
        }
        let words = untrack(|| self.form.settings()).words;
        let Some(begun) = self.text.try_update(|text| {
            let text = text.as_mut()?;
            text.is_continued = true;
            Some(text.clone())
        }) else {
            return;
        };
        let Some(begun) = begun else { return };
        let is_held = begun.number != 0 && self.held.get_value() == begun.number;
        self.held.set_value(begun.number);
        match is_held {
            true => self.write(None, move |run| Request::Continue { run, words }),
            false => {
                let (settings, ids) = (begun.settings, self.ids.get_value());
                let shown = self.with_output(|output| Ok(output.written_bytes())).unwrap_or_default() as u32;
                self.write(None, move |run| Request::Resume { run, settings, ids, shown, words });
            }
        }
    }

    /// What keeps the text from being continued as the reader may expect.
    pub fn continuation_note(self) -> Option<&'static str> {
        if self.is_of_other_weights() {
            return Some("This text was written with other weights, so it cannot be continued.");
        }
        let has_note = self.can_continue() && self.has_other_settings();
        has_note.then_some("Continue uses the settings of this text; changed settings apply to the next one.")
    }

    /// Whether the form asks for something else than the text was begun with; its length aside, that changes nothing of
    /// a text that is continued.
    fn has_other_settings(self) -> bool {
        let form = self.form.settings();
        self.text.with(|text| {
            text.as_ref().is_some_and(|text| {
                let of_text = Settings { words: form.words, tokens: form.tokens, ..text.settings.clone() };
                of_text != form
            })
        })
    }

    /// A run that failed leaves no text in the worker that goes with the page's.
    pub(super) fn fail(self, message: String) {
        self.held.set_value(0);
        self.run.set(RunState::Failed(message));
    }
}
