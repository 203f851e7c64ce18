//! Texts survive a reload of the page: the tab remembers them, and forgets them when it is closed.

use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::Serializer;

use super::super::js::{from_json, listen};
use super::Writing;
use super::saved::SavedText;

/// Characters that are remembered for one model at most; browsers grant a site some five million.
const MOST: usize = 2_000_000;

/// What the tab remembers of the writing with one model.
#[derive(Default, Serialize, Deserialize)]
struct Session {
    /// The text that was shown.
    shown: Option<SavedText>,
    /// Those before it.
    earlier: Vec<SavedText>,
}

impl Writing {
    /// Remembers the texts whenever the page may be gone next.
    pub(super) fn remember_on_leaving(self) {
        for event in ["pagehide", "visibilitychange"] {
            listen(self.bar.mounted, event, move |_: JsValue| self.remember());
        }
    }

    /// Remembers the texts of this model; of many, the newest.
    pub(super) fn remember(self) {
        let Some(storage) = self.bar.mounted.options().session.clone() else { return };
        let mut session = Session { shown: self.saved(), earlier: self.earlier.get_untracked() };
        let key = self.session_key();
        if session.shown.is_none() && session.earlier.is_empty() {
            storage.remove_item(&key).ok();
            return;
        }
        while let Some(json) = session.json() {
            // What the tab has no room for is lost with the page, as it would be without it.
            if json.len() <= MOST && storage.set_item(&key, &json).is_ok() || session.earlier.is_empty() {
                return;
            }
            session.earlier.remove(0);
        }
    }

    /// Shows what the tab remembers of this model.
    pub(super) fn recover(self) {
        let Some(storage) = self.bar.mounted.options().session.clone() else { return };
        let json = storage.get_item(&self.session_key()).ok().flatten();
        // What an earlier version of the page remembered may be unreadable.
        let Some(session) = json.and_then(|json| from_json::<Session>(&json).ok()) else { return };
        // A run of this visit may have the number of one of the last.
        let forget = |mut text: SavedText| {
            text.begun.number = 0;
            text
        };
        self.earlier.set(session.earlier.into_iter().map(forget).collect());
        if let Some(shown) = session.shown {
            self.show(forget(shown));
        }
    }

    fn session_key(self) -> String {
        format!("peargpt:texts:{}", untrack(|| self.id()))
    }
}

impl Session {
    fn json(&self) -> Option<String> {
        let value = self.serialize(&Serializer::json_compatible()).ok()?;
        js_sys::JSON::stringify(&value).ok()?.dyn_into::<js_sys::JsString>().ok().map(String::from)
    }
}
