//! Which model the text is written with, and the address that stands in the bar.

use leptos::prelude::*;

use super::super::phase::RunState;
use super::{Begun, Writing};
use crate::app::permalink::{Address, AddressError, Route};
use crate::app::settings::MOST_TOKENS;
use crate::generation::StopReason;

impl Writing {
    /// Writes what is asked for to the address bar, and thereby removes what it says beside that.
    pub fn rewrite_bar(self) {
        self.bar.write(untrack(|| self.address()));
    }

    /// The catalog's id of the model; of a model of the reader's own, its hash.
    pub fn id(self) -> String {
        match self.route.get() {
            Route::Own { sha256 } => sha256,
            _ => self.about.id.to_string(),
        }
    }

    /// Whether a model is the site's home, whose writing is another.
    fn is_home(self, id: &str) -> bool {
        self.bar.mounted.options().site.is_home(id)
    }

    /// What the model is called.
    pub fn name(self) -> String {
        match self.about.name {
            "" => self.engine.title(&self.id()).unwrap_or_else(|| "Your own model".to_string()),
            name => name.to_string(),
        }
    }

    /// Turns to a model of the reader's own; what was written with another goes.
    pub fn turn_to(self, route: Route) {
        if self.route.get_untracked() != route {
            self.stop();
            self.remember();
            self.empty();
            self.earlier.set(Vec::new());
            self.was_cleared.set(false);
            self.route.set(route);
            self.recover();
        }
    }

    /// The address that asks for what the form asks for.
    pub fn address(self) -> Address {
        let settings = self.form.settings();
        Address {
            route: self.route.get(),
            settings,
            model: self.named_model.get(),
            run: false,
            threads: None,
            look: None,
            tour: None,
        }
    }

    /// The address under which others get the text that stands there, to the byte, or, where there is none, the one that
    /// the form asks for.
    pub fn permalink(self) -> Address {
        if let Some(address) = untrack(|| self.address_of_text()) {
            return address;
        }
        self.have_seed();
        let address = untrack(|| self.address());
        Address { model: untrack(|| self.loaded_model()).or(address.model.clone()), run: true, ..address }
    }

    /// A text is its settings and a number of tokens. Where it ends by itself the settings say so.
    fn address_of_text(self) -> Option<Address> {
        let Begun { mut settings, model, is_continued, .. } = self.text.get()?;
        let ends_itself = matches!(self.run.get(), RunState::Ended(reason) if reason != StopReason::Stopped);
        if is_continued || !ends_itself {
            let tokens = self.stats.get().map_or(0, |stats| stats.tokens);
            settings.tokens = Some(tokens.clamp(1, MOST_TOKENS));
            if self.run.get() != RunState::Ended(StopReason::Sequence) {
                settings.stop.clear(); // with a number of tokens they would only hide one at the end
            }
        }
        let look = self.inside.looked_at().filter(|_| self.inside.is_open.get());
        Some(Address { route: self.route.get(), settings, model, run: true, threads: None, look, tour: None })
    }

    /// The whole of it.
    pub fn link(self) -> String {
        self.bar.link(&self.permalink())
    }

    /// What is wrong with the address that the reader came with.
    pub fn problems(self) -> Vec<AddressError> {
        let (address, problems) = self.bar.arrived.get();
        if address.route == self.route.get() { problems } else { Vec::new() }
    }

    pub(super) fn follow_bar(self) {
        let (address, _) = self.bar.arrived.get();
        match &address.route {
            Route::Own { sha256 } if self.about.name.is_empty() && !sha256.is_empty() && !self.is_home(sha256) => {
                self.turn_to(address.route.clone());
            }
            route if *route != self.route.get_untracked() => return,
            _ => {}
        }
        self.form.fill(&address.settings);
        self.asked_model.set(address.model.clone());
        self.named_model.set(address.model);
        self.inside.wanted.set_value(address.look);
        self.tour.set(address.tour.map(|step| step as usize));
        self.open();
        if address.run {
            self.generate();
        }
    }

    /// The address that the reader came with stands until something changes.
    pub(super) fn write_bar(self, previous: Option<Address>) -> Address {
        let address = self.address();
        if previous.is_some_and(|previous| previous != address) {
            self.bar.write(address.clone());
        }
        address
    }
}
