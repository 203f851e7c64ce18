//! Stretches of the text that are shown otherwise, by the CSS Custom Highlight API: the text stays text, without elements. A
//! browser without it shows the text alone.

use std::collections::BTreeMap;

use leptos::wasm_bindgen::prelude::*;
use web_sys::Range;

#[wasm_bindgen]
extern "C" {
    type Highlight;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<Highlight, JsValue>;

    #[wasm_bindgen(method)]
    fn add(this: &Highlight, range: &Range);

    #[wasm_bindgen(js_namespace = ["CSS", "highlights"], js_name = set, catch)]
    fn set_highlight(name: &str, highlight: &Highlight) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = ["CSS", "highlights"], js_name = delete, catch)]
    fn delete_highlight(name: &str) -> Result<bool, JsValue>;
}

/// The name of a kind of highlight, and its level: `surprise-1`.
pub type Level = (&'static str, u8);

/// Collects stretches of the text by level, and shows them in the place of those before.
#[derive(Default)]
pub struct Painter {
    ranges: BTreeMap<Level, Vec<Range>>,
}

impl Painter {
    /// Adds a stretch.
    pub fn add(&mut self, level: Level, range: Range) {
        self.ranges.entry(level).or_default().push(range);
    }

    /// Shows all of this kind that has so many levels, from 1.
    pub fn show(self, kind: &'static str, levels: u8) {
        for level in 1..=levels {
            let name = format!("{kind}-{level}");
            let shown = self.ranges.get(&(kind, level)).and_then(|ranges| {
                let highlight = Highlight::new().ok()?;
                ranges.iter().for_each(|range| highlight.add(range));
                set_highlight(&name, &highlight).ok()
            });
            if shown.is_none() {
                delete_highlight(&name).ok();
            }
        }
    }
}
