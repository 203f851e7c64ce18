//! What a page is told when it is mounted, so that it asks the document for nothing.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{EventTarget, HtmlElement, HtmlLinkElement, Storage, Url};

use crate::app::protocol::TransferPolicy;
use crate::app::site::Site;

/// What differs from page to page.
#[derive(Clone, Debug)]
pub struct Options {
    /// Absolute URL that the addresses of the site's files are relative to.
    pub base: String,
    /// What the site is called, and which model is its home.
    pub site: Site,
    /// How views are addressed.
    pub router: Router,
    /// Where the reader's choices are remembered, if anywhere.
    pub storage: Option<Storage>,
    /// Where the texts of this tab are remembered, if anywhere.
    pub session: Option<Storage>,
    /// Where keys and dropped files are heard; the root where nothing is said.
    pub listener: Option<EventTarget>,
    /// The style sheet of the dark colours, which the switch turns on and off.
    pub dark: Option<HtmlLinkElement>,
    /// The engine's program in the release.
    pub engine: String,
    /// How many threads compute where the reader has not said; `None` for as many as are fastest.
    pub threads: Option<u32>,
    /// How weights and the catalog are fetched.
    pub transfer: TransferPolicy,
    /// What the ids of elements begin with: another for each page of a document.
    pub prefix: String,
}

/// How views are addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Router {
    /// By the address bar, behind its `#`; the title of the document follows.
    AddressBar,
    /// In memory, beginning with this address, `#/peargpt?words=50`; the document is left as it is.
    Memory(String),
}

/// A handle to the options of the page that stands here.
#[derive(Clone, Copy)]
pub struct Mounted(StoredValue<(Rc<Options>, HtmlElement), LocalStorage>);

impl Mounted {
    /// Tells everything that is drawn in this owner.
    pub fn provide(options: Options, root: HtmlElement) -> Self {
        let mounted = Mounted(StoredValue::new_local((Rc::new(options), root)));
        provide_context(mounted);
        mounted
    }

    /// The page that is being drawn.
    pub fn here() -> Self {
        expect_context()
    }

    /// Its options.
    pub fn options(self) -> Rc<Options> {
        self.0.with_value(|(options, _)| Rc::clone(options))
    }

    /// The element that it is drawn into.
    pub fn root(self) -> HtmlElement {
        self.0.with_value(|(_, root)| root.clone())
    }

    /// Where keys and dropped files are heard.
    pub fn listener(self) -> EventTarget {
        self.options().listener.clone().unwrap_or_else(|| self.root().unchecked_into())
    }

    /// The absolute form of an address relative to the base.
    pub fn absolute(self, relative: &str) -> String {
        let base = &self.options().base;
        Url::new_with_base(relative, base).map_or_else(|_| relative.to_string(), |url| url.href())
    }

    /// An id that no other page of the document has.
    pub fn id(self, name: &str) -> String {
        format!("{}{name}", self.options().prefix)
    }

    /// The first element within the page that a selector finds.
    pub fn find(self, selector: &str) -> Option<HtmlElement> {
        self.root().query_selector(selector).ok().flatten()?.dyn_into().ok()
    }

    /// Whether the address bar and the document's title are this page's.
    pub fn has_address_bar(self) -> bool {
        self.options().router == Router::AddressBar
    }
}
