//! The weights of one model at a time: brought into the store under a lock that all tabs share, kept there while a
//! download is interrupted, and taken away.

use wasm_bindgen::JsValue;

use super::channel::Channel;
use super::download::{DownloadError, Order, Outcome, Stream, obtain};
use super::storage::{Folder, Lock, Record, Store, reason};
use crate::protocol::{Event, Task};

/// What there is of the model that was wanted last.
#[derive(Default)]
pub struct Shelf {
    id: String,
    /// With what lies in memory only; what is in storage would be found again.
    store: Option<Store>,
    /// A stream that goes on only in memory.
    stream: Option<Stream>,
}

impl Shelf {
    /// Sees to it that the weights are in the store, once no other tab is busy with them.
    pub async fn obtain(&mut self, order: Order<'_>) -> Result<Outcome, DownloadError> {
        let Order { channel, entry, .. } = order;
        let interrupted = Outcome::Interrupted { received: 0, total: entry.bytes };
        let Ok(_lock) = hold(channel, &entry.id).await? else { return Ok(interrupted) };
        if self.id != entry.id {
            self.clear();
            self.id.clone_from(&entry.id);
        }
        let store = match self.store.take() {
            Some(store) => store,
            None => Store::open(&entry.id).await,
        };
        let outcome = obtain(order, &store, &mut self.stream).await;
        self.store = Some(store).filter(|store| store.is_in_memory() || self.stream.is_some());
        outcome
    }

    /// Forgets what lies in memory only.
    pub fn clear(&mut self) {
        *self = Shelf::default();
    }

    /// Ends a download for good.
    pub async fn cancel(&mut self, channel: &Channel, id: &str) {
        self.clear();
        match discard(id).await {
            Ok(()) => channel.send(&Event::Cancelled),
            Err(message) => channel.send(&Event::Failed { task: Task::Load, message }),
        }
    }
}

/// The lock on a model's files, where the browser has locks; `Err` where a request came in before it was granted.
async fn hold(channel: &Channel, id: &str) -> Result<Result<Option<Lock>, ()>, JsValue> {
    let name = lock_name(id);
    if !Lock::are_there() {
        return Ok(Ok(None));
    }
    if let Some(lock) = Lock::attempt(&name).await? {
        return Ok(Ok(Some(lock)));
    }
    channel.send(&Event::Waiting);
    let Some(lock) = Lock::wait(&name)? else { return Ok(Ok(None)) };
    match channel.unless_interrupted(lock.granted()).await {
        Some(granted) => granted.map(|_| Ok(Some(lock))),
        None => Ok(Err(())),
    }
}

fn lock_name(id: &str) -> String {
    format!("peargpt:{id}")
}

/// Removes what is stored of a model, or says why that cannot be.
pub async fn discard(id: &str) -> Result<(), String> {
    let Ok(models) = Folder::models().await else { return Ok(()) };
    let failed = |error: JsValue| format!("What is stored cannot be removed: {}.", reason(&error));
    let lock = Lock::attempt(&lock_name(id)).await.map_err(failed)?;
    if Lock::are_there() && lock.is_none() {
        return Err("It cannot be removed while it is being fetched, here or in another tab. Pause that first.".into());
    }
    models.remove(id).await;
    Ok(())
}

/// Calls what is stored of a model by another name, or says why that cannot be.
pub async fn rename(id: &str, title: String) -> Result<(), String> {
    let store = Store::open(id).await;
    let Some(record) = store.record().await else { return Err("This model is not stored any more.".to_string()) };
    let written = store.set_record(&Record { title, ..record }).await;
    written.map_err(|error| format!("The new name cannot be stored: {}.", reason(&error)))
}
