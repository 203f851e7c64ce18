//! The model, as the page sees it: wanted, arriving, ready, and asked.

mod count;
mod download;
mod library;
mod loading;
mod own;
mod runs;
mod turns;

use std::rc::Rc;

use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::agreed::has_agreed;
use super::model::{ModelState, WantedModel, catalog_url, find};
use super::options::Mounted;
use super::programs::Programs;
use super::thread_choice::ThreadChoice;
use super::{fetch, release};
use crate::app::catalog::Entry;
use crate::app::protocol::{Event, Request, Task};
use count::Count;
pub use count::Tokens;
use library::Library;
pub use loading::HandedFiles;
use loading::Loading;
use runs::Runs;

/// How often in a row a worker that breaks is replaced without being asked to.
const RESTARTS: u32 = 3;

/// A handle to the models and the workers that run them.
#[derive(Clone, Copy)]
pub struct Engine {
    /// What computes.
    pub backend: RwSignal<Option<String>>,
    /// The model that is wanted.
    pub loading: Loading,
    /// What the browser's storage holds.
    pub library: Library,
    /// The tokens of what is typed.
    pub count: Count,
    /// The run of the text that is being written.
    pub writing: RwSignal<Option<u32>>,
    /// What went wrong beside runs and downloads, as a sentence; until the next run.
    pub failure: RwSignal<Option<String>>,
    /// How many threads compute.
    pub threads: ThreadChoice,
    runs: Runs,
    programs: StoredValue<Option<Rc<Programs>>, LocalStorage>,
    mounted: Mounted,
}

impl Engine {
    /// An engine that has started nothing.
    pub fn new(mounted: Mounted) -> Self {
        let engine = Engine {
            backend: RwSignal::new(None),
            loading: Loading::new(),
            library: Library::new(mounted),
            count: Count::new(),
            writing: RwSignal::new(None),
            failure: RwSignal::new(None),
            threads: ThreadChoice::remembered(mounted),
            runs: Runs::new(),
            programs: StoredValue::new_local(None),
            mounted,
        };
        let program = mounted.options().engine.clone();
        let threads = engine.threads;
        let programs = Programs::new(&program, move || threads.threads(), move |event| engine.receive(event));
        engine.programs.set_value(Some(programs));
        engine.take_turns();
        engine.follow_threads();
        engine
    }

    /// Starts the worker, which says what computes.
    pub fn start(self) {
        if let Some(programs) = self.programs.get_value() {
            programs.open();
        }
    }

    /// Loads the model of this id, unless it is there or on its way. What another model writes or fetches is waited for.
    pub fn want(self, id: &str) {
        self.want_from(id, false);
    }

    /// The same, but nothing is fetched: what is not stored is [`ModelState::Asking`].
    pub fn want_stored(self, id: &str) {
        self.want_from(id, true);
    }

    fn want_from(self, id: &str, is_only_stored: bool) {
        let is_wanted = self.is_wanted(id);
        if !is_wanted && self.must_wait() {
            return self.loading.next.set(Some(id.to_string()));
        }
        self.loading.next.set(None);
        if !is_wanted {
            self.loading.wanted.set_value(WantedModel::default());
            self.loading.id.set(Some(id.to_string()));
        }
        self.loading.wanted.update_value(|wanted| wanted.is_only_stored = is_only_stored);
        // What waits for the reader's word is looked up anew: another tab may have fetched it.
        let model = self.loading.model.get_untracked();
        if !is_wanted || matches!(model, ModelState::Absent | ModelState::Asking { .. } | ModelState::Failed(_)) {
            self.loading.restarts.set_value(0);
            self.load();
        }
    }

    fn is_wanted(self, id: &str) -> bool {
        self.loading.id.with_untracked(|wanted| wanted.as_deref() == Some(id))
    }

    /// What has become of the model of this id.
    pub fn model_of(self, id: &str) -> ModelState {
        if self.loading.id.with(|wanted| wanted.as_deref() == Some(id)) {
            return self.loading.model.get();
        }
        match self.loading.next.with(|next| next.as_deref() == Some(id)) {
            true => ModelState::Behind(self.turn_sentence()),
            false => ModelState::Absent,
        }
    }

    /// Sends the request of a new run, and hands that run's number and each of its events to `listener`. The worker
    /// ends the run before it.
    pub fn begin(self, request: impl FnOnce(u32) -> Request, listener: impl Fn(u32, Event) + 'static) -> u32 {
        self.begin_with(Array::new(), request, listener)
    }

    /// The same, with the files that the request brings.
    pub fn begin_with(
        self,
        files: Array,
        request: impl FnOnce(u32) -> Request,
        listener: impl Fn(u32, Event) + 'static,
    ) -> u32 {
        self.failure.set(None);
        let run = self.runs.begin(listener);
        self.send_with(request(run), files);
        run
    }

    /// Has the tokens of a text counted; a run goes on meanwhile. The answer to a text before it no longer counts.
    pub fn tokenize(self, text: String) {
        self.send(Request::Tokenize { number: self.count.ask(), text });
    }

    /// Sends a request that begins no run.
    pub fn send(self, request: Request) {
        self.send_with(request, Array::new());
    }

    fn send_with(self, request: Request, files: Array) {
        if let Some(programs) = self.programs.get_value() {
            programs.send(request, files);
        }
    }

    fn load(self) {
        let Some(id) = self.loading.id.get_untracked() else { return };
        self.loading.notices.set(Vec::new());
        if self.load_own(&id) {
            return;
        }
        self.loading.model.set(ModelState::AWAITED);
        self.start();
        if let Some(entry) = self.loading.wanted.with_value(|wanted| wanted.entry.clone()) {
            return self.send_load(entry);
        }
        self.loading.lookups.update_value(|lookups| *lookups += 1);
        let this = self.loading.lookups.get_value();
        spawn_local(async move {
            let found = find(self.mounted, id).await;
            if this != self.loading.lookups.get_value() {
                return;
            }
            match found {
                Ok(entry) => self.send_load(entry),
                Err(sentence) => self.fail(sentence),
            }
        });
    }

    /// Opens the model anew where another number of threads is to compute it: between two runs.
    fn follow_threads(self) {
        Effect::new(move |_| {
            let ModelState::Loaded(summary) = self.loading.model.get() else { return };
            let wanted = self.threads.wanted(&summary.shape, summary.threads);
            let is_as_wanted = wanted.is_none_or(|wanted| wanted == summary.threads);
            if is_as_wanted || !self.runs.are_over() || !release::why_one_thread().is_empty() {
                return;
            }
            if self.programs.get_value().is_some_and(|programs| programs.reopen()) {
                self.loading.model.set(ModelState::Opening);
            }
        });
    }

    fn send_load(self, entry: Entry) {
        self.loading.wanted.update_value(|wanted| wanted.entry = Some(entry.clone()));
        self.loading.model.set(match entry.bytes {
            0 => ModelState::Opening,
            total => ModelState::Downloading { received: 0, total, bytes_per_second: None, again: None },
        });
        let asks = self.mounted.options().transfer.asks && !has_agreed(self.mounted, &entry);
        let is_agreed = entry.hub_files().is_none() && !asks;
        let consent = self.loading.wanted.with_value(|wanted| !wanted.is_only_stored && (is_agreed || wanted.consent));
        self.send(Request::Load {
            entry,
            catalog_url: catalog_url(self.mounted),
            policy: self.mounted.options().transfer,
            consent,
            threads: self.threads.threads(),
        });
    }

    fn receive(self, event: Event) {
        if let Event::Loaded(summary) = &event {
            self.backend.set(Some(summary.backend.clone()));
        }
        let Some(event) = self.loading.take(event) else { return };
        match event {
            Event::Ready { backend } => self.backend.set(backend),
            Event::Measured(speeds) => self.threads.note(speeds),
            Event::Cancelled => self.cancelled(),
            Event::Stored(stored) => self.library.set(stored),
            Event::Tokenized { number, count, tokens } => self.count.answer(number, count, tokens),
            Event::Failed { task: Task::Load, message } => self.fail(message),
            Event::Failed { task: Task::Storage, message } => self.failure.set(Some(message)),
            Event::Panicked { message } => self.recover(&message),
            event => self.deliver(event),
        }
    }

    /// The model could not be had, perhaps because its files have gone with their release.
    fn fail(self, sentence: String) {
        self.loading.model.set(ModelState::Failed(sentence));
        spawn_local(release::look_for_release());
    }

    /// Events of runs.
    fn deliver(self, event: Event) {
        match event {
            Event::Started { run, .. }
            | Event::Text { run, .. }
            | Event::Forked { run, .. }
            | Event::Looking { run, .. }
            | Event::Verifying { run, .. }
            | Event::Importing { run, .. }
            | Event::Exporting { run, .. } => self.runs.deliver(run, event, false),
            Event::Inspected { run, .. }
            | Event::Imported { run, .. }
            | Event::Exported { run, .. }
            | Event::Done { run, .. }
            | Event::Read { run }
            | Event::Seen { run, .. }
            | Event::Marked { run, .. }
            | Event::Encoded { run, .. }
            | Event::Benched { run, .. }
            | Event::Verified { run, .. }
            | Event::Interrupted { run }
            | Event::Failed { task: Task::Run(run), .. } => self.runs.deliver(run, event, true),
            // Those of the model and of storage have been taken; others go between the workers.
            _ => {}
        }
    }

    /// The worker is gone: says so to the run it ended, and loads the model into a new one.
    fn recover(self, reason: &str) {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = format!("The engine crashed ({reason}) and was restarted. Your text is kept.");
        if self.runs.is_empty() && matches!(self.loading.model.get_untracked(), ModelState::Loaded(_)) {
            self.failure.set(Some(message.clone()));
        }
        self.runs.fail(&message);
        self.loading.restarts.update_value(|restarts| *restarts += 1);
        if self.loading.restarts.get_value() > RESTARTS {
            return self
                .loading
                .model
                .set(ModelState::Failed(format!("The model could not be started: {reason}. Try again.")));
        }
        self.loading.model.set(ModelState::AWAITED);
        spawn_local(async move {
            let policy = self.mounted.options().transfer;
            fetch::sleep(policy.delay_ms.saturating_mul(self.loading.restarts.get_value() - 1)).await;
            self.load();
        });
    }
}
