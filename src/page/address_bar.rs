//! The address bar: followed when the reader changes it, written when the reader changes a control.

use std::time::Duration;

use leptos::ev;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;

use crate::app::permalink::{Address, AddressError};

/// Typing is written to the bar when it pauses: browsers refuse a hundred writes within half a minute.
const PAUSE: Duration = Duration::from_millis(150);

/// A handle to the address bar.
#[derive(Clone, Copy)]
pub struct AddressBar {
    /// The address that the reader came to; the page's own writes do not change it.
    pub arrived: RwSignal<(Address, Vec<AddressError>)>,
    pending: StoredValue<Option<TimeoutHandle>>,
}

impl AddressBar {
    /// Reads the address, now and whenever the reader changes it.
    pub fn new() -> Self {
        let bar = AddressBar { arrived: RwSignal::new(read()), pending: StoredValue::new(None) };
        window_event_listener(ev::hashchange, move |_| bar.arrived.set(read()));
        bar
    }

    /// Writes an address soon.
    pub fn write(self, address: Address) {
        let write = move || self.write_now(&address);
        let handle = set_timeout_with_handle(write, PAUSE).ok();
        if let Some(earlier) = self.pending.try_update_value(|pending| std::mem::replace(pending, handle)).flatten() {
            earlier.clear();
        }
    }

    /// Writes an address of the page that stands there; an address of another page comes too late.
    fn write_now(self, address: &Address) {
        if read().0.route != address.route {
            return;
        }
        if let Ok(history) = window().history() {
            // A browser that refuses keeps the older address, which is still one of this page.
            history.replace_state_with_url(&JsValue::NULL, "", Some(&address.to_string())).ok();
        }
    }
}

/// The whole link to an address, for other people.
pub fn link(address: &Address) -> String {
    let here = location().href().unwrap_or_default();
    let page = here.split('#').next().unwrap_or_default();
    format!("{page}{address}")
}

fn read() -> (Address, Vec<AddressError>) {
    Address::parse(&location().hash().unwrap_or_default())
}
