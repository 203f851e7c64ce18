//! A model that learns a text: what is chosen, the trainer's worker, and what it says. Lives as long as the page, whichever
//! view stands there.

use std::rc::Rc;
use std::time::Duration;

use js_sys::Array;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, File, Url};

use super::address_bar::AddressBar;
use super::bridge::Bridge;
use super::engine::{Engine, HandedFiles};
use super::form::Field;
use super::model::{catalog_url, find};
use super::models::PEARGPT;
use super::saving::{save, text_blob};
use super::{fetch, release};
use crate::app::own::is_own;
use crate::app::permalink::{Address, Route};
use crate::app::protocol::{Answers, Event, Program, TrainEvent, TrainRequest};
use crate::app::training::{Answer, PARAMETERS, Phase, Session, TEXT_DIGITS, TrainSettings};

/// Shakespeare's name in the release.
const SHAKESPEARE: &str = "weights/tinyshakespeare.txt";
/// How long the reader has paused where what was typed is read, and what was chosen is measured.
const PAUSE: Duration = Duration::from_millis(500);

/// What the model's file is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To write with it.
    Open,
    /// To save it as a file.
    Save,
}

/// A handle to all of it.
#[derive(Clone, Copy)]
pub struct Training {
    /// What is known of text and run.
    pub session: RwSignal<Session>,
    /// The text's name; empty where it was typed.
    pub title: RwSignal<String>,
    /// The id of the model that is fine-tuned; empty for none.
    pub from: RwSignal<String>,
    /// The models and their workers.
    pub engine: Engine,
    /// One for each of [`PARAMETERS`].
    fields: StoredValue<Vec<Field>>,
    /// The text of an address, as long as no text is here.
    pub wanted_text: RwSignal<Option<String>>,
    bar: AddressBar,
    bridge: StoredValue<Option<Rc<Bridge>>, LocalStorage>,
    text: StoredValue<Option<Blob>, LocalStorage>,
    pending: StoredValue<Option<TimeoutHandle>>,
    purpose: StoredValue<Purpose>,
}

impl Training {
    /// Nothing yet; nothing is started.
    pub fn new(engine: Engine, bar: AddressBar) -> Self {
        let defaults = TrainSettings::default();
        let field = |parameter: &'static crate::app::settings::Parameter| {
            let (text, scratch) = (RwSignal::new(defaults.get(parameter.name)), StoredValue::new(defaults.clone()));
            Field::of(parameter, text, move |text| scratch.get_value().set(parameter.name, text))
        };
        let training = Training {
            session: RwSignal::new(Session::default()),
            title: RwSignal::new(String::new()),
            from: RwSignal::new(String::new()),
            engine,
            fields: StoredValue::new(PARAMETERS.iter().map(field).collect()),
            wanted_text: RwSignal::new(None),
            bar,
            bridge: StoredValue::new_local(None),
            text: StoredValue::new_local(None),
            pending: StoredValue::new(None),
            purpose: StoredValue::new(Purpose::Open),
        };
        let program = bar.mounted.options().engine.clone();
        let bridge = Bridge::new(Program::Trainer, &program, move |event, files| training.hear(event, &files));
        training.bridge.set_value(Some(bridge));
        training
    }

    /// The view is opened: looks for a stored run, and takes what the address says.
    pub fn open(self, settings: &TrainSettings) {
        if !self.is_under_way() {
            self.fill(settings);
            if self.session.with_untracked(|session| session.run.is_none()) {
                self.look();
            }
        }
    }

    /// Looks for a stored run. The worker may be a new one.
    fn look(self) {
        self.send(TrainRequest::Threads(untrack(|| self.engine.threads.exactly())));
        self.send(TrainRequest::Look);
    }

    fn fill(self, settings: &TrainSettings) {
        for field in self.fields() {
            field.text.set(settings.get(field.parameter.name));
        }
        self.from.set(settings.from.clone().unwrap_or_default());
        self.wanted_text.set(settings.text.clone());
    }

    /// One field for each of [`PARAMETERS`] but the text.
    pub fn fields(self) -> Vec<Field> {
        self.fields.get_value()
    }

    /// The field of this name.
    pub fn field(self, name: &str) -> Option<Field> {
        self.fields().into_iter().find(|field| field.parameter.name == name)
    }

    /// What the controls amount to; where one is wrong, its default stands.
    pub fn settings(self) -> TrainSettings {
        let mut settings = TrainSettings::default();
        for field in self.fields().into_iter().filter(|field| field.parameter.name != "text") {
            // What is wrong is said at the field.
            settings.set(field.parameter.name, &field.text.get()).ok();
        }
        let here = self
            .session
            .with_untracked(|session| session.text.here().map(|facts| facts.sha256[..TEXT_DIGITS].to_string()));
        settings.text = here.or_else(|| self.wanted_text.get());
        settings.from = Some(self.from.get()).filter(|id| !id.is_empty());
        settings
    }

    /// The address that asks for the same run.
    pub fn address(self) -> Address {
        Address::of(Route::Train(Box::new(self.settings())))
    }

    /// The whole of it, of the run that there is, or of what is chosen.
    pub fn link(self) -> String {
        let of_run = self.session.with_untracked(|session| session.run.as_ref().map(|run| run.settings.clone()));
        let settings = of_run.unwrap_or_else(|| untrack(|| self.settings()));
        self.bar.link(&Address::of(Route::Train(Box::new(settings))))
    }

    /// Writes what is chosen to the address bar.
    pub fn write_bar(self) {
        self.bar.write(untrack(|| self.address()));
    }

    /// Whether a text is here.
    pub fn has_text(self) -> bool {
        self.session.with_untracked(|session| session.text.here().is_some())
    }

    /// Whether a run takes steps or could.
    pub fn is_under_way(self) -> bool {
        self.session.with_untracked(Session::is_under_way)
    }

    /// Takes what was typed, once the reader pauses.
    pub fn type_text(self, text: String) {
        self.title.set(String::new());
        if text.is_empty() {
            self.text.set_value(None);
            return self.session.update(Session::clear_text);
        }
        self.session.update(Session::await_text);
        self.after_a_pause(move || {
            if let Ok(blob) = text_blob(&text) {
                self.take_text(blob, "mine".to_string());
            }
        });
    }

    /// Takes a file as the text.
    pub fn take_file(self, file: File) {
        let name = file.name();
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_string();
        self.take_text(file.into(), stem);
    }

    /// Fetches Shakespeare.
    pub fn fetch_shakespeare(self) {
        self.session.update(Session::await_text);
        let mounted = self.bar.mounted;
        spawn_local(async move {
            let url = mounted.absolute(&release::path_of(SHAKESPEARE));
            let text = fetch::text(&url, &release::integrity_of(SHAKESPEARE), mounted.options().transfer).await;
            match text.map_err(|reason| format!("The text did not arrive: {reason}")) {
                Ok(text) => match text_blob(&text) {
                    Ok(blob) => self.take_text(blob, "Shakespeare".to_string()),
                    Err(_) => {
                        self.session.update(|session| session.fail_text("There is no memory for the text.".into()))
                    }
                },
                Err(reason) => self.session.update(|session| session.fail_text(reason)),
            }
        });
    }

    fn take_text(self, blob: Blob, title: String) {
        self.title.set(title);
        self.text.set_value(Some(blob));
        self.read();
    }

    /// Has the text read, with the model that is fine-tuned.
    pub fn read(self) {
        self.read_with(None);
    }

    /// The same with that model's file.
    fn read_with(self, model: Option<Blob>) {
        let Some(text) = self.text.get_value() else { return };
        let number = self.session.try_update(Session::ask_for_text).unwrap_or_default();
        let seed = untrack(|| self.settings()).plan.seed;
        let from = Some(self.from.get_untracked()).filter(|id| !id.is_empty());
        let files: Array = [Some(text), model].into_iter().flatten().collect();
        self.send_with(&TrainRequest::Read { number, from, seed }, files);
    }

    /// Fetches the model that is fine-tuned, which is not stored.
    fn fetch_model(self) {
        let (id, mounted) = (self.from.get_untracked(), self.bar.mounted);
        if is_own(&id) {
            let gone = "The model to begin with is not in this browser.".to_string();
            return self.session.update(|session| session.fail_text(gone));
        }
        spawn_local(async move {
            let fetched = async {
                let entry = find(mounted, id).await?;
                let [part] = entry.parts.as_slice() else { return Err("This model cannot be fine-tuned.".to_string()) };
                let url = Url::new_with_base(&part.url, &catalog_url(mounted));
                let url = url.map_or_else(|_| part.url.clone(), |url| url.href());
                fetch::blob(&url, &part.sha256, mounted.options().transfer).await
            };
            match fetched.await {
                Ok(blob) => self.read_with(Some(blob)),
                Err(reason) => self.session.update(|session| session.fail_text(reason)),
            }
        });
    }

    /// The models that can be fine-tuned: ids and names.
    pub fn bases(self) -> Vec<(String, String)> {
        let own = self.engine.library.kept.list();
        let is_here = self.bar.mounted.options().site.has(PEARGPT.id);
        is_here.then(|| (PEARGPT.id.to_string(), PEARGPT.name.to_string())).into_iter().chain(own).collect()
    }

    /// Has the run that is chosen measured, once the reader pauses.
    pub fn measure(self) {
        if self.is_under_way() {
            return;
        }
        self.session.update(|session| session.estimate = Answer::Asked);
        self.after_a_pause(move || {
            if self.has_text() && !self.is_under_way() {
                let number = self.session.try_update(Session::ask_for_estimate).unwrap_or_default();
                self.send(TrainRequest::Measure { number, settings: untrack(|| self.settings()) });
            }
        });
    }

    fn after_a_pause(self, then: impl FnOnce() + 'static) {
        let handle = set_timeout_with_handle(then, PAUSE).ok();
        if let Some(earlier) = self.pending.try_update_value(|pending| std::mem::replace(pending, handle)).flatten() {
            earlier.clear();
        }
    }

    /// Begins the run.
    pub fn start(self) {
        let settings = untrack(|| self.settings());
        self.session.update(Session::begin);
        super::kept::ask_to_keep();
        self.send(TrainRequest::Begin { settings, title: self.title.get_untracked() });
    }

    /// Goes on with the stored run.
    pub fn restore(self) {
        self.session.update(Session::begin);
        self.send(TrainRequest::Restore);
    }

    /// Removes the stored run.
    pub fn discard(self) {
        self.send(TrainRequest::Discard);
        self.send(TrainRequest::Look);
    }

    /// Forgets the run that has ended, so that another one can be chosen.
    pub fn start_over(self) {
        self.session.update(Session::start_over);
        self.look();
        if self.text.with_value(Option::is_some) {
            self.read();
        } else {
            self.session.update(Session::clear_text);
        }
    }

    /// Has the run take no more steps, or take some again.
    pub fn pause_or_resume(self) {
        self.send(match self.session.with_untracked(|session| session.phase == Phase::Paused) {
            true => TrainRequest::Resume,
            false => TrainRequest::Pause,
        });
    }

    /// Sends what steers the run.
    pub fn steer(self, request: TrainRequest) {
        self.send(request);
    }

    /// Opens the model as it is now, to write with it; learning goes on.
    pub fn write_with_it(self) {
        self.purpose.set_value(Purpose::Open);
        self.send(TrainRequest::Model);
    }

    /// Saves the model as it is now as a file.
    pub fn save_model(self) {
        self.purpose.set_value(Purpose::Save);
        self.send(TrainRequest::Model);
    }

    fn send(self, request: TrainRequest) {
        self.send_with(&request, Array::new());
    }

    fn send_with(self, request: &TrainRequest, files: Array) {
        if let Some(bridge) = self.bridge.get_value() {
            bridge.send(request, files);
        }
    }

    fn hear(self, event: Event, files: &Array) {
        match event {
            Event::Training(TrainEvent::Model(name)) => self.take_model(&name, files.get(0)),
            Event::Training(TrainEvent::ModelWanted(number)) => {
                let is_asked = self.session.with_untracked(|session| session.is_asked(number));
                is_asked.then(|| self.fetch_model());
            }
            Event::Training(event) => {
                let (is_text, is_run) = (matches!(event, TrainEvent::Text(..)), matches!(event, TrainEvent::Begun(_)));
                self.session.update(|session| session.take(event));
                if is_text {
                    self.write_bar();
                    self.measure();
                }
                if is_run {
                    let settings =
                        self.session.with_untracked(|session| session.run.as_ref().map(|run| run.settings.clone()));
                    settings.inspect(|settings| self.fill(settings));
                }
            }
            Event::Panicked { message } => {
                let reason = message.split_whitespace().collect::<Vec<_>>().join(" ");
                self.session.update(|session| session.crash(&reason));
                self.look();
            }
            // It is ready.
            _ => {}
        }
    }

    fn take_model(self, name: &str, file: JsValue) {
        let blob: Blob = file.unchecked_into();
        if self.purpose.get_value() == Purpose::Save {
            return save(&blob, name);
        }
        let options = web_sys::FilePropertyBag::new();
        let Ok(file) = File::new_with_blob_sequence_and_options(&Array::of1(&blob), name, &options) else { return };
        let (bar, names) = (self.bar, vec![name.to_string()]);
        let hear = move |event| {
            if let Event::Imported { summary, .. } = event {
                bar.go(&Address::of(Route::Own { sha256: summary.id }).to_string());
            }
        };
        self.engine.import(HandedFiles { files: Array::of1(&file), names }, Answers::default(), hear);
    }
}
