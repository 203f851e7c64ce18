//! The address of the view: followed when the reader changes it, written when the reader changes a control.

use std::time::Duration;

use leptos::ev;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::wasm_bindgen::closure::Closure;
use leptos::wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, MouseEvent};

use super::options::{Mounted, Router};
use crate::app::permalink::{Address, AddressError, Route};

/// Typing is written to the bar when it pauses: browsers refuse a hundred writes within half a minute.
const PAUSE: Duration = Duration::from_millis(150);

/// A handle to the address.
#[derive(Clone, Copy)]
pub struct AddressBar {
    /// The address that the reader came to; the page's own writes do not change it.
    pub arrived: RwSignal<(Address, Vec<AddressError>)>,
    /// What stands behind the `#`, where no address bar has it.
    memory: StoredValue<Option<String>>,
    /// The page that it is of.
    pub mounted: Mounted,
    pending: StoredValue<Option<TimeoutHandle>>,
}

impl AddressBar {
    /// Reads the address, now and whenever the reader changes it.
    pub fn new(mounted: Mounted) -> Self {
        let memory = match &mounted.options().router {
            Router::AddressBar => None,
            Router::Memory(address) => Some(address.clone()),
        };
        let arrived = RwSignal::new(parse(mounted, memory.as_deref()));
        let (memory, pending) = (StoredValue::new(memory), StoredValue::new(None));
        let bar = AddressBar { arrived, memory, mounted, pending };
        if mounted.has_address_bar() {
            let listener = window_event_listener(ev::hashchange, move |_| bar.arrived.set(bar.read()));
            on_cleanup(move || listener.remove());
        } else {
            bar.follow_links();
        }
        bar
    }

    /// Goes to another view.
    pub fn go(self, address: &str) {
        if self.mounted.has_address_bar() {
            location().set_hash(address).ok();
        } else {
            self.memory.set_value(Some(address.to_string()));
            self.arrived.set(self.read());
        }
    }

    /// The address as it stands now.
    pub fn read(self) -> (Address, Vec<AddressError>) {
        self.memory.with_value(|memory| parse(self.mounted, memory.as_deref()))
    }

    /// Writes an address soon.
    pub fn write(self, address: Address) {
        let write = move || self.write_now(&address);
        let handle = set_timeout_with_handle(write, PAUSE).ok();
        if let Some(earlier) = self.pending.try_update_value(|pending| std::mem::replace(pending, handle)).flatten() {
            earlier.clear();
        }
    }

    /// Writes an address of the view that stands there; an address of another one comes too late.
    fn write_now(self, address: &Address) {
        let here = self.read().0.route;
        if here.path() != address.route.path() || is_another_model(&here, &address.route) {
            return;
        }
        if !self.mounted.has_address_bar() {
            self.memory.set_value(Some(address.to_string()));
        } else if let Ok(history) = window().history() {
            // A browser that refuses keeps the older address, which is still one of this page.
            history.replace_state_with_url(&JsValue::NULL, "", Some(&address.to_string())).ok();
        }
    }

    /// The whole link to an address, for other people.
    pub fn link(self, address: &Address) -> String {
        let base = self.mounted.absolute("");
        let here = if self.mounted.has_address_bar() { location().href().unwrap_or(base) } else { base };
        let page = here.split('#').next().unwrap_or_default();
        format!("{page}{address}")
    }

    /// Links to views lead there without the address bar.
    fn follow_links(self) {
        let follow = Closure::<dyn FnMut(MouseEvent)>::new(move |event: MouseEvent| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let link = target.and_then(|target| target.closest("a[href^='#/']").ok().flatten());
            if let Some(address) = link.and_then(|link| link.get_attribute("href")) {
                event.prevent_default();
                self.go(&address);
            }
        });
        let root = self.mounted.root();
        root.add_event_listener_with_callback("click", follow.as_ref().unchecked_ref()).ok();
        follow.forget(); // listens as long as the root is there
    }
}

/// Whether two addresses of the reader's own models are of two models.
fn is_another_model(one: &Route, other: &Route) -> bool {
    matches!(one, Route::Own { .. }) && one != other
}

fn parse(mounted: Mounted, memory: Option<&str>) -> (Address, Vec<AddressError>) {
    let hash = memory.map_or_else(|| location().hash().unwrap_or_default(), String::from);
    mounted.options().site.read(&hash)
}
