//! The text that is written. It is appended to the document as it comes, and lines that stand there are never drawn again:
//! the work depends on what is new and on its line, not on how much there is. A line of a hundred thousand letters takes long, so
//! drawing takes at most a third of the time, whatever comes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Reflect;
use leptos::prelude::{document, window};
use leptos::wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlElement, KeyboardEvent, Node, Range, Text};

use super::js::bring_into_view;
use crate::app::speakers;

/// Pixels from the end within which a reader counts as following.
const AT_END: i32 = 8;

/// The prompt and what was written after it.
#[derive(Default)]
pub struct Output {
    text: String,
    /// Length of the prompt in `text`, in bytes.
    given: usize,
    sheet: Option<Sheet>,
}

/// Where the text is drawn: one element per line, each line's newline within it, so that the element's `textContent`
/// is the text.
struct Sheet {
    host: HtmlElement,
    /// Whether names of speakers are set as a play has them.
    is_play: bool,
    line: Option<Line>,
    /// All lines, with the byte of the text at which each begins.
    lines: Vec<(usize, HtmlElement)>,
    /// Bytes that are drawn.
    drawn: usize,
    /// Text that came while drawing had to rest.
    waiting: String,
    /// When drawing may go on, by the page's clock in milliseconds.
    rests_until: f64,
    /// Whether the reader is at the end, and is to stay there.
    follows: Rc<Cell<bool>>,
    on_scroll: Closure<dyn FnMut()>,
    on_key: Closure<dyn FnMut(KeyboardEvent)>,
}

/// The line that is being written.
struct Line {
    element: Element,
    text: String,
    /// The last text node, and whether it belongs to the prompt.
    last: Option<(Text, bool)>,
}

impl Output {
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Starts anew with a prompt, or with nothing.
    pub fn begin(&mut self, prompt: &str) -> Result<(), JsValue> {
        self.text = prompt.to_string();
        self.given = prompt.len();
        self.draw()
    }

    /// Length of what was written after the prompt, in bytes.
    pub fn written_bytes(&self) -> usize {
        self.text.len() - self.given
    }

    /// The whole text, and the length of its prompt in bytes; [`put_back`](Self::put_back) takes both.
    pub fn contents(&self) -> (String, usize) {
        (self.text.clone(), self.given)
    }

    /// Shows a text that was removed.
    pub fn put_back(&mut self, (text, given): (String, usize)) -> Result<(), JsValue> {
        (self.text, self.given) = (text, given);
        self.draw()
    }

    /// Adds text to the end. Returns after which time to call [`draw_waiting`](Self::draw_waiting), if not all of it is drawn
    /// and nobody has been told so yet.
    pub fn append(&mut self, delta: &str) -> Result<Option<Duration>, JsValue> {
        self.text.push_str(delta);
        let Some(sheet) = &mut self.sheet else { return Ok(None) };
        let is_told = !sheet.waiting.is_empty();
        sheet.waiting.push_str(delta);
        match sheet.rests_until - now() {
            ..=0.0 => sheet.write_waiting().map(|()| None),
            rest => Ok((!is_told).then(|| Duration::from_secs_f64(rest / 1000.0))),
        }
    }

    /// Draws all text that has come.
    pub fn draw_waiting(&mut self) -> Result<(), JsValue> {
        self.sheet.as_mut().map_or(Ok(()), Sheet::write_waiting)
    }

    /// Draws the text into `host`, and from now on what is added.
    pub fn attach(&mut self, host: HtmlElement, is_play: bool) -> Result<(), JsValue> {
        self.sheet = Some(Sheet::new(host, is_play)?);
        self.draw()
    }

    /// Draws no more; the text is kept.
    pub fn detach(&mut self) {
        self.sheet = None;
    }

    /// Brings the text into view, where a small screen shows only the controls.
    pub fn show(&self) {
        if let Some(sheet) = &self.sheet {
            bring_into_view(&sheet.host);
        }
    }

    /// Selects the whole text, for the reader to copy.
    pub fn select(&self) -> Result<(), JsValue> {
        let selection = document().get_selection()?;
        match (selection, &self.sheet) {
            (Some(selection), Some(sheet)) => selection.select_all_children(&sheet.host),
            _ => Ok(()),
        }
    }

    /// These bytes of the text in the document; where they are a part of a character, the whole of it.
    pub fn range(&self, from: usize, to: usize) -> Result<Range, JsValue> {
        let sheet = self.sheet.as_ref().ok_or("the text is not shown")?;
        let (from, to) = (self.text.floor_char_boundary(from), self.text.ceil_char_boundary(to));
        let range = document().create_range()?;
        let ((start, start_at), (end, end_at)) = (sheet.place(self, from, false)?, sheet.place(self, to, true)?);
        range.set_start(&start, start_at)?;
        range.set_end(&end, end_at)?;
        Ok(range)
    }

    /// The bytes of the lines that can be seen.
    pub fn visible(&self) -> std::ops::Range<usize> {
        let Some(sheet) = &self.sheet else { return 0..0 };
        let (top, height) = (sheet.host.scroll_top(), sheet.host.client_height());
        let top_of = |line: &(usize, HtmlElement)| line.1.offset_top() - sheet.host.offset_top();
        let first = sheet.lines.partition_point(|line| top_of(line) + line.1.offset_height() < top);
        let last = sheet.lines.partition_point(|line| top_of(line) < top + height);
        let begin = |line: usize| sheet.lines.get(line).map_or(self.text.len(), |line| line.0);
        begin(first)..begin(last)
    }

    /// The byte of the text that is drawn at this place of the window.
    pub fn byte_at(&self, x: f32, y: f32) -> Option<usize> {
        let sheet = self.sheet.as_ref()?;
        let (node, offset) = caret(x, y)?;
        let line = node.parent_element()?.closest(".line").ok()??;
        let (begin, _) = sheet.lines.iter().find(|(_, element)| element.is_same_node(Some(&line)))?;
        let is_second = node.parent_element()?.previous_sibling().is_some();
        let begin = if is_second { self.given } else { *begin };
        let before: usize = self.text[begin..]
            .chars()
            .scan(0, |units, character| {
                *units += character.len_utf16();
                (*units <= offset as usize).then_some(character.len_utf8())
            })
            .sum();
        Some(begin + before)
    }

    fn draw(&mut self) -> Result<(), JsValue> {
        let Some(sheet) = &mut self.sheet else { return Ok(()) };
        sheet.clear();
        let (prompt, written) = self.text.split_at(self.given);
        sheet.write(prompt, true)?;
        sheet.write(written, false)
    }
}

impl Sheet {
    fn new(host: HtmlElement, is_play: bool) -> Result<Self, JsValue> {
        let follows = Rc::new(Cell::new(true));
        let (on_scroll, on_key) = (on_scroll(&host, &follows), on_key(&host, &follows));
        host.add_event_listener_with_callback("scroll", on_scroll.as_ref().unchecked_ref())?;
        host.add_event_listener_with_callback("keydown", on_key.as_ref().unchecked_ref())?;
        let (waiting, rests_until) = (String::new(), 0.0);
        let (line, lines, drawn) = (None, Vec::new(), 0);
        Ok(Sheet { host, is_play, line, lines, drawn, waiting, rests_until, follows, on_scroll, on_key })
    }

    fn clear(&mut self) {
        self.host.set_text_content(None);
        (self.line, self.drawn) = (None, 0);
        self.lines.clear();
        self.waiting.clear();
        self.follows.set(true);
    }

    /// Draws what waits, and rests for twice as long as that took.
    fn write_waiting(&mut self) -> Result<(), JsValue> {
        let (waiting, began) = (std::mem::take(&mut self.waiting), now());
        self.write(&waiting, false)?;
        let ended = now();
        self.rests_until = ended + 2.0 * (ended - began);
        Ok(())
    }

    fn write(&mut self, text: &str, given: bool) -> Result<(), JsValue> {
        for piece in text.split_inclusive('\n') {
            let mut line = match self.line.take() {
                Some(line) => line,
                None => {
                    let line = Line::new(&self.host)?;
                    self.lines.push((self.drawn, line.element.clone().unchecked_into()));
                    line
                }
            };
            line.push(piece, given)?;
            self.drawn += piece.len();
            if !piece.ends_with('\n') {
                self.line = Some(line);
            } else if self.is_play {
                line.set()?;
            }
        }
        if self.follows.get() {
            self.host.set_scroll_top(self.host.scroll_height());
        }
        Ok(())
    }
}

impl Sheet {
    /// Where a byte of the text stands in the document: a text node and UTF-16 units in it. `is_end` is behind a character
    /// rather than before one.
    fn place(&self, output: &Output, byte: usize, is_end: bool) -> Result<(Node, u32), JsValue> {
        let line = self.lines.partition_point(|(begin, _)| *begin + usize::from(is_end) <= byte).saturating_sub(1);
        let (begin, element) = self.lines.get(line).ok_or("there is no such line")?;
        let given = output.given;
        // A line with the prompt's end has two parts.
        let is_second = *begin < given && byte + usize::from(!is_end) > given;
        let (span, begin) = match is_second {
            true => (element.last_child(), given),
            false => (element.first_child(), *begin),
        };
        let node: Text = span.and_then(|span| span.first_child()).ok_or("the line is empty")?.unchecked_into();
        let before = output.text.get(begin..byte).unwrap_or_default();
        let units = before.encode_utf16().count() as u32;
        // What waits to be drawn is not there yet.
        let units = units.min(node.length());
        Ok((node.into(), units))
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = document, js_name = caretPositionFromPoint, catch)]
    fn caret_position(x: f32, y: f32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = document, js_name = caretRangeFromPoint, catch)]
    fn caret_range(x: f32, y: f32) -> Result<JsValue, JsValue>;
}

/// The text node that is drawn at a place of the window, and UTF-16 units before that place. Browsers have one of two ways.
fn caret(x: f32, y: f32) -> Option<(Node, u32)> {
    let found = caret_position(x, y).ok().filter(|found| found.is_object());
    let (found, node, offset) = match found {
        Some(found) => (found, "offsetNode", "offset"),
        None => (caret_range(x, y).ok().filter(|found| found.is_object())?, "startContainer", "startOffset"),
    };
    let node = Reflect::get(&found, &node.into()).ok()?.dyn_into().ok()?;
    let offset = Reflect::get(&found, &offset.into()).ok()?.as_f64()?;
    Some((node, offset as u32))
}

/// The page's clock, in milliseconds.
fn now() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// A reader who scrolls to the end follows the text, and one who scrolls back does not.
fn on_scroll(host: &HtmlElement, follows: &Rc<Cell<bool>>) -> Closure<dyn FnMut()> {
    let (host, follows) = (host.clone(), follows.clone());
    Closure::new(move || follows.set(host.scroll_top() + host.client_height() + AT_END >= host.scroll_height()))
}

/// The End key goes to the end at once. Browsers scroll there in several frames, and to where the end was at first: the
/// text has gone on by then.
fn on_key(host: &HtmlElement, follows: &Rc<Cell<bool>>) -> Closure<dyn FnMut(KeyboardEvent)> {
    let (host, follows) = (host.clone(), follows.clone());
    Closure::new(move |event: KeyboardEvent| {
        if event.key() == "End" && !event.shift_key() {
            event.prevent_default();
            follows.set(true);
            host.set_scroll_top(host.scroll_height());
        }
    })
}

/// A sheet that is no longer shown listens no longer.
impl Drop for Sheet {
    fn drop(&mut self) {
        let (on_scroll, on_key) = (self.on_scroll.as_ref().unchecked_ref(), self.on_key.as_ref().unchecked_ref());
        self.host.remove_event_listener_with_callback("scroll", on_scroll).ok();
        self.host.remove_event_listener_with_callback("keydown", on_key).ok();
    }
}

impl Line {
    fn new(host: &HtmlElement) -> Result<Self, JsValue> {
        let element = document().create_element("span")?;
        element.set_class_name("line");
        host.append_child(&element)?;
        Ok(Line { element, text: String::new(), last: None })
    }

    fn push(&mut self, piece: &str, given: bool) -> Result<(), JsValue> {
        self.text.push_str(piece);
        match &self.last {
            Some((node, node_given)) if *node_given == given => node.append_data(piece),
            _ => {
                self.last = Some((self.add_node(piece, given)?, given));
                Ok(())
            }
        }
    }

    fn add_node(&self, text: &str, given: bool) -> Result<Text, JsValue> {
        let node = document().create_text_node(text);
        let span = document().create_element("span")?;
        span.set_class_name(if given { "given" } else { "written" });
        span.append_child(&node)?;
        self.element.append_child(&span)?;
        Ok(node)
    }

    /// Sets the whole line as a play has it.
    fn set(&self) -> Result<(), JsValue> {
        match speakers::names_speaker(&self.text) {
            true => self.element.class_list().add_1("speaker"),
            false => Ok(()),
        }
    }
}
