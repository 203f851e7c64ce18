//! How the weights come: begun, interrupted, tried again, ended.

use leptos::prelude::*;

use super::super::agreed::remember;
use super::super::kept::ask_to_keep;
use super::super::model::ModelState;
use super::Engine;
use crate::app::protocol::Request;

impl Engine {
    /// Fetches the model that is wanted, from wherever the reader was told, or goes on with that.
    pub fn fetch(self) {
        let entry = self.loading.wanted.try_update_value(|wanted| {
            wanted.consent = true;
            wanted.entry.clone()
        });
        if let Some(entry) = entry.flatten().filter(|entry| entry.hub_files().is_none()) {
            remember(self.mounted, &entry.id, true);
        }
        ask_to_keep();
        self.load();
    }

    /// Interrupts the download; [`fetch`](Self::fetch) goes on with it.
    pub fn pause(self) {
        self.send(Request::Pause);
    }

    /// Ends the download and forgets what has come of it.
    pub fn cancel(self) {
        if let Some(id) = self.loading.id.get_untracked() {
            self.failure.set(None);
            self.send(Request::Cancel { id });
        }
    }

    /// Nothing is fetched any more before the reader says so.
    pub(super) fn cancelled(self) {
        let entry = self.loading.wanted.try_update_value(|wanted| {
            wanted.consent = false;
            wanted.entry.clone()
        });
        let Some(entry) = entry.flatten() else { return };
        remember(self.mounted, &entry.id, false);
        let url = entry.hub_files().and_then(|files| web_sys::Url::new(&files.weights.url).ok());
        let host = url.map(|url| url.hostname()).unwrap_or_default();
        self.loading.model.set(ModelState::Asking { host, received: 0, total: entry.bytes });
    }
}
