//! Other tokens are taken, parts of the model are switched off: the text is written anew from there.

use leptos::prelude::*;

use super::super::phase::RunState;
use super::super::sentence;
use super::Writing;
use crate::app::permalink::Address;
use crate::app::protocol::{Event, Request};
use crate::generation::{Settings, Take};
use crate::model::Part;

/// Characters of an address at most: longer ones break in mails and chats.
const LONGEST_ADDRESS: usize = 2000;

impl Writing {
    /// Takes these tokens from this position on, and has the text written anew from there.
    pub fn take(self, position: u32, ids: Vec<u32>) {
        let Some(settings) = self.settings_of_text() else { return };
        let taken = (position..).zip(ids).map(|(position, id)| Take { position, id });
        let before = settings.take.iter().copied().filter(|take| take.position < position);
        let settings = Settings { take: before.chain(taken).collect(), ..settings };
        if self.is_too_long(&settings) {
            let problem = "So many tokens cannot be taken: the address of the text would be too long.";
            return self.inside.problem.set(Some(problem.to_string()));
        }
        self.write_fork(settings);
    }

    /// The same with a text that the model's tokenizer cuts into tokens.
    pub fn take_text(self, position: u32, text: String) {
        let inside = self.inside;
        self.engine.begin(
            move |run| Request::Encode { run, text },
            move |_, event| match event {
                Event::Encoded { ids: Ok(ids), .. } => self.take(position, ids),
                Event::Encoded { ids: Err(message), .. } => inside.problem.set(Some(sentence(&message))),
                _ => {}
            },
        );
    }

    fn is_too_long(self, settings: &Settings) -> bool {
        let address = untrack(|| self.permalink());
        let address = Address { settings: settings.clone(), ..address };
        settings.take.len() > 1 && address.to_string().len() > LONGEST_ADDRESS
    }

    /// Whether a part of the model is switched off in the text that stands there.
    pub fn is_off(self, part: Part) -> bool {
        self.with_settings_of_text(|settings| settings.off.contains(&part))
    }

    /// What is said of a text that is written with parts missing.
    pub fn off_sentence(self) -> Option<String> {
        let missing = self.with_settings_of_text(|settings| settings.off.len());
        match missing {
            0 => None,
            1 => Some("This text is written with a part of the model missing.".to_string()),
            missing => Some(format!("This text is written with {missing} parts of the model missing.")),
        }
    }

    /// Switches a part of the model off, or on again, and has the text written anew.
    pub fn switch(self, part: Part) {
        let Some(mut settings) = self.settings_of_text() else { return };
        match settings.off.iter().position(|off| *off == part) {
            Some(index) => drop(settings.off.remove(index)),
            None => {
                let place = settings.off.partition_point(|off| *off < part);
                settings.off.insert(place, part);
            }
        }
        if self.run.get_untracked() != RunState::Writing {
            self.write_again(settings);
        }
    }
}
