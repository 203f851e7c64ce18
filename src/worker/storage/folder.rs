//! A folder of the origin private file system.

use js_sys::{AsyncIterator, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemRemoveOptions, FileSystemSyncAccessHandle,
};

use super::super::time::{scope, sleep};
use super::file::StoredFile;

/// How often opening a file is tried, and the milliseconds between two tries. A tab that is just closing may still hold
/// the file.
const TRIES: u32 = 20;
const PAUSE_MS: u32 = 50;

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder(FileSystemDirectoryHandle);

/// `None` if the file or folder does not exist.
fn unless_missing(outcome: Result<JsValue, JsValue>) -> Result<Option<JsValue>, JsValue> {
    let is_missing = |error: &JsValue| {
        let name = Reflect::get(error, &"name".into()).ok();
        name.and_then(|name| name.as_string()).is_some_and(|name| name == "NotFoundError")
    };
    match outcome {
        Err(error) if is_missing(&error) => Ok(None),
        other => other.map(Some),
    }
}

/// Opens a file for reading, see [`Folder::reader`].
pub(super) async fn open_for_reading(handle: FileSystemFileHandle) -> Option<StoredFile> {
    let options = Object::new();
    Reflect::set(&options, &"mode".into(), &"read-only".into()).ok()?;
    // The bindings do not know modes yet, and older browsers ignore them.
    let open: Function = Reflect::get(&handle, &"createSyncAccessHandle".into()).ok()?.dyn_into().ok()?;
    let opened: Promise = open.call1(&handle, &options).ok()?.dyn_into().ok()?;
    Some(StoredFile::new(JsFuture::from(opened).await.ok()?.unchecked_into(), handle))
}

impl Folder {
    /// The root folder of the site. Fails in private windows of some browsers, and on plain http.
    pub async fn root() -> Result<Folder, JsValue> {
        let storage = scope().navigator().storage();
        // Plain http on a local network has no storage, which the bindings do not know.
        if storage.is_undefined() || !Reflect::has(&storage, &"getDirectory".into())? {
            return Err(js_sys::Error::new("the browser has no storage for this page").into());
        }
        Ok(Folder(JsFuture::from(storage.get_directory()).await?.dyn_into()?))
    }

    /// A subfolder; created if it does not exist.
    pub async fn folder(&self, name: &str) -> Result<Folder, JsValue> {
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(true);
        let handle = JsFuture::from(self.0.get_directory_handle_with_options(name, &options)).await?;
        Ok(Folder(handle.dyn_into()?))
    }

    /// A subfolder; `None` if it does not exist.
    pub async fn existing(&self, name: &str) -> Result<Option<Folder>, JsValue> {
        let handle = unless_missing(JsFuture::from(self.0.get_directory_handle(name)).await)?;
        handle.map(|handle| Ok(Folder(handle.dyn_into()?))).transpose()
    }

    /// The names of the folder's entries.
    pub async fn names(&self) -> Result<Vec<String>, JsValue> {
        let (keys, mut names): (AsyncIterator, _) = (self.0.keys(), Vec::new());
        loop {
            let next = JsFuture::from(keys.next()?).await?;
            if Reflect::get(&next, &"done".into())?.is_truthy() {
                return Ok(names);
            }
            names.extend(Reflect::get(&next, &"value".into())?.as_string());
        }
    }

    /// A snapshot of a file for reading; `None` if it does not exist.
    pub async fn file(&self, name: &str) -> Option<File> {
        let handle = JsFuture::from(self.0.get_file_handle(name)).await.ok()?;
        let file = JsFuture::from(handle.unchecked_into::<FileSystemFileHandle>().get_file()).await.ok()?;
        file.dyn_into().ok()
    }

    /// The contents of a small file; `None` if it does not exist.
    pub async fn read(&self, name: &str) -> Option<Vec<u8>> {
        let buffer = JsFuture::from(self.file(name).await?.array_buffer()).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    /// Opens a file for reading and writing; created if it does not exist. No other tab can open it meanwhile.
    pub async fn open(&self, name: &str) -> Result<StoredFile, JsValue> {
        let handle = self.handle(name).await?;
        let mut tries = 1;
        loop {
            match JsFuture::from(handle.create_sync_access_handle()).await {
                Ok(access) => {
                    let access = access.unchecked_into::<FileSystemSyncAccessHandle>();
                    return Ok(StoredFile::new(access, handle));
                }
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => sleep(PAUSE_MS).await?,
            }
            tries += 1;
        }
    }

    /// Opens a file for reading, which is several times as fast as reading a [`file`](Self::file). `None` if it does
    /// not exist, or if another tab has it open and the browser does not support shared readers.
    pub async fn reader(&self, name: &str) -> Option<StoredFile> {
        open_for_reading(JsFuture::from(self.0.get_file_handle(name)).await.ok()?.unchecked_into()).await
    }

    /// Writes a file atomically: after an interruption it has either its old or its new contents.
    pub async fn write(&self, name: &str, bytes: &Uint8Array) -> Result<(), JsValue> {
        let new = format!("{name}.new");
        let written = match self.open(&new).await {
            Ok(mut file) => file.replace(bytes),
            Err(error) => Err(error),
        };
        let moved = match written {
            Ok(()) => self.rename(&new, name).await,
            Err(error) => Err(error),
        };
        if moved.is_err() {
            drop(self.remove(&new).await);
        }
        moved
    }

    /// Renames a file. Replaces a file that has the new name.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), JsValue> {
        let handle = self.handle(from).await?;
        // All browsers have `move`, but the standard and the bindings do not yet.
        let rename: Function = Reflect::get(&handle, &"move".into())?.dyn_into()?;
        let moved: Promise = rename.call1(&handle, &to.into())?.dyn_into()?;
        JsFuture::from(moved).await.map(drop)
    }

    /// Moves a file to another folder. Replaces a file that has this name there.
    pub async fn move_to(&self, from: &str, folder: &Folder, to: &str) -> Result<(), JsValue> {
        let handle = self.handle(from).await?;
        let relocate: Function = Reflect::get(&handle, &"move".into())?.dyn_into()?;
        let moved: Promise = relocate.call2(&handle, &folder.0, &to.into())?.dyn_into()?;
        JsFuture::from(moved).await.map(drop)
    }

    /// Removes a file, or a folder with everything in it, if it exists. Fails if a file is open.
    pub async fn remove(&self, name: &str) -> Result<(), JsValue> {
        let options = FileSystemRemoveOptions::new();
        options.set_recursive(true);
        unless_missing(JsFuture::from(self.0.remove_entry_with_options(name, &options)).await).map(drop)
    }

    async fn handle(&self, name: &str) -> Result<FileSystemFileHandle, JsValue> {
        let options = FileSystemGetFileOptions::new();
        options.set_create(true);
        let handle = JsFuture::from(self.0.get_file_handle_with_options(name, &options)).await?;
        Ok(handle.unchecked_into())
    }
}
