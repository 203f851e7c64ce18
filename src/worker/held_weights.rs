//! The weights of one model at a time. They are brought into the store under a lock that all tabs share, and stay there
//! while a download is interrupted.

use super::channel::Channel;
use super::download::{DownloadError, Order, Outcome};
use super::storage::{Attempt, Lock, Record, Store, forget, reason};
use crate::app::protocol::{Event, Task};

/// Why a cancelled download leaves its files.
const HANDED_OVER: &str = "The download is cancelled in this tab. Another tab goes on with it.";

/// Why the stored files of a model are not removed.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    /// Another tab has the lock on them.
    #[error("It cannot be removed while a tab is fetching, opening or keeping it. End that first, or wait for it.")]
    Busy,
    /// The browser does not remove them.
    #[error("It cannot be removed: {reason}. Close it there and try again.")]
    Storage { reason: String },
}

/// What is held of the last model; `S` is an interrupted stream that is only in memory.
pub struct HeldWeights<S> {
    id: String,
    /// The store, if something is in memory only. Files in storage would be found again without it.
    store: Option<Store>,
    stream: Option<S>,
}

impl<S> Default for HeldWeights<S> {
    fn default() -> Self {
        HeldWeights { id: String::new(), store: None, stream: None }
    }
}

impl<S> HeldWeights<S> {
    /// Calls `obtain` to bring the weights into the store, once no other tab uses the lock.
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
            // Without locks two tabs could write the same file. Models of the reader's own are only read here.
            Attempt::Refused(reason) if !entry.parts.is_empty() => store.stay_in_memory(reason.clone()),
            _ => {}
        }
        let outcome = obtain(&store, &mut self.stream).await;
        self.store = Some(store).filter(|store| store.is_in_memory() || self.stream.is_some());
        if let Attempt::Held(lock) = lock {
            lock.release().await;
        }
        outcome
    }

    /// Drops everything that is in memory only.
    pub fn clear(&mut self) {
        *self = HeldWeights::default();
    }

    /// Ends a download and removes its files. Another tab that waited for it goes on with them, so they are left to it.
    /// If they cannot be removed for another reason, nothing changes.
    pub async fn cancel(&mut self, channel: &Channel, id: &str) {
        match discard(id).await {
            Ok(()) => {}
            Err(DiscardError::Busy) => channel.send(&Event::Notice(HANDED_OVER.to_string())),
            Err(error) => {
                return channel.send(&Event::Failed { task: Task::Storage, message: error.to_string() });
            }
        }
        self.clear();
        channel.send(&Event::Cancelled);
    }
}

/// Waits for the lock on a model's files while another tab has it; `None` if a request came in before.
async fn hold(channel: &Channel, id: &str) -> Option<Attempt> {
    match attempt(id).await {
        Attempt::Taken => {
            channel.send(&Event::Waiting);
            channel.unless_interrupted(Lock::wait(&lock_name(id))).await
        }
        other => Some(other),
    }
}

/// The lock on a model's files, if no other tab has it.
pub async fn attempt(id: &str) -> Attempt {
    Lock::attempt(&lock_name(id)).await
}

fn lock_name(id: &str) -> String {
    format!("peargpt:{id}")
}

/// Removes the stored files of a model.
pub async fn discard(id: &str) -> Result<(), DiscardError> {
    // Where there are no locks, no tab writes.
    let lock = attempt(id).await;
    if matches!(lock, Attempt::Taken) {
        return Err(DiscardError::Busy);
    }
    let failed = |error| DiscardError::Storage { reason: reason(&error).trim_end_matches('.').to_string() };
    forget(id).await.map_err(failed)
}

/// Renames a stored model. The error is a sentence.
pub async fn rename(id: &str, title: String) -> Result<(), String> {
    let store = Store::open(id).await;
    let Some(record) = store.record().await else { return Err("This model is not stored any more.".to_string()) };
    let written = store.set_record(&Record { title, ..record }).await;
    written.map_err(|error| format!("The new name cannot be stored: {}.", reason(&error)))
}
