//! The models of the reader's own that the browser keeps, remembered by the page: asking the worker for them would
//! start it where nobody needs it.

use leptos::prelude::*;
use web_sys::Storage;

use crate::app::own::is_own;
use crate::app::protocol::Stored;

/// Name in the browser's storage: a line for each model, its id and, after a space, its name.
const KEY: &str = "peargpt:models";

/// A handle to the list of ids and names.
#[derive(Clone, Copy)]
pub struct Kept(RwSignal<Vec<(String, String)>>);

impl Kept {
    /// As the page knew it last.
    pub fn remembered() -> Self {
        let text = storage().and_then(|storage| storage.get_item(KEY).ok()?).unwrap_or_default();
        let pair = |line: &str| line.split_once(' ').map(|(id, title)| (id.to_string(), title.to_string()));
        Kept(RwSignal::new(text.lines().filter_map(pair).collect()))
    }

    /// As the worker has found it.
    pub fn set(self, stored: &Stored) {
        let own = stored.models.iter().filter(|model| is_own(&model.id));
        let list: Vec<_> = own.filter_map(|model| Some((model.id.clone(), model.title.clone()?))).collect();
        let lines: Vec<String> = list.iter().map(|(id, title)| format!("{id} {title}")).collect();
        if let Some(storage) = storage() {
            // Where nothing is remembered the models are found by their addresses.
            storage.set_item(KEY, &lines.join("\n")).ok();
        }
        self.0.set(list);
    }

    /// Ids and names.
    pub fn list(self) -> Vec<(String, String)> {
        self.0.get()
    }

    /// What the model of this id is called, if it is kept.
    pub fn title(self, id: &str) -> Option<String> {
        self.0.with(|list| list.iter().find(|(kept, _)| kept == id).map(|(_, title)| title.clone()))
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok()?
}
