//! Runs: their numbers, and who hears their events.

use std::rc::Rc;

use leptos::prelude::*;

use crate::app::protocol::{Event, Task};

type Listener = Rc<dyn Fn(u32, Event)>;

/// A handle to the runs that are under way.
#[derive(Clone, Copy)]
pub struct Runs {
    newest: StoredValue<u32>,
    /// How many are under way.
    count: RwSignal<usize>,
    listeners: StoredValue<Vec<(u32, Listener)>, LocalStorage>,
}

impl Runs {
    /// None yet.
    pub fn new() -> Self {
        let listeners = StoredValue::new_local(Vec::new());
        Runs { newest: StoredValue::new(0), count: RwSignal::new(0), listeners }
    }

    /// The number of a new run, whose events `listener` hears.
    pub fn begin(self, listener: impl Fn(u32, Event) + 'static) -> u32 {
        self.newest.update_value(|run| *run += 1);
        let run = self.newest.get_value();
        self.listeners.update_value(|listeners| listeners.push((run, Rc::new(listener))));
        self.count_them();
        run
    }

    /// Whether none is under way.
    pub fn is_empty(self) -> bool {
        self.listeners.with_value(Vec::is_empty)
    }

    /// Whether none is under way; whoever draws by it is told when that changes.
    pub fn are_over(self) -> bool {
        self.count.get() == 0
    }

    fn count_them(self) {
        self.count.set(self.listeners.with_value(Vec::len));
    }

    /// Hands an event to its listener; those of runs that are over find none.
    pub fn deliver(self, run: u32, event: Event, is_last: bool) {
        let find = |listeners: &Vec<(u32, Listener)>| listeners.iter().find(|(of, _)| *of == run).cloned();
        let listener = self.listeners.with_value(find);
        if is_last {
            self.listeners.update_value(|listeners| listeners.retain(|(of, _)| *of != run));
        }
        if let Some((_, listener)) = listener {
            listener(run, event);
        }
        if is_last {
            self.count_them();
        }
    }

    /// Ends all of them with this message.
    pub fn fail(self, message: &str) {
        for (run, listener) in self.listeners.try_update_value(std::mem::take).unwrap_or_default() {
            listener(run, Event::Failed { task: Task::Run(run), message: message.to_string() });
        }
        self.count_them();
    }
}
