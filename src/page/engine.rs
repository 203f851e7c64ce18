//! The model, as the page sees it: wanted, arriving, ready, and asked.

mod download;
mod own;

use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::kept::Kept;
use super::model::{Model, Wanted, catalog_url, find};
use super::options::Mounted;
use super::programs::Programs;
use super::{fetch, release};
use crate::app::catalog::Entry;
use crate::app::protocol::{Answers, Event, Request, Stored, Task};
use crate::tokenizer::TokenSpan;

/// How often in a row a worker that breaks is replaced without being asked to.
const RESTARTS: u32 = 3;

/// The tokens of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// How many there are.
    pub count: u32,
    /// The first of them.
    pub first: Vec<TokenSpan>,
}

type Listener = Rc<dyn Fn(u32, Event)>;

/// A handle to the model in the worker.
#[derive(Clone, Copy)]
pub struct Engine {
    /// The model.
    pub model: RwSignal<Model>,
    /// What computes.
    pub backend: RwSignal<Option<String>>,
    /// What went wrong beside runs and downloads, as a sentence; until the next run.
    pub mishap: RwSignal<Option<String>>,
    /// What the reader should know of the download, as sentences.
    pub notices: RwSignal<Vec<String>>,
    /// What the browser's storage holds, once that was asked for.
    pub stored: RwSignal<Option<Stored>>,
    /// The models of the reader's own that it holds, as far as the page remembers.
    pub kept: Kept,
    mounted: Mounted,
    /// The catalog's id of the model that is wanted.
    id: RwSignal<Option<String>>,
    wanted: StoredValue<Wanted>,
    /// The tokens of the text that was counted last.
    pub tokens: RwSignal<Option<Tokens>>,
    bridge: StoredValue<Option<Rc<Programs>>, LocalStorage>,
    restarts: StoredValue<u32>,
    loads: StoredValue<u32>,
    newest_run: StoredValue<u32>,
    newest_text: StoredValue<u32>,
    /// The model of the reader's own that was opened last: its id, its files, and what the reader says of them.
    source: StoredValue<Option<(String, Array, Answers)>, LocalStorage>,
    listeners: StoredValue<BTreeMap<u32, Listener>, LocalStorage>,
}

impl Engine {
    /// An engine that has started nothing.
    pub fn new(mounted: Mounted) -> Self {
        let engine = Engine {
            model: RwSignal::new(Model::Absent),
            backend: RwSignal::new(None),
            mishap: RwSignal::new(None),
            notices: RwSignal::new(Vec::new()),
            stored: RwSignal::new(None),
            kept: Kept::remembered(mounted),
            mounted,
            id: RwSignal::new(None),
            wanted: StoredValue::new(Wanted::default()),
            tokens: RwSignal::new(None),
            bridge: StoredValue::new_local(None),
            restarts: StoredValue::new(0),
            loads: StoredValue::new(0),
            newest_run: StoredValue::new(0),
            newest_text: StoredValue::new(0),
            source: StoredValue::new_local(None),
            listeners: StoredValue::new_local(BTreeMap::new()),
        };
        let program = mounted.options().engine.clone();
        engine.bridge.set_value(Some(Programs::new(&program, move |event| engine.receive(event))));
        engine
    }

    /// Loads the model of this id, unless it is there or on its way.
    pub fn want(self, id: &str) {
        let is_wanted = self.id.with_untracked(|wanted| wanted.as_deref() == Some(id));
        if !is_wanted {
            self.wanted.set_value(Wanted::default());
            self.id.set(Some(id.to_string()));
        }
        // What waits for the reader's word is looked up anew: another tab may have fetched it.
        let model = self.model.get_untracked();
        if !is_wanted || matches!(model, Model::Absent | Model::Asking { .. } | Model::Failed(_)) {
            self.restarts.set_value(0);
            self.load();
        }
    }

    /// What has become of the model of this id.
    pub fn model_of(self, id: &str) -> Model {
        let is_wanted = self.id.with(|wanted| wanted.as_deref() == Some(id));
        if is_wanted { self.model.get() } else { Model::Absent }
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
        self.mishap.set(None);
        self.newest_run.update_value(|run| *run += 1);
        let run = self.newest_run.get_value();
        self.listeners.update_value(|listeners| drop(listeners.insert(run, Rc::new(listener))));
        self.send_with(request(run), files);
        run
    }

    /// Has the tokens of a text counted; a run goes on meanwhile. The answer to a text before it no longer counts.
    pub fn tokenize(self, text: String) {
        self.newest_text.update_value(|number| *number += 1);
        self.send(Request::Tokenize { number: self.newest_text.get_value(), text });
    }

    /// Sends a request that begins no run.
    pub fn send(self, request: Request) {
        self.send_with(request, Array::new());
    }

    fn send_with(self, request: Request, files: Array) {
        if let Some(bridge) = self.bridge.get_value() {
            bridge.send(request, files);
        }
    }

    fn load(self) {
        let Some(id) = self.id.get_untracked() else { return };
        self.notices.set(Vec::new());
        if self.load_own(&id) {
            return;
        }
        self.model.set(Model::AWAITED);
        if let Some(bridge) = self.bridge.get_value() {
            bridge.open();
        }
        if let Some(entry) = self.wanted.with_value(|wanted| wanted.entry.clone()) {
            return self.send_load(entry);
        }
        self.loads.update_value(|loads| *loads += 1);
        let this = self.loads.get_value();
        spawn_local(async move {
            let found = find(self.mounted, &id).await;
            if this != self.loads.get_value() {
                return;
            }
            match found {
                Ok(entry) => self.send_load(entry),
                Err(sentence) => self.fail(sentence),
            }
        });
    }

    fn send_load(self, entry: Entry) {
        self.wanted.update_value(|wanted| wanted.entry = Some(entry.clone()));
        self.model.set(match entry.bytes {
            0 => Model::Opening,
            total => Model::Downloading { received: 0, total, bytes_per_second: None, again: None },
        });
        let consent = self.wanted.with_value(|wanted| wanted.consent);
        self.send(Request::Load {
            entry,
            catalog_url: catalog_url(self.mounted),
            policy: self.mounted.options().transfer,
            consent,
        });
    }

    fn receive(self, event: Event) {
        match event {
            Event::Ready { backend } => self.backend.set(backend),
            Event::Asking { host, received, total } => self.model.set(Model::Asking { host, received, total }),
            Event::Waiting => self.model.set(Model::Waiting),
            Event::Downloading { received, total, bytes_per_second } => self.model.update(|model| {
                let again = match model {
                    // Until something new comes, what went wrong is what the reader should know.
                    Model::Downloading { received: before, again, .. } if *before == received => again.take(),
                    _ => None,
                };
                *model = Model::Downloading { received, total, bytes_per_second, again };
            }),
            Event::Retrying { reason, delay_ms } => self.retrying(reason, delay_ms),
            Event::Paused { received, total } => self.model.set(Model::Paused { received, total }),
            Event::Cancelled => self.cancelled(),
            Event::Notice(sentence) => self.notices.update(|notices| {
                if !notices.contains(&sentence) {
                    notices.push(sentence);
                }
            }),
            Event::Stored(stored) => {
                self.kept.set(&stored);
                self.stored.set(Some(stored));
            }
            Event::NotHere => self.model.set(Model::NotHere),
            Event::Opening => self.model.set(Model::Opening),
            // One that was wanted before the reader went to another is of no use any more.
            Event::Loaded(summary) if !self.id.with_untracked(|id| id.as_ref() == Some(&summary.id)) => {}
            Event::Loaded(summary) => {
                self.restarts.set_value(0);
                self.model.set(Model::Loaded(summary));
            }
            Event::Failed { task: Task::Load, message } => self.fail(message),
            Event::Failed { task: Task::Storage, message } => self.mishap.set(Some(message)),
            Event::Started { run, .. } | Event::Text { run, .. } | Event::Verifying { run, .. } => {
                self.deliver(run, event, false);
            }
            Event::Importing { run, .. } | Event::Exporting { run, .. } => self.deliver(run, event, false),
            Event::Inspected { run, .. } | Event::Imported { run, .. } => self.deliver(run, event, true),
            Event::Exported { run, .. } => self.deliver(run, event, true),
            Event::Done { run, .. } | Event::Benched { run, .. } => self.deliver(run, event, true),
            Event::Verified { run, .. } | Event::Interrupted { run } => self.deliver(run, event, true),
            Event::Failed { task: Task::Run(run), .. } => self.deliver(run, event, true),
            Event::Tokenized { number, count, tokens } => {
                if number == self.newest_text.get_value() {
                    self.tokens.set(Some(Tokens { count, first: tokens }));
                }
            }
            Event::Panicked { message } => self.recover(&message),
            // Between the workers.
            Event::ToFetch { .. } | Event::Converted { .. } | Event::Fetched { .. } | Event::Kept { .. } => {}
        }
    }

    /// The model could not be had, perhaps because its files have gone with their release.
    fn fail(self, sentence: String) {
        self.model.set(Model::Failed(sentence));
        spawn_local(release::look_for_release());
    }

    /// Events of runs that are over find no listener.
    fn deliver(self, run: u32, event: Event, is_last: bool) {
        let listener = self.listeners.with_value(|listeners| listeners.get(&run).cloned());
        if is_last {
            self.listeners.update_value(|listeners| drop(listeners.remove(&run)));
        }
        if let Some(listener) = listener {
            listener(run, event);
        }
    }

    /// The worker is gone: says so to the run it ended, and loads the model into a new one.
    fn recover(self, reason: &str) {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = format!("What computes broke down ({reason}) and was started again; your texts are kept.");
        if self.listeners.with_value(BTreeMap::is_empty) && matches!(self.model.get_untracked(), Model::Loaded(_)) {
            self.mishap.set(Some(message.clone()));
        }
        for (run, listener) in self.listeners.try_update_value(std::mem::take).unwrap_or_default() {
            listener(run, Event::Failed { task: Task::Run(run), message: message.clone() });
        }
        self.restarts.update_value(|restarts| *restarts += 1);
        if self.restarts.get_value() > RESTARTS {
            return self.model.set(Model::Failed(format!("The model could not be started: {reason}. Try again.")));
        }
        self.model.set(Model::AWAITED);
        spawn_local(async move {
            let policy = self.mounted.options().transfer;
            fetch::sleep(policy.delay_ms.saturating_mul(self.restarts.get_value() - 1)).await;
            self.load();
        });
    }
}
