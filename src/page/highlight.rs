//! Stretches of the text that are shown otherwise, by the CSS Custom Highlight API: the text stays text, without elements. A
//! browser without it shows the text alone.

use leptos::wasm_bindgen::prelude::*;
use web_sys::Range;

#[wasm_bindgen]
extern "C" {
    type Highlight;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<Highlight, JsValue>;

    #[wasm_bindgen(method)]
    fn add(this: &Highlight, range: &Range);

    #[wasm_bindgen(method, setter)]
    fn set_priority(this: &Highlight, priority: i32);

    #[wasm_bindgen(js_namespace = ["CSS", "highlights"], js_name = set, catch)]
    fn set_highlight(name: &str, highlight: &Highlight) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = ["CSS", "highlights"], js_name = delete, catch)]
    fn delete_highlight(name: &str) -> Result<bool, JsValue>;
}

/// Collects stretches of the text by level, and shows them in the place of those before.
#[derive(Default)]
pub struct Painter {
    /// By level, from 1.
    ranges: Vec<Vec<Range>>,
}

impl Painter {
    /// Adds a stretch of a level, from 1.
    pub fn add(&mut self, level: u8, range: Range) {
        let level = usize::from(level);
        while self.ranges.len() < level {
            self.ranges.push(Vec::new());
        }
        if let Some(ranges) = self.ranges.get_mut(level.wrapping_sub(1)) {
            ranges.push(range);
        }
    }

    /// Shows all of it as highlights of this kind, which has so many levels: `surprise-1`.
    pub fn show(self, kind: &str, levels: u8) {
        for level in 1..=levels {
            let name = format!("{kind}-{level}");
            let ranges = self.ranges.get(usize::from(level) - 1).filter(|ranges| !ranges.is_empty());
            let shown = ranges.and_then(|ranges| {
                let highlight = Highlight::new().ok()?;
                // The token that is looked at stands above all others.
                highlight.set_priority(i32::from(kind == "chosen"));
                ranges.iter().for_each(|range| highlight.add(range));
                set_highlight(&name, &highlight).ok()
            });
            if shown.is_none() {
                delete_highlight(&name).ok();
            }
        }
    }
}
