//! The models of the reader's own that the browser keeps, remembered by the page: asking the worker for them would
//! start it where nobody needs it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

use super::options::Mounted;
use crate::app::own::is_own;
use crate::app::protocol::Stored;

/// Name in the browser's storage: a line for each model, its id and, after a space, its name.
const KEY: &str = "peargpt:models";

/// A handle to the list of ids and names.
#[derive(Clone, Copy)]
pub struct Kept {
    list: RwSignal<Vec<(String, String)>>,
    mounted: Mounted,
}

impl Kept {
    /// As the page knew it last.
    pub fn remembered(mounted: Mounted) -> Self {
        let storage = mounted.options().storage.clone();
        let text = storage.and_then(|storage| storage.get_item(KEY).ok()?).unwrap_or_default();
        let pair = |line: &str| line.split_once(' ').map(|(id, title)| (id.to_string(), title.to_string()));
        Kept { list: RwSignal::new(text.lines().filter_map(pair).collect()), mounted }
    }

    /// As the worker has found it.
    pub fn set(self, stored: &Stored) {
        let own = stored.models.iter().filter(|model| is_own(&model.id));
        let list: Vec<_> = own.filter_map(|model| Some((model.id.clone(), model.title.clone()?))).collect();
        let lines: Vec<String> = list.iter().map(|(id, title)| format!("{id} {title}")).collect();
        if let Some(storage) = &self.mounted.options().storage {
            // Where nothing is remembered the models are found by their addresses.
            storage.set_item(KEY, &lines.join("\n")).ok();
        }
        self.list.set(list);
    }

    /// Ids and names.
    pub fn list(self) -> Vec<(String, String)> {
        self.list.get()
    }

    /// What the model of this id is called, if it is kept.
    pub fn title(self, id: &str) -> Option<String> {
        self.list.with(|list| list.iter().find(|(kept, _)| kept == id).map(|(_, title)| title.clone()))
    }
}

/// Asks the browser not to clear what is stored here when room gets scarce; some then ask the reader.
pub fn ask_to_keep() {
    let storage = window().navigator().storage();
    // Plain http has none, which the bindings do not know.
    if !storage.is_undefined()
        && let Ok(answer) = storage.persist()
    {
        // What the answer is changes nothing.
        spawn_local(async move { drop(JsFuture::from(answer).await) });
    }
}
