//! Runs: their numbers, and who hears their events.

use std::rc::Rc;

use leptos::prelude::*;

use crate::app::protocol::{Event, Task};

type Listener = Rc<dyn Fn(u32, Event)>;

/// A handle to the runs that are under way.
#[derive(Clone, Copy)]
pub struct Runs {
    newest: StoredValue<u32>,
    listeners: StoredValue<Vec<(u32, Listener)>, LocalStorage>,
}

impl Runs {
    /// None yet.
    pub fn new() -> Self {
        Runs { newest: StoredValue::new(0), listeners: StoredValue::new_local(Vec::new()) }
    }

    /// The number of a new run, whose events `listener` hears.
    pub fn begin(self, listener: impl Fn(u32, Event) + 'static) -> u32 {
        self.newest.update_value(|run| *run += 1);
        let run = self.newest.get_value();
        self.listeners.update_value(|listeners| listeners.push((run, Rc::new(listener))));
        run
    }

    /// Whether none is under way.
    pub fn is_empty(self) -> bool {
        self.listeners.with_value(Vec::is_empty)
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
    }

    /// Ends all of them with this message.
    pub fn fail(self, message: &str) {
        for (run, listener) in self.listeners.try_update_value(std::mem::take).unwrap_or_default() {
            listener(run, Event::Failed { task: Task::Run(run), message: message.to_string() });
        }
    }
}
