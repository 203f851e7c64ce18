//! GGUF files that the converter has made. A file that is not kept is removed when its model is closed, or when the
//! site is opened next.

use js_sys::{Date, Math};
use wasm_bindgen::JsValue;

use super::file::StoredFile;
use super::folder::Folder;
use super::lock::{Attempt, Lock};
use super::reason::reason;
use super::split_file::FilePiece;

/// Name of their folder.
const UNKEPT: &str = "unkept";

/// A file with a shared lock. Nobody removes the file while the lock is held.
pub struct Unkept {
    name: String,
    folder: Folder,
    lock: Lock,
}

impl Unkept {
    /// Creates a file. The error says why there is none.
    pub async fn create() -> Result<(Unkept, StoredFile), String> {
        let name = format!("{:x}-{:08x}", Date::now() as u64, (Math::random() * f64::from(u32::MAX)) as u32);
        let failed = |error: JsValue| reason(&error);
        let folder = Folder::root().await.map_err(failed)?.folder(UNKEPT).await.map_err(failed)?;
        let lock = match Lock::share(&lock_name(&name)).await {
            Attempt::Held(lock) => lock,
            Attempt::Taken => return Err("another tab is busy with a file of this name".to_string()),
            Attempt::Refused(reason) => return Err(reason),
        };
        let file = folder.open(&name).await.map_err(failed)?;
        Ok((Unkept { name, folder, lock }, file))
    }

    /// The file of this name, unless somebody is just removing it.
    pub async fn find(name: &str) -> Option<Unkept> {
        let Attempt::Held(lock) = Lock::share(&lock_name(name)).await else { return None };
        let folder = Folder::root().await.ok()?.existing(UNKEPT).await.ok()??;
        folder.file(name).await?;
        Some(Unkept { name: name.to_string(), folder, lock })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file; kept open if it can be opened.
    pub async fn piece(&self, checksums: &[u64]) -> Option<FilePiece> {
        let checksums = Some(checksums.into());
        Some(match self.folder.reader(&self.name).await {
            Some(file) => FilePiece::open(file, checksums),
            None => FilePiece::File(self.folder.file(&self.name).await?.into(), checksums),
        })
    }

    /// A snapshot of the file.
    pub async fn blob(&self) -> Option<web_sys::Blob> {
        self.folder.file(&self.name).await.map(Into::into)
    }

    /// Moves the file to another folder, where it is kept.
    pub async fn keep(&self, folder: &Folder, name: &str) -> Result<(), JsValue> {
        self.folder.move_to(&self.name, folder, name).await
    }

    /// Holds the lock until the worker ends.
    pub fn hold(self) {
        std::mem::forget(self.lock);
    }

    /// Removes the file, if it is still there and no other tab uses it.
    pub async fn remove(self) {
        let Unkept { name, folder, lock } = self;
        lock.release().await;
        remove(&folder, &name).await;
    }
}

/// Removes all files that no tab uses.
pub async fn sweep() {
    let Ok(root) = Folder::root().await else { return };
    let Ok(Some(folder)) = root.existing(UNKEPT).await else { return };
    for name in folder.names().await.unwrap_or_default() {
        remove(&folder, &name).await;
    }
}

async fn remove(folder: &Folder, name: &str) {
    if let Attempt::Held(lock) = Lock::attempt(&lock_name(name)).await {
        // A file that is open after all stays until the next time.
        drop(folder.remove(name).await);
        lock.release().await;
    }
}

fn lock_name(name: &str) -> String {
    format!("peargpt:unkept:{name}")
}
