//! The text that the worker holds: what can be looked into, and written anew from any token on.

use leptos::prelude::*;

use super::super::phase::RunState;
use super::super::sentence;
use super::saved::SavedText;
use super::{Begun, Writing};
use crate::app::protocol::{At, Event, Request};
use crate::generation::{Settings, StopReason};

/// Characters by which a version is known.
const SHOWN: usize = 28;

/// A version of the text that stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// How many tokens it takes.
    pub depth: usize,
    /// What was changed.
    pub name: String,
    /// Its place among the earlier texts; `None` for the one that stands there.
    pub index: Option<usize>,
}

impl Writing {
    /// Has the worker hold the text that stands there, if it can.
    pub fn hold(self) -> bool {
        if self.run.get() == RunState::Writing || self.is_held() {
            return true;
        }
        let Some(begun) = self.text.get().filter(|_| self.summary().is_some() && !self.is_of_other_weights()) else {
            return false;
        };
        let (settings, ids) = (begun.settings, self.ids.get_value());
        self.read(settings, ids);
        true
    }

    /// The worker writes a text that is none of this writing's.
    pub fn is_held_no_longer(self) {
        self.held.set_value(0);
    }

    fn is_held(self) -> bool {
        let number = self.text.with(|text| text.as_ref().map_or(0, |text| text.number));
        number != 0 && self.held.get_value() == number
    }

    fn read(self, settings: Settings, ids: Vec<u32>) {
        let number = self.engine.begin(
            move |run| Request::Read { run, settings, ids },
            move |_, event| {
                if let Event::Failed { message, .. } = event {
                    self.held.set_value(0);
                    self.inside.problem.set(Some(sentence(&message)));
                }
            },
        );
        self.held.set_value(number);
        self.text.update(|text| {
            if let Some(text) = text {
                text.number = number;
            }
        });
    }

    /// Whether there is no prompt.
    pub fn is_prompt_empty(self) -> bool {
        self.form.field("prompt").text.with(String::is_empty)
    }

    /// Puts the prompt there as a text, of which nothing is written.
    pub fn read_prompt(self) {
        let settings = untrack(|| self.form.settings());
        if settings.prompt.is_empty() || self.obstacle().is_some() || untrack(|| self.summary()).is_none() {
            return self.focus("prompt");
        }
        if let Some(saved) = self.saved() {
            self.put_away(saved);
        }
        self.empty();
        self.rewrite(&settings.prompt);
        let settings = Settings { seed: Some(settings.seed.unwrap_or(0)), take: Vec::new(), ..settings };
        let model = untrack(|| self.loaded_model());
        self.text.set(Some(Begun { number: 0, settings: settings.clone(), model, is_continued: true }));
        self.run.set(RunState::Ended(StopReason::Stopped));
        self.read(settings, Vec::new());
        self.show_output();
        self.text_has_ended();
    }

    /// The settings of the text that stands there.
    pub fn settings_of_text(self) -> Option<Settings> {
        self.text.with_untracked(|text| text.as_ref().map(|text| text.settings.clone()))
    }

    /// Something of them.
    pub fn with_settings_of_text<T: Default>(self, of: impl FnOnce(&Settings) -> T) -> T {
        self.text.with(|text| text.as_ref().map(|text| of(&text.settings)).unwrap_or_default())
    }

    /// Goes on with the text as one that takes other tokens; the version that stands there is kept.
    pub fn write_fork(self, settings: Settings) {
        if untrack(|| self.is_busy()) || !untrack(|| self.hold()) {
            return;
        }
        if let Some(mut saved) = self.saved() {
            saved.begun.number = 0; // the worker goes on with the other version
            self.put_away(saved);
        }
        self.text.update(|text| {
            if let Some(text) = text {
                text.settings = settings.clone();
            }
        });
        self.forks.set_value(true);
        self.write(None, move |run| Request::Fork { run, settings });
    }

    /// The text stays as it was before other tokens were to be taken.
    pub(super) fn undo_fork(self, message: &str) {
        self.forks.set_value(false);
        if let Some(saved) = self.earlier.try_update(Vec::pop).flatten() {
            self.show(saved);
        }
        self.inside.problem.set(Some(sentence(message)));
    }

    /// Writes the text anew with other settings.
    pub fn write_again(self, settings: Settings) {
        let request = settings.clone();
        self.write(Some(settings), move |run| Request::Generate { run, settings: request });
    }

    /// The text goes on behind these tokens, of which this is the text.
    pub(super) fn forked(self, kept: usize, text: &str, is_continued: bool) {
        self.forks.set_value(false);
        let looked_at = untrack(|| self.inside.looked_at());
        self.ids.update_value(|ids| ids.truncate(kept));
        self.text.update(|begun| {
            if let Some(begun) = begun {
                begun.is_continued = is_continued;
            }
        });
        let prompt = self.with_settings_of_text(|settings| settings.prompt.clone());
        self.rewrite(&prompt);
        self.with_output(|output| output.append(text).map(drop));
        self.inside.marked_from.set_value(u32::MAX);
        self.inside.wanted.set_value(looked_at);
        self.has_text.set(true);
    }

    /// The versions of the text that stands there, this one among them: texts of the same settings that take other tokens.
    pub fn versions(self) -> Vec<Version> {
        let Some(begun) = self.text.get() else { return Vec::new() };
        self.run.track(); // what is written comes later
        let bare = |begun: &Begun| Settings { take: Vec::new(), ..begun.settings.clone() };
        let shown = self.with_output(|output| Ok(output.text().to_string())).unwrap_or_default();
        let earlier = self.earlier.get();
        let is_version =
            |text: &SavedText| bare(&text.begun) == bare(&begun) && text.begun.settings.take != begun.settings.take;
        let alike = earlier.iter().enumerate().rev().filter(|(_, text)| is_version(text));
        let alike = alike.map(|(index, SavedText { begun, text, .. })| (&begun.settings.take, text, Some(index)));
        let mut versions: Vec<(&Vec<_>, &String, Option<usize>)> = Vec::new();
        for version in alike.chain([(&begun.settings.take, &shown, None)]) {
            let place = versions.partition_point(|(take, _, _)| *take < version.0);
            // Of the same tokens the newest counts.
            if versions.get(place).is_none_or(|(take, _, _)| *take != version.0) {
                versions.insert(place, version);
            }
        }
        let first = versions.first().map_or_else(String::new, |(_, text, _)| text.to_string());
        let version = |(take, text, index): (&Vec<_>, &String, Option<usize>)| {
            let name = if take.is_empty() { "As it was drawn".to_string() } else { named_by(&first, text) };
            Version { depth: take.len(), name, index }
        };
        versions.into_iter().map(version).collect()
    }

    /// Forgets an earlier text.
    pub fn delete(self, index: usize) {
        self.earlier.update(|earlier| {
            if index < earlier.len() {
                earlier.remove(index);
            }
        });
    }

    /// What follows when no more is written.
    pub(super) fn text_has_ended(self) {
        let inside = self.inside;
        if let Some(position) = inside.wanted.try_update_value(Option::take).flatten() {
            self.look(At::Position(position));
        }
        if inside.marks_on.get_untracked() && inside.surprise.get_untracked().is_none() && untrack(|| self.hold()) {
            self.mark_whole();
        }
    }
}

/// The words from which on a text differs from another.
fn named_by(other: &str, text: &str) -> String {
    let same = text.char_indices().zip(other.chars()).find(|((_, one), other)| one != other);
    let differs = same.map_or(text.len().min(other.len()), |((index, _), _)| index);
    let begin = text[..differs].rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let words: String = text[begin..].chars().take(SHOWN).collect();
    format!("“…{}…”", words.split_whitespace().collect::<Vec<_>>().join(" "))
}
