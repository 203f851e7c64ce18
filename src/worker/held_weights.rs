//! The weights of one model at a time: brought into the store under a lock that all tabs share, kept there while a
//! download is interrupted, and taken away.

use super::channel::Channel;
use super::download::{DownloadError, Order, Outcome};
use super::storage::{Attempt, Lock, Record, Store, forget, reason};
use crate::app::own::is_own;
use crate::app::protocol::{Event, Task};

/// What there is of the model that was wanted last; `S` is a stream that goes on only in memory.
pub struct HeldWeights<S> {
    id: String,
    /// With what lies in memory only; what is in storage would be found again.
    store: Option<Store>,
    stream: Option<S>,
}

impl<S> Default for HeldWeights<S> {
    fn default() -> Self {
        HeldWeights { id: String::new(), store: None, stream: None }
    }
}

impl<S> HeldWeights<S> {
    /// Has `obtain` see to it that the weights are in the store, once no other tab is busy with them.
    pub async fn obtain(
        &mut self,
        order: Order<'_>,
        obtain: impl AsyncFnOnce(&Store, &mut Option<S>) -> Result<Outcome, DownloadError>,
    ) -> Result<Outcome, DownloadError> {
        let Order { channel, entry, .. } = order;
        let interrupted = Outcome::Interrupted { received: 0, total: entry.bytes };
        let Some(lock) = hold(channel, &entry.id).await else { return Ok(interrupted) };
        if self.id != entry.id {
            self.clear();
            self.id.clone_from(&entry.id);
        }
        let mut store = match self.store.take() {
            Some(store) => store,
            None => Store::open(&entry.id).await,
        };
        match &lock {
            // Two tabs could write the same file. What is the reader's own is only read, and nobody writes it here.
            Attempt::Refused(reason) if !is_own(&entry.id) => store.stay_in_memory(reason.clone()),
            _ => {}
        }
        let outcome = obtain(&store, &mut self.stream).await;
        self.store = Some(store).filter(|store| store.is_in_memory() || self.stream.is_some());
        if let Attempt::Held(lock) = lock {
            lock.release().await;
        }
        outcome
    }

    /// Forgets what lies in memory only.
    pub fn clear(&mut self) {
        *self = HeldWeights::default();
    }

    /// Ends a download for good, unless what is stored of it cannot be removed: then all stays as it is.
    pub async fn cancel(&mut self, channel: &Channel, id: &str) {
        match discard(id).await {
            Ok(()) => {
                self.clear();
                channel.send(&Event::Cancelled);
            }
            Err(message) => channel.send(&Event::Failed { task: Task::Storage, message }),
        }
    }
}

/// The lock on a model's files, waited for where another tab has it; `None` where a request came in before.
async fn hold(channel: &Channel, id: &str) -> Option<Attempt> {
    match attempt(id).await {
        Attempt::Taken => {
            channel.send(&Event::Waiting);
            channel.unless_interrupted(Lock::wait(&lock_name(id))).await
        }
        other => Some(other),
    }
}

/// The lock on a model's files, if no tab has it.
pub async fn attempt(id: &str) -> Attempt {
    Lock::attempt(&lock_name(id)).await
}

fn lock_name(id: &str) -> String {
    format!("peargpt:{id}")
}

/// Removes what is stored of a model, or says why that cannot be.
pub async fn discard(id: &str) -> Result<(), String> {
    // Where there are no locks nobody writes.
    let lock = attempt(id).await;
    if matches!(lock, Attempt::Taken) {
        let busy =
            "It cannot be removed while a tab is fetching, opening or keeping it. End that first, or wait for it.";
        return Err(busy.to_string());
    }
    forget(id).await.map_err(|error| {
        let reason = reason(&error);
        format!("It cannot be removed: {}. Close it there and try again.", reason.trim_end_matches('.'))
    })
}

/// Calls what is stored of a model by another name, or says why that cannot be.
pub async fn rename(id: &str, title: String) -> Result<(), String> {
    let store = Store::open(id).await;
    let Some(record) = store.record().await else { return Err("This model is not stored any more.".to_string()) };
    let written = store.set_record(&Record { title, ..record }).await;
    written.map_err(|error| format!("The new name cannot be stored: {}.", reason(&error)))
}
