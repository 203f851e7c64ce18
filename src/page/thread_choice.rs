//! How many threads compute: the reader's choice, and what was measured on this device. Both are remembered.

use js_sys::Date;
use leptos::prelude::*;

use super::options::{Mounted, Options};
use crate::app::threads::{Dated, MOST, Speeds, Threads};

/// Names in the browser's storage: the choice; and what was measured, a line for each shape, with the day.
const CHOICE: &str = "peargpt:threads";
const SPEEDS: &str = "peargpt:speeds";

/// The choice that leaves it to measurements.
pub const AUTOMATIC: &str = "automatic";

/// A handle to the choice.
#[derive(Clone, Copy)]
pub struct ThreadChoice {
    /// What the address of this visit says.
    address: RwSignal<Option<u32>>,
    chosen: RwSignal<Option<u32>>,
    measured: RwSignal<Vec<Dated>>,
    mounted: Mounted,
}

impl ThreadChoice {
    /// As remembered here; else as the page is told.
    pub fn remembered(mounted: Mounted) -> Self {
        let options = mounted.options();
        let chosen = match item(&options, CHOICE).as_deref() {
            Some(AUTOMATIC) => None,
            Some(number) => number.parse().ok().filter(|number| (1..=MOST).contains(number)),
            None => options.threads,
        };
        let measured = Dated::read(&item(&options, SPEEDS).unwrap_or_default(), today());
        ThreadChoice {
            address: RwSignal::new(None),
            chosen: RwSignal::new(chosen),
            measured: RwSignal::new(measured),
            mounted,
        }
    }

    /// An address has come that says how many.
    pub fn set_address(self, threads: u32) {
        self.address.set(Some(threads));
    }

    /// As many as this; `None` for as many as are fastest.
    pub fn exactly(self) -> Option<u32> {
        self.address.get().or_else(|| self.chosen.get())
    }

    /// Takes the reader's choice, which counts from now on whatever the address said.
    pub fn choose(self, threads: Option<u32>) {
        self.address.set(None);
        self.chosen.set(threads);
        self.store(CHOICE, &threads.map_or_else(|| AUTOMATIC.to_string(), |threads| threads.to_string()));
    }

    /// Remembers what was measured.
    pub fn note(self, speeds: Speeds) {
        self.measured.update(|measured| Dated::note(measured, today(), speeds));
        self.store(SPEEDS, &self.measured.with_untracked(|measured| Dated::write(measured)));
    }

    /// What the workers are told.
    pub fn threads(self) -> Threads {
        let measured =
            self.measured.with_untracked(|measured| measured.iter().map(|dated| dated.speeds.clone()).collect());
        Threads { exactly: untrack(|| self.exactly()), measured }
    }

    /// How many are to compute a model of this shape in the place of `threads`; `None` where nobody knows.
    pub fn wanted(self, shape: &str, threads: u32) -> Option<u32> {
        let of_shape = |dated: &&Dated| dated.speeds.shape == shape;
        let fastest = || {
            self.measured
                .with(|measured| measured.iter().find(of_shape).and_then(|dated| dated.speeds.instead_of(threads)))
        };
        self.exactly().or_else(fastest)
    }

    fn store(self, key: &str, value: &str) {
        if let Some(storage) = &self.mounted.options().storage {
            // Where nothing is remembered it is chosen and measured again.
            storage.set_item(key, value).ok();
        }
    }
}

fn item(options: &Options, key: &str) -> Option<String> {
    options.storage.as_ref().and_then(|storage| storage.get_item(key).ok()?)
}

fn today() -> u32 {
    (Date::now() / 86_400_000.0) as u32
}
