//! Texts that were written in this visit: cleared, brought back, taken up again.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::phase::RunState;
use super::{Begun, Writing};
use crate::app::protocol::Stats;
use crate::generation::StopReason;

/// Texts that are kept beside the one that is shown.
const KEPT: usize = 20;

/// A text, with all that is needed to show it and to continue it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedText {
    /// The whole text, prompt included.
    pub text: String,
    /// Length of the prompt in it, in bytes.
    prompt_bytes: usize,
    /// How it was begun.
    pub(super) begun: Begun,
    /// The tokens that were drawn.
    ids: Vec<u32>,
    run: RunState,
    stats: Option<Stats>,
    remark: Option<String>,
}

impl SavedText {
    /// How many tokens were drawn for it.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Its seed.
    pub fn seed(&self) -> u32 {
        self.begun.settings.seed.unwrap_or_default()
    }
}

impl Writing {
    /// The text that is shown, if there is one. One that is being written counts as stopped.
    pub fn saved(self) -> Option<SavedText> {
        let begun = self.text.get_untracked()?;
        let run = match self.run.get_untracked() {
            RunState::Writing | RunState::Waiting => RunState::Ended(StopReason::Stopped),
            run => run,
        };
        let (text, prompt_bytes) = self.with_output(|output| Ok(output.contents()))?;
        let (ids, stats, remark) = (self.ids.get_value(), self.stats.get_untracked(), self.remark.get_untracked());
        Some(SavedText { text, prompt_bytes, begun, ids, run, stats, remark })
    }

    /// Shows a text in the place of the one that stands there.
    pub(super) fn show(self, saved: SavedText) {
        let SavedText { text, prompt_bytes, begun, ids, run, stats, remark } = saved;
        self.number.set_value(0);
        self.has_text.set(!text.is_empty());
        self.with_output(|output| output.put_back((text, prompt_bytes)));
        self.ids.set_value(ids);
        self.text.set(Some(begun));
        self.stats.set(stats);
        self.remark.set(remark);
        self.run.set(run);
    }

    /// Puts a text with the earlier ones.
    pub(super) fn put_away(self, saved: SavedText) {
        self.earlier.update(|earlier| {
            earlier.push(saved);
            let surplus = earlier.len().saturating_sub(KEPT);
            earlier.drain(..surplus);
        });
    }

    /// Removes the text that stands there. It can be brought back.
    pub fn clear(self) {
        self.stop();
        let saved = self.saved();
        self.was_cleared.set(saved.is_some());
        saved.into_iter().for_each(|saved| self.put_away(saved));
        self.empty();
    }

    /// Shows no text.
    pub(super) fn empty(self) {
        self.number.set_value(0);
        self.rewrite("");
        self.run.set(RunState::None);
        self.stats.set(None);
        self.remark.set(None);
        self.text.set(None);
        self.ids.set_value(Vec::new());
    }

    /// Whether the text that was cleared last can be brought back.
    pub fn can_restore(self) -> bool {
        self.was_cleared.get() && !self.has_text.get() && self.earlier.with(|earlier| !earlier.is_empty())
    }

    /// Brings back the text that was cleared last.
    pub fn restore(self) {
        if let Some(saved) = self.earlier.try_update(Vec::pop).flatten() {
            self.show(saved);
        }
        self.was_cleared.set(false);
    }

    /// Shows an earlier text, and puts the one that stands there with the others.
    pub fn recall(self, index: usize) {
        let take = |earlier: &mut Vec<SavedText>| (index < earlier.len()).then(|| earlier.remove(index));
        let Some(saved) = self.earlier.try_update(take).flatten() else { return };
        self.saved().into_iter().for_each(|shown| self.put_away(shown));
        self.show(saved);
    }
}
