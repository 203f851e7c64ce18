//! Writing: what is asked for, and what has become of it. Lives as long as the page, whichever view stands there.

mod address;
mod continuation;
mod held;
mod look;
mod paint;
mod saved;
mod seed;
mod session;
mod take;

use leptos::logging::error;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;

pub use self::held::Version;
use self::saved::SavedText;
use super::address_bar::AddressBar;
use super::controls;
use super::engine::Engine;
use super::form::Form;
use super::model::ModelState;
use super::models::ModelPage;
use super::output::Output;
use super::phase::{Phase, RunState};
use super::seen::Inside;
use crate::app::estimate;
use crate::app::permalink::{Address, MODEL_DIGITS, Route};
use crate::app::protocol::{Event, ModelSummary, Request, Stats};
use crate::app::typed;
use crate::generation::{Settings, StopReason, Window};

/// How a text was begun, and what became of it since: all that is needed to repeat it.
#[derive(Clone, Debug, PartialEq)]
struct Begun {
    /// The number of the run that began it; 0 where that was in an earlier visit.
    number: u32,
    /// The settings, with the seed.
    settings: Settings,
    /// The weights, as addresses name them.
    model: Option<String>,
    /// Whether it was continued.
    is_continued: bool,
}

/// A handle to the writing with one model.
#[derive(Clone, Copy)]
pub struct Writing {
    /// The model.
    pub engine: Engine,
    /// What is asked for.
    pub form: Form,
    /// What has become of it.
    pub run: RwSignal<RunState>,
    /// Its numbers.
    pub stats: RwSignal<Option<Stats>>,
    /// Whether anything is written.
    pub has_text: RwSignal<bool>,
    /// The button that gets the focus from one that was pressed, once it can be pressed.
    pub next_focus: StoredValue<Option<&'static str>>,
    /// How many tokens of the prompt, or of a text that is continued, are read before the first one is written; `None`
    /// after that.
    pub reading: RwSignal<Option<u32>>,
    /// What the reader should know of the run.
    pub remark: RwSignal<Option<String>>,
    /// What is looked at.
    pub inside: Inside,
    /// The step of the tour that the address names.
    pub tour: RwSignal<Option<usize>>,
    /// Whether a text is about to go on otherwise, which can still be refused.
    forks: StoredValue<bool>,
    /// Whether what is coloured of the text is about to be drawn anew.
    repaints: StoredValue<bool>,
    /// The seed that was drawn last, and whether a text was begun with it.
    drawn: RwSignal<(String, bool)>,
    /// The texts of this visit beside the one that stands there, the oldest first.
    pub earlier: RwSignal<Vec<SavedText>>,
    /// Whether the newest of them was cleared, and no other was begun since.
    was_cleared: RwSignal<bool>,
    /// The text that the next one takes the place of, once it begins.
    replaced: StoredValue<Option<SavedText>>,
    /// The tokens that were drawn for the text that stands there.
    ids: StoredValue<Vec<u32>>,
    /// The number of the text that the worker can continue; 0 if there is none.
    held: StoredValue<u32>,
    /// How the text that stands there was begun.
    text: RwSignal<Option<Begun>>,
    /// The weights that the reader's address asked for.
    pub asked_model: RwSignal<Option<String>>,
    /// The weights that the page's address names.
    named_model: RwSignal<Option<String>>,
    /// The model, as its page presents it.
    pub about: &'static ModelPage,
    route: RwSignal<Route>,
    bar: AddressBar,
    output: StoredValue<Output, LocalStorage>,
    /// The number of the run whose events count.
    number: StoredValue<u32>,
}

impl Writing {
    /// The writing with a model.
    pub fn new(engine: Engine, bar: AddressBar, about: &'static ModelPage) -> Self {
        let route = about.route();
        let writing = Writing {
            engine,
            form: Form::new(&route, bar.mounted.options().site.settings(&route)),
            run: RwSignal::new(RunState::None),
            stats: RwSignal::new(None),
            has_text: RwSignal::new(false),
            next_focus: StoredValue::new(None),
            reading: RwSignal::new(None),
            remark: RwSignal::new(None),
            inside: Inside::new(),
            tour: RwSignal::new(None),
            forks: StoredValue::new(false),
            repaints: StoredValue::new(false),
            drawn: RwSignal::default(),
            earlier: RwSignal::default(),
            was_cleared: RwSignal::new(false),
            replaced: StoredValue::new(None),
            ids: StoredValue::default(),
            held: StoredValue::new(0),
            text: RwSignal::new(None),
            asked_model: RwSignal::new(None),
            named_model: RwSignal::new(None),
            about,
            route: RwSignal::new(route),
            bar,
            output: StoredValue::new_local(Output::default()),
            number: StoredValue::new(0),
        };
        writing.recover();
        writing.remember_on_leaving();
        Effect::new(move |_| writing.follow_bar());
        Effect::new(move |previous: Option<Address>| writing.write_bar(previous));
        Effect::new(move |_| writing.follow_model());
        writing
    }

    /// Puts the focus on a control.
    pub fn focus(self, name: &str) {
        controls::focus(self.bar.mounted, name);
    }

    /// Starts loading the model, unless it is there.
    pub fn open(self) {
        match untrack(|| self.id()) {
            id if id.is_empty() => {}
            id => self.engine.want(&id),
        }
    }

    /// What has become of the model.
    pub fn model(self) -> ModelState {
        self.engine.model_of(&self.id())
    }

    /// What the page knows of the model, once it is loaded.
    pub fn summary(self) -> Option<ModelSummary> {
        match self.model() {
            ModelState::Loaded(summary) => Some(summary),
            _ => None,
        }
    }

    /// The weights that are loaded, as addresses name them.
    pub fn loaded_model(self) -> Option<String> {
        self.summary().map(|summary| summary.sha256.chars().take(MODEL_DIGITS).collect())
    }

    /// What the page shows.
    pub fn phase(self) -> Phase {
        match (self.run.get(), self.model()) {
            (RunState::Failed(_), _) | (_, ModelState::Failed(_)) => Phase::Failed,
            (_, ModelState::Absent | ModelState::NotHere | ModelState::Behind(_)) => Phase::Idle,
            (_, ModelState::Asking { .. }) => Phase::Asking,
            (_, ModelState::Downloading { .. } | ModelState::Waiting) => Phase::Downloading,
            (_, ModelState::Paused { .. }) => Phase::Paused,
            (_, ModelState::Opening) => Phase::Loading,
            (RunState::Writing, ModelState::Loaded(_)) => Phase::Generating,
            (RunState::Ended(StopReason::Stopped), ModelState::Loaded(_)) => Phase::Stopped,
            (RunState::Ended(_), ModelState::Loaded(_)) => Phase::Done,
            (RunState::None | RunState::Waiting, ModelState::Loaded(_)) => Phase::Ready,
        }
    }

    /// Whether there is something to stop.
    pub fn is_busy(self) -> bool {
        matches!(self.run.get(), RunState::Waiting | RunState::Writing)
    }

    /// What went wrong, as a sentence.
    pub fn failure(self) -> Option<String> {
        match (self.run.get(), self.model()) {
            (_, ModelState::Failed(sentence)) | (RunState::Failed(sentence), _) => Some(sentence),
            _ => None,
        }
    }

    /// The characters that the model knows, if it has a vocabulary of characters and is loaded.
    pub fn alphabet(self) -> Option<String> {
        self.summary()?.alphabet
    }

    /// The prompt's characters that the model does not know, each once.
    pub fn unknown(self) -> Vec<char> {
        let Some(alphabet) = self.alphabet() else { return Vec::new() };
        self.form.field("prompt").text.with(|prompt| typed::unknown(prompt, &alphabet))
    }

    /// What the exact window would cost, where it is asked for.
    pub fn exact_estimate(self) -> Option<String> {
        let summary = self.summary()?;
        let settings = self.form.settings();
        // A character is a token; of byte pairs there are fewer than characters.
        let prompt_tokens = u32::try_from(settings.prompt.chars().count()).unwrap_or(u32::MAX);
        let price = estimate::exact(&settings, prompt_tokens, summary.context, summary.vocabulary)?;
        let speed = self.stats.get().map(|stats| stats.tokens_per_second);
        Some(price.sentence(summary.context, speed))
    }

    /// Starts a run, or says what keeps it; waits for the model where it is not there yet.
    pub fn generate(self) {
        if let Some(name) = self.obstacle() {
            if self.run.get_untracked() == RunState::Waiting {
                self.run.set(RunState::None);
            }
            return self.focus(name);
        }
        self.have_seed();
        self.show_output();
        if untrack(|| self.summary()).is_none() {
            self.run.set(RunState::Waiting);
            return self.open();
        }
        let settings = untrack(|| self.form.settings());
        self.drawn.update(|(_, is_used)| *is_used = true);
        self.write(Some(settings.clone()), move |run| Request::Generate { run, settings });
        // A view that begins with a text goes to its heading first, in the next frame.
        request_animation_frame(move || request_animation_frame(move || self.show_output()));
    }

    fn show_output(self) {
        self.with_output(|output| {
            output.show();
            Ok(())
        });
    }

    /// The control that keeps a run from starting; what is wrong with it is said there.
    fn obstacle(self) -> Option<&'static str> {
        let wrong = self.form.wrong().map(|field| field.parameter.name);
        wrong.or_else(|| (!untrack(|| self.unknown()).is_empty()).then_some("prompt"))
    }

    /// Starts another run, with another seed.
    pub fn another(self) {
        self.draw_seed();
        self.generate();
    }

    /// Ends the run, or the wait for it.
    pub fn stop(self) {
        match self.run.get_untracked() {
            RunState::Waiting => self.wait_no_longer(),
            RunState::Writing => self.engine.send(Request::Stop),
            _ => {}
        }
    }

    /// A reader who has left the page is not surprised by a text.
    pub fn wait_no_longer(self) {
        if self.run.get_untracked() == RunState::Waiting {
            self.run.set(RunState::None);
        }
    }

    /// Tries again what failed.
    pub fn retry(self) {
        match self.run.get_untracked() {
            RunState::Failed(_) => self.generate(),
            _ => self.open(),
        }
    }

    /// Does something with the text that is written.
    pub fn with_output<T>(self, act: impl FnOnce(&mut Output) -> Result<T, JsValue>) -> Option<T> {
        let result = self.output.try_update_value(act)?;
        result.map_err(|reason| error!("the text could not be drawn: {reason:?}")).ok()
    }

    /// `fresh` are the settings of a text that starts anew.
    fn write(self, fresh: Option<Settings>, request: impl FnOnce(u32) -> Request) {
        self.replaced.set_value(fresh.as_ref().and_then(|_| self.saved()));
        self.remark.set(None);
        self.reading.set(None);
        let run = self.engine.begin(request, move |run, event| {
            if matches!(event, Event::Done { .. } | Event::Failed { .. }) {
                self.engine.end_writing(run);
            }
            if run == self.number.get_value() {
                self.hear(run, event, fresh.as_ref());
            }
        });
        self.number.set_value(run);
        self.engine.writing.set(Some(run));
        self.run.set(RunState::Writing);
    }

    fn hear(self, run: u32, event: Event, fresh: Option<&Settings>) {
        match event {
            Event::Started { prompt_tokens, read_tokens, .. } => {
                self.started(run, fresh, prompt_tokens, read_tokens);
            }
            Event::Text { delta, ids, marks, stats, .. } => {
                if stats.first_token_ms.is_some() && self.reading.get_untracked().is_some() {
                    self.reading.set(None);
                }
                self.ids.update_value(|drawn| drawn.extend(ids));
                if let Some(rest) = self.with_output(|output| output.append(&delta)).flatten() {
                    let draw = move || {
                        self.with_output(Output::draw_waiting);
                    };
                    set_timeout(draw, rest);
                }
                self.has_text.update(|has_text| *has_text |= !delta.is_empty());
                self.stats.set(Some(stats));
                self.add_marks(marks);
                self.repaint();
            }
            Event::Forked { kept, text, is_continued, .. } => self.forked(kept as usize, &text, is_continued),
            Event::Done { reason, stats, .. } => {
                self.with_output(Output::draw_waiting);
                self.reading.set(None);
                self.stats.set(Some(stats));
                self.run.set(RunState::Ended(reason));
                self.text_has_ended();
            }
            Event::Failed { message, .. } if self.forks.get_value() => self.undo_fork(&message),
            Event::Failed { message, .. } => self.fail(message),
            _ => {}
        }
    }

    fn started(self, run: u32, fresh: Option<&Settings>, prompt_tokens: u32, read_tokens: u32) {
        self.reading.set(Some(read_tokens));
        let Some(settings) = fresh else { return };
        if let Some(replaced) = self.replaced.try_update_value(Option::take).flatten() {
            self.put_away(replaced);
        }
        self.rewrite(&settings.prompt);
        self.was_cleared.set(false);
        self.stats.set(None);
        self.ids.set_value(Vec::new());
        let (model, settings) = (untrack(|| self.loaded_model()), settings.clone());
        self.text.set(Some(Begun { number: run, settings, model: model.clone(), is_continued: false }));
        self.held.set_value(run);
        self.named_model.set(model);
        // They belong to this text.
        for name in ["take", "off"] {
            self.form.field(name).text.set(String::new());
        }
        // Also where no control has changed: what has started need not start again on a reload.
        self.rewrite_bar();
        if read_tokens < prompt_tokens {
            let remark = format!("The prompt has {prompt_tokens} tokens; only the last {read_tokens} fit the context.");
            self.remark.set(Some(remark));
        }
    }

    /// Puts the focus on the text.
    pub fn focus_text(self) {
        if let Some(sheet) = self.bar.mounted.find(".sheet") {
            sheet.focus().ok();
        }
    }

    fn rewrite(self, text: &str) {
        self.with_output(|output| output.begin(text));
        self.has_text.set(!text.is_empty());
        self.inside.begin(text.len() as u32);
        self.repaint();
    }

    /// What happens past the context in the text that stands there, or in the next one.
    pub fn window(self) -> Window {
        let of_text = self.text.with(|text| text.as_ref().map(|text| text.settings.window));
        of_text.unwrap_or_else(|| self.form.settings().window)
    }

    fn follow_model(self) {
        match self.model() {
            ModelState::Loaded(_) if self.run.get_untracked() == RunState::Waiting => self.generate(),
            ModelState::Loaded(_) => {}
            _ => self.held.set_value(0),
        }
    }
}
