//! Two pages in one document, as an embedding site mounts them: no id twice, and the document's address and title are left
//! alone.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;

use peargpt::app::protocol::TransferPolicy;
use peargpt::app::site::{Site, WITH_PAGES};
use peargpt::page::{Options, Router, mount};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Document, Element, HtmlElement};

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// What start.js gives the page: no file is where this looks for it.
const RELEASE: &str = "globalThis.peargpt = {
    pathOf: (name) => 'nowhere/' + name,
    integrityOf: () => '',
    lookForRelease: async () => {},
    keepRelease: async () => {},
    whyAlone: () => '',
    bridge: () => ({ isOpen: false, open() {}, close() {}, post() {} }),
};";

fn document() -> Document {
    web_sys::window().unwrap().document().unwrap()
}

fn root() -> HtmlElement {
    let root: HtmlElement = document().create_element("div").unwrap().unchecked_into();
    document().body().unwrap().append_child(&root).unwrap();
    root
}

fn options(prefix: &str, address: &str) -> Options {
    Options {
        base: document().base_uri().unwrap().unwrap(),
        site: Site { offers: WITH_PAGES.map(String::from).to_vec(), ..Site::default() },
        router: Router::Memory(address.to_string()),
        storage: None,
        session: None,
        listener: None,
        dark: None,
        engine: "worker".to_string(),
        threads: None,
        transfer: TransferPolicy { tries: 1, delay_ms: 1, ..TransferPolicy::default() },
        prefix: prefix.to_string(),
    }
}

/// Lets the page draw.
async fn frame() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        web_sys::window().unwrap().request_animation_frame(&resolve).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

fn all(root: &HtmlElement, selector: &str) -> Vec<Element> {
    let select = js_sys::Function::new_with_args("root, selector", "return [...root.querySelectorAll(selector)]");
    let found: js_sys::Array = select.call2(&"".into(), root, &selector.into()).unwrap().unchecked_into();
    found.iter().map(JsCast::unchecked_into).collect()
}

fn heading(root: &HtmlElement) -> String {
    root.query_selector("h1").unwrap().expect("a heading").text_content().unwrap()
}

#[wasm_bindgen_test]
async fn two_pages_stand_in_one_document() {
    js_sys::eval(RELEASE).unwrap();
    let (hash, title) = (web_sys::window().unwrap().location().hash().unwrap(), document().title());
    let [first, second] = [("a-", "#/peargpt?words=7"), ("b-", "#/")].map(|(prefix, address)| {
        let root = root();
        (mount(root.clone(), options(prefix, address)), root)
    });
    frame().await;
    let words = first.1.query_selector("[data-testid=words]").unwrap().expect("the first writes");
    assert_eq!(js_sys::Reflect::get(&words, &"value".into()).unwrap(), "7");
    assert!(second.1.query_selector("[data-testid=words]").unwrap().is_none(), "the second is at home");

    // A link of the second leads there alone.
    let before = heading(&first.1);
    let link = all(&second.1, "a[href='#/model']").remove(0);
    link.unchecked_into::<HtmlElement>().click();
    frame().await;
    assert!(second.1.query_selector("[data-testid=import]").unwrap().is_some());
    assert_eq!(heading(&first.1), before);

    let mut ids = BTreeSet::new();
    for (root, prefix) in [(&first.1, "a-"), (&second.1, "b-")] {
        // Those of pictures are only looked for within them.
        for element in all(root, "[id]:not(svg *)") {
            let id = element.id();
            assert!(id.starts_with(prefix) && ids.insert(id.clone()), "{id} in {prefix}");
        }
        for label in all(root, "label[for]") {
            let id = label.get_attribute("for").unwrap();
            assert!(ids.contains(&id), "a label is for {id}, which is not there");
        }
    }
    assert!(ids.len() > 20, "{} ids", ids.len());
    assert_eq!((web_sys::window().unwrap().location().hash().unwrap(), document().title()), (hash, title));

    // Taken away, nothing of it is left.
    drop(first.0);
    frame().await;
    assert_eq!(first.1.child_element_count(), 0);
    assert!(second.1.child_element_count() > 0);
    drop(second.0);
}
