//! Texts survive a reload of the page: the tab remembers them, and forgets them when it is closed.

use js_sys::{Array, JSON};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;

use super::super::js::listen;
use super::Writing;
use super::saved::SavedText;

/// Characters that are remembered for one model at most; browsers grant a site some five million.
const MOST: usize = 2_000_000;

impl Writing {
    /// Remembers the texts whenever the page may be gone next.
    pub(super) fn remember_on_leaving(self) {
        for event in ["pagehide", "visibilitychange"] {
            listen(self.bar.mounted, event, move |_: JsValue| self.remember());
        }
    }

    /// Remembers the texts of this model, the newest first; of many, as many as there is room for.
    pub(super) fn remember(self) {
        let Some(storage) = self.bar.mounted.options().session.clone() else { return };
        let key = self.session_key();
        let mut texts = self.earlier.get_untracked();
        let shown = self.saved();
        // The first one is what is shown, even if that is nothing.
        let mut list = vec![shown.as_ref().map_or(JsValue::NULL, |text| self.packed(text))];
        texts.reverse();
        list.extend(texts.iter().map(|text| self.packed(text)));
        while !list.is_empty() {
            let json = JSON::stringify(&list.iter().collect::<Array>()).map(String::from);
            if json.is_ok_and(|json| json.len() <= MOST && storage.set_item(&key, &json).is_ok()) {
                return;
            }
            list.pop();
        }
    }

    /// Shows what the tab remembers of this model.
    pub(super) fn recover(self) {
        let Some(storage) = self.bar.mounted.options().session.clone() else { return };
        let json = storage.get_item(&self.session_key()).ok().flatten();
        let list = json.and_then(|json| JSON::parse(&json).ok()).filter(Array::is_array).map(|list| Array::from(&list));
        // What another version of the page remembered may be unreadable.
        let mut texts = list.into_iter().flat_map(|list| list.to_vec()).map(|text| SavedText::unpack(&text));
        let shown = texts.next().flatten();
        let mut earlier: Vec<SavedText> = texts.flatten().collect();
        earlier.reverse();
        self.earlier.set(earlier);
        if let Some(shown) = shown {
            self.show(shown);
        }
    }

    fn packed(self, text: &SavedText) -> JsValue {
        text.pack(untrack(|| self.route.get()))
    }

    fn session_key(self) -> String {
        format!("peargpt:texts:{}", untrack(|| self.id()))
    }
}
