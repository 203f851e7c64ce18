//! Texts that were written in this visit: cleared, brought back, taken up again.

use js_sys::Array;
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};

use super::super::phase::RunState;
use super::{Begun, Writing};
use crate::app::permalink::{Address, Route};
use crate::app::protocol::Stats;
use crate::generation::StopReason;

/// Texts that are kept beside the one that is shown.
const KEPT: usize = 20;

/// A text, with all that is needed to show it and to continue it.
#[derive(Clone, Debug, PartialEq)]
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

/// How a text ended, by its number in a packed text.
const ENDINGS: [StopReason; 7] = [
    StopReason::Stopped,
    StopReason::Words,
    StopReason::Tail,
    StopReason::EndOfText,
    StopReason::Runaway,
    StopReason::Tokens,
    StopReason::Sequence,
];

/// Packed texts: arrays of the text, the address of its settings, its tokens with commas between them, the length of its
/// prompt in bytes, whether it was continued, how it ended, and its words.
impl SavedText {
    /// As a value that JSON can hold. An address keeps all settings.
    pub(super) fn pack(&self, route: Route) -> JsValue {
        let Begun { settings, model, is_continued, .. } = self.begun.clone();
        let address = Address { route, settings, model, run: false, threads: None, look: None, tour: None }.to_string();
        let ids = self.ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let ending = match self.run {
            RunState::Ended(reason) => ENDINGS.iter().position(|ending| *ending == reason).unwrap_or(0),
            _ => 0,
        };
        let words = self.stats.map_or(0, |stats| stats.words);
        let texts = [self.text.clone(), address, ids].map(JsValue::from);
        let numbers = [self.prompt_bytes as u32, u32::from(is_continued), ending as u32, words].map(JsValue::from);
        texts.into_iter().chain(numbers).collect::<Array>().into()
    }

    /// What was packed, in this version of the page or in another one; `None` if that is unreadable.
    pub(super) fn unpack(packed: &JsValue) -> Option<Self> {
        let packed: &Array = packed.dyn_ref()?;
        let text = |index| packed.get(index).as_string();
        let number = |index| packed.get(index).as_f64().map(|number| number as u32);
        let (Address { settings, model, .. }, _) = Address::parse(&text(1)?);
        let ids = text(2)?;
        let ids = ids.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok());
        let ids = ids.collect::<Option<Vec<u32>>>()?;
        let (text, prompt_bytes) = (text(0)?, number(3)? as usize);
        text.is_char_boundary(prompt_bytes).then_some(())?;
        let ending = *ENDINGS.get(number(5)? as usize)?;
        let stats = Stats { tokens: ids.len() as u32, words: number(6)?, ..Stats::default() };
        // No worker of this visit holds it.
        let begun = Begun { number: 0, settings, model, is_continued: number(4)? != 0 };
        let (run, stats) = (RunState::Ended(ending), Some(stats));
        Some(SavedText { text, prompt_bytes, begun, ids, run, stats, remark: None })
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
        self.inside.begin(u32::MAX);
        self.ids.set_value(ids);
        self.text.set(Some(begun));
        self.stats.set(stats);
        self.remark.set(remark);
        self.run.set(run);
        self.text_has_ended();
        self.repaint();
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
        if self.run.get_untracked() == RunState::Writing {
            // The worker goes on until it hears of Stop, past what was shown.
            self.held.set_value(0);
        }
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
