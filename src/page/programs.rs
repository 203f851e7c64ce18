//! The two workers as one: hands each request to the one that carries it out, and what the converter has made to the
//! engine. The converter is started on demand, and ended once nothing is left for it to do.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::Array;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Blob, Url};

use super::bridge::Bridge;
use super::fetch;
use crate::app::catalog::Entry;
use crate::app::protocol::{
    Event, FileLocation, GgufFile, ModelFile, ModelSummary, Program, Request, Task, TransferPolicy,
};
use crate::app::threads::Threads;

/// Milliseconds for which an exported file is there. The page has the browser store it at once, and no browser that has
/// begun with that asks for it again.
const EXPORTED_MS: u32 = 60_000;

/// Owner of both workers.
pub struct Programs {
    report: Box<dyn Fn(Event)>,
    engine: Rc<Bridge>,
    converter: Rc<Bridge>,
    state: RefCell<State>,
    /// How many threads are to compute what is opened.
    threads: Box<dyn Fn() -> Threads>,
}

/// What goes on between the two.
#[derive(Default)]
struct State {
    /// The file of the model that is open or being opened, with its bytes where they are not in storage.
    model: Option<(ModelFile, Option<Blob>)>,
    /// The model of the catalog that was wanted last.
    load: Option<(Entry, String, TransferPolicy)>,
    /// Whether the converter fetches it, or has been interrupted in that.
    is_fetched: bool,
    /// The import whose model is to be opened.
    import: Option<u32>,
    /// What the engine opens for an import.
    opening: Option<Opening>,
    /// Requests that the converter has not answered yet.
    runs: Vec<u32>,
    /// How many models it is to store.
    keeps: u32,
    /// Address of the file that was exported last.
    exported: Option<String>,
}

/// A model that the engine opens for an import. Its file's hash may become known before it is open, or after.
struct Opening {
    run: u32,
    file: Option<GgufFile>,
    summary: Option<ModelSummary>,
}

impl Opening {
    fn of(run: u32) -> Self {
        Opening { run, file: None, summary: None }
    }

    /// The open model under its hash, once both are there.
    fn named(&mut self) -> Option<ModelSummary> {
        let GgufFile { id, sha256, .. } = self.file.clone()?;
        Some(ModelSummary { id, sha256, ..self.summary.take()? })
    }
}

impl State {
    /// The import of this number has come to nothing.
    fn forget_opening(&mut self, run: u32) {
        self.opening.take_if(|opening| opening.run == run);
        self.import.take_if(|import| *import == run);
    }
}

impl Programs {
    /// Both, neither of them started yet; `engine` is the name of that program in the release. A worker that breaks, in
    /// whatever way, ends what it was busy with; of the engine [`Event::Panicked`] says so.
    pub fn new(engine: &str, threads: impl Fn() -> Threads + 'static, report: impl Fn(Event) + 'static) -> Rc<Self> {
        Rc::new_cyclic(|owner: &Weak<Programs>| {
            let bridge = |program, receive: fn(&Programs, Event, Array)| {
                let owner = owner.clone();
                Bridge::new(program, engine, move |event, files| {
                    if let Some(programs) = owner.upgrade() {
                        receive(&programs, event, files);
                    }
                })
            };
            Programs {
                report: Box::new(report),
                engine: bridge(Program::Engine, Programs::hear_engine),
                converter: bridge(Program::Converter, Programs::hear_converter),
                state: RefCell::default(),
                threads: Box::new(threads),
            }
        })
    }

    /// Starts the engine, if it is not there.
    pub fn open(&self) {
        self.engine.open();
    }

    /// Sends a request with the files that it brings.
    pub fn send(&self, request: Request, files: Array) {
        match request {
            Request::Load { ref entry, ref catalog_url, policy, .. } => {
                self.leave(&entry.id);
                self.let_go();
                let load = (entry.clone(), catalog_url.clone(), policy);
                let model = ModelFile::Catalog { entry: load.0.clone(), catalog_url: load.1.clone(), policy };
                let mut state = self.state.borrow_mut();
                (state.load, state.model) = (Some(load), Some((model, None)));
                drop(state);
                self.engine.send(&request, files);
            }
            Request::Import { run, .. } => {
                let mut state = self.state.borrow_mut();
                (state.import, state.is_fetched) = (Some(run), false);
                state.runs.push(run);
                drop(state);
                self.converter.send(&request, files);
            }
            Request::Inspect { run, .. } => {
                self.state.borrow_mut().runs.push(run);
                self.converter.send(&request, files);
            }
            Request::Export { run, .. } | Request::Publish { run, .. } => {
                self.let_go();
                self.state.borrow_mut().runs.push(run);
                let (model, files) = self.model();
                self.converter.send(&request.with_model(model), files);
            }
            Request::Keep { .. } => {
                self.state.borrow_mut().keeps += 1;
                let (model, files) = self.model();
                self.converter.send(&request.with_model(model), files);
            }
            Request::StopConverting => {
                if self.converter.is_open() {
                    self.converter.send(&request, files);
                }
            }
            Request::Pause | Request::Cancel { .. } if self.state.borrow().is_fetched => {
                self.converter.send(&request, files);
            }
            _ => self.engine.send(&request, files),
        }
    }

    /// Has the engine open anew what is open; `false` where that is not known.
    pub fn reopen(&self) -> bool {
        let threads = (self.threads)();
        match self.state.borrow().model.clone() {
            Some((ModelFile::Catalog { entry, catalog_url, policy }, _)) => {
                let request = Request::Load { entry, catalog_url, policy, consent: true, threads };
                self.engine.send(&request, Array::new());
            }
            Some((ModelFile::Gguf(file), blob)) => {
                let request = Request::Open { run: None, file, threads };
                self.engine.send(&request, blob.into_iter().collect());
            }
            None => return false,
        }
        true
    }

    /// The file of the model that is open.
    fn model(&self) -> (Option<ModelFile>, Array) {
        match self.state.borrow().model.clone() {
            Some((model, blob)) => (Some(model), blob.into_iter().collect()),
            None => (None, Array::new()),
        }
    }

    /// The model of this id is wanted: what the converter does for another one ends.
    fn leave(&self, id: &str) {
        let mut state = self.state.borrow_mut();
        let is_another = state.load.as_ref().is_some_and(|(entry, ..)| entry.id != id);
        let has_import = state.import.take().is_some();
        state.opening = None;
        let has_fetch = is_another && std::mem::take(&mut state.is_fetched);
        drop(state);
        if (has_import || has_fetch) && self.converter.is_open() {
            self.converter.send(&Request::StopConverting, Array::new());
        }
    }

    fn hear_engine(&self, event: Event, _: Array) {
        match event {
            Event::ToFetch { id } => self.fetch(&id),
            Event::Imported { run, summary } => self.open_is(run, |opening| opening.summary = Some(summary)),
            Event::Failed { task: Task::Run(run), .. } => {
                self.state.borrow_mut().forget_opening(run);
                self.done(run, event);
            }
            Event::Panicked { .. } => {
                let mut state = self.state.borrow_mut();
                (state.import, state.opening) = (None, None);
                drop(state);
                (self.report)(event);
            }
            event => (self.report)(event),
        }
    }

    /// Has the converter fetch the model that is wanted, if it is this one.
    fn fetch(&self, id: &str) {
        let Some((entry, catalog_url, policy)) = self.state.borrow().load.clone() else { return };
        if entry.id == id {
            self.state.borrow_mut().is_fetched = true;
            self.converter.send(&Request::Fetch { entry, catalog_url, policy }, Array::new());
        }
    }

    fn hear_converter(&self, event: Event, files: Array) {
        let blob = files.get(0);
        let blob = (!blob.is_undefined()).then(|| blob.unchecked_into::<Blob>());
        match event {
            Event::Ready { .. } => {}
            Event::Runs { run, file } => self.open_early(run, file, blob),
            Event::Converted { run, file } => self.open_converted(run, file, blob),
            Event::Fetched { file } => self.open_fetched(file, blob),
            Event::Kept { file } => self.kept(file),
            Event::Exported { run, name, .. } => {
                let url = blob.map(|blob| address(&blob)).unwrap_or_default();
                self.state.borrow_mut().exported = Some(url.clone());
                self.done(run, Event::Exported { run, url, name });
            }
            Event::Inspected { run, .. } => {
                // What has been looked at is mostly opened then.
                self.state.borrow_mut().runs.retain(|other| *other != run);
                (self.report)(event);
            }
            Event::Interrupted { run } | Event::Failed { task: Task::Run(run), .. } => {
                self.state.borrow_mut().forget_opening(run);
                self.done(run, event);
            }
            Event::Cancelled => {
                self.state.borrow_mut().is_fetched = false;
                (self.report)(event);
                self.end_converter();
            }
            Event::Panicked { message } => self.fail_all(&message),
            Event::Importing { .. } | Event::Exporting { .. } | Event::Stored(_) => (self.report)(event),
            Event::Failed { task: Task::Storage, .. } => (self.report)(event),
            // How weights come; those that are only exported have come before.
            event if self.state.borrow().is_fetched => (self.report)(event),
            // Of a model that is not wanted any more: nothing is left to do, unless something else has begun.
            Event::Paused { .. } => self.end_converter(),
            _ => {}
        }
    }

    /// Has the engine open a file that runs as it is, before its hash is known.
    fn open_early(&self, run: u32, file: GgufFile, blob: Option<Blob>) {
        let mut state = self.state.borrow_mut();
        if state.import == Some(run) {
            (state.model, state.opening) = (None, Some(Opening::of(run)));
            drop(state);
            self.let_go();
            let threads = (self.threads)();
            self.engine.send(&Request::Open { run: Some(run), file, threads }, blob.into_iter().collect());
        }
    }

    /// Has the engine open what was made of files, unless it does so already, or another model has been wanted since.
    fn open_converted(&self, run: u32, file: GgufFile, blob: Option<Blob>) {
        let mut state = self.state.borrow_mut();
        if state.import != Some(run) {
            drop(state);
            return self.done(run, Event::Interrupted { run });
        }
        state.import = None;
        state.model = Some((ModelFile::Gguf(file.clone()), blob.clone()));
        let is_new = state.opening.as_ref().is_none_or(|opening| opening.run != run);
        if is_new {
            state.opening = Some(Opening::of(run));
        }
        drop(state);
        if is_new {
            self.let_go();
            let (file, threads) = (file.clone(), (self.threads)());
            self.engine.send(&Request::Open { run: Some(run), file, threads }, blob.into_iter().collect());
        }
        self.open_is(run, |opening| opening.file = Some(file));
    }

    /// Notes what is known of the model that is being opened for an import, and tells the page once that is all.
    fn open_is(&self, run: u32, note: impl FnOnce(&mut Opening)) {
        let mut state = self.state.borrow_mut();
        let Some(opening) = state.opening.as_mut().filter(|opening| opening.run == run) else {
            drop(state);
            return self.done(run, Event::Interrupted { run });
        };
        note(opening);
        let Some(summary) = opening.named() else { return };
        state.opening = None;
        drop(state);
        self.done(run, Event::Imported { run, summary });
    }

    /// Has the engine open what was fetched, from storage or from memory.
    fn open_fetched(&self, file: GgufFile, blob: Option<Blob>) {
        let mut state = self.state.borrow_mut();
        let is_wanted = std::mem::take(&mut state.is_fetched);
        let Some((entry, catalog_url, policy)) = state.load.clone().filter(|_| is_wanted) else { return };
        if blob.is_some() {
            state.model = Some((ModelFile::Gguf(file.clone()), blob.clone()));
        }
        drop(state);
        let threads = (self.threads)();
        match blob {
            Some(blob) => self.engine.send(&Request::Open { run: None, file, threads }, Array::of1(&blob)),
            None => {
                self.engine.send(&Request::Load { entry, catalog_url, policy, consent: true, threads }, Array::new());
            }
        }
        self.end_converter();
    }

    /// A model has been stored, or has not.
    fn kept(&self, file: Option<GgufFile>) {
        let mut state = self.state.borrow_mut();
        state.keeps = state.keeps.saturating_sub(1);
        if let (Some(file), Some((ModelFile::Gguf(open), blob))) = (file, &mut state.model)
            && open.id == file.id
            && file.location == FileLocation::Kept
        {
            (*open, *blob) = (file, None);
        }
        drop(state);
        self.end_converter();
    }

    /// Has the browser forget the file that was exported last.
    fn let_go(&self) {
        if let Some(url) = self.state.borrow_mut().exported.take() {
            // An address that is none any more is no error.
            drop(Url::revoke_object_url(&url));
        }
    }

    fn done(&self, run: u32, event: Event) {
        self.state.borrow_mut().runs.retain(|other| *other != run);
        (self.report)(event);
        self.end_converter();
    }

    /// Ends the converter where nothing is left for it to do.
    fn end_converter(&self) {
        let state = self.state.borrow();
        let is_busy = !state.runs.is_empty() || state.keeps > 0 || state.is_fetched;
        drop(state);
        if !is_busy {
            self.converter.close();
        }
    }

    /// The converter is gone.
    fn fail_all(&self, reason: &str) {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = format!("The converter crashed ({reason}). Try again.");
        let State { runs, keeps, is_fetched, .. } = {
            let mut state = self.state.borrow_mut();
            let (model, load) = (state.model.take(), state.load.take());
            std::mem::replace(&mut *state, State { model, load, ..State::default() })
        };
        let tasks = runs.into_iter().map(Task::Run);
        let tasks = tasks.chain((keeps > 0).then_some(Task::Storage)).chain(is_fetched.then_some(Task::Load));
        tasks.for_each(|task| (self.report)(Event::Failed { task, message: message.clone() }));
    }
}

/// An address of a file, for some time.
fn address(blob: &Blob) -> String {
    let Ok(url) = Url::create_object_url_with_blob(blob) else { return String::new() };
    let held = url.clone();
    spawn_local(async move {
        fetch::sleep(EXPORTED_MS).await;
        // An address that is none any more is no error.
        drop(Url::revoke_object_url(&held));
    });
    url
}
