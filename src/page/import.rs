//! Files of the reader's own: handed over, looked at, opened. Lives as long as the page, whichever view stands there.

use js_sys::Reflect;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::{DataTransfer, File, FileList};

use super::address_bar::AddressBar;
use super::dropped::{self, Dropped};
use super::engine::{Engine, HandedFiles};
use super::models::OWN;
use crate::app::own::{ImportSession, Stage};
use crate::app::permalink::{Address, Route};
use crate::app::protocol::{Answers, Event, Finding, Request};

/// A handle to what has been handed over.
#[derive(Clone, Copy)]
pub struct Import {
    engine: Engine,
    bar: AddressBar,
    session: RwSignal<ImportSession<File>, LocalStorage>,
    /// The number of the question whose answer counts.
    number: StoredValue<u32>,
}

impl Import {
    /// Nothing yet.
    pub fn new(engine: Engine, bar: AddressBar) -> Self {
        Import { engine, bar, session: RwSignal::new_local(ImportSession::default()), number: StoredValue::new(0) }
    }

    /// How far it has come.
    pub fn stage(self) -> Stage {
        self.session.with(|session| session.stage.clone())
    }

    /// The files' names.
    pub fn names(self) -> String {
        self.session.with(|session| session.names().collect::<Vec<_>>().join(", "))
    }

    /// What the reader says of the files.
    pub fn answers(self) -> Answers {
        self.session.with_untracked(|session| session.answers.clone())
    }

    /// Takes files that were picked: of a folder those that are not in a folder within it, as another form of the same
    /// model may be.
    pub fn add(self, list: Option<FileList>) {
        let Some(list) = list.filter(|list| list.length() > 0) else { return };
        let named = (0..list.length()).filter_map(|index| list.get(index)).map(|file| (path(&file), file));
        let at_the_top: Vec<(String, File)> = named.filter(|(path, _)| path.matches('/').count() <= 1).collect();
        self.take(if at_the_top.is_empty() { Err(dropped::EMPTY.to_string()) } else { Ok(at_the_top) });
    }

    /// Takes files and folders that were dropped.
    pub fn add_dropped(self, transfer: &DataTransfer) {
        let dropped = Dropped::of(transfer);
        spawn_local(async move { self.take(dropped.files().await) });
    }

    fn take(self, files: Result<Vec<(String, File)>, String>) {
        match files {
            Ok(files) => {
                self.session.update(|session| session.add(files));
                self.identify();
            }
            Err(sentence) => self.session.update(|session| session.fail(sentence)),
        }
    }

    /// Changes what the reader says.
    pub fn answer(self, change: impl FnOnce(&mut Answers)) {
        self.session.update_untracked(|session| change(&mut session.answers));
    }

    /// Has the files looked at with what the reader says by now.
    pub fn identify(self) {
        self.session.update(ImportSession::identify);
        let (HandedFiles { files, names }, answers) = (self.files(), self.answers());
        let hear = move |run, event| {
            let finding = match event {
                Event::Inspected { finding, .. } => finding,
                Event::Failed { message, .. } => Finding::Failed(message),
                _ => return,
            };
            if run == self.number.get_value() {
                self.session.update(|session| session.find(finding));
            }
        };
        self.number.set_value(self.engine.begin_with(files, |run| Request::Inspect { run, names, answers }, hear));
    }

    /// Whether opening the model ends what goes on with another.
    pub fn stops_others(self) -> bool {
        self.engine.is_occupied()
    }

    /// Opens the model, and goes to its page.
    pub fn run(self) {
        self.session.update(|session| session.stage = Stage::Opening { done: 0, all: 0 });
        self.engine.import(self.files(), self.answers(), move |event| self.hear(event));
    }

    fn hear(self, event: Event) {
        self.session.update(|session| match &event {
            Event::Importing { done, all, .. } => session.stage = Stage::Opening { done: *done, all: *all },
            Event::Interrupted { .. } => session.stop(),
            Event::Failed { message, .. } => session.stage = Stage::Failed(message.clone()),
            _ => *session = ImportSession::default(),
        });
        if let Event::Imported { summary, .. } = event {
            let sha256 = summary.id;
            // An address that asked for this very model stands, with all that it asks for.
            let own = Route::Own { sha256 };
            if self.bar.read().0.route != own {
                self.bar.go(&Address::of(own).to_string());
            }
        }
    }

    /// Goes where files are handed over.
    pub fn show(self) {
        self.bar.go(&Address::of(OWN.route()).to_string());
    }

    /// Interrupts the opening.
    pub fn stop(self) {
        self.engine.send(Request::StopConverting);
    }

    /// Forgets the files.
    pub fn start_over(self) {
        self.number.set_value(0);
        self.session.set(ImportSession::default());
    }

    fn files(self) -> HandedFiles {
        self.session.with_untracked(|session| HandedFiles {
            files: session.files().collect(),
            names: session.names().map(str::to_string).collect(),
        })
    }
}

/// A file's name; behind those of its folders, where a folder was picked.
fn path(file: &File) -> String {
    let path = Reflect::get(file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name())
}
