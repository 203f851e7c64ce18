//! Files and folders that are dropped on the page.

use js_sys::{Array, Function, Promise};
use leptos::wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, DataTransferItem, File, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry};

use super::js::describe;

/// What is said of folders without files.
pub const EMPTY: &str = "There are no files in this folder. Choose the folder that the model’s files lie in.";

/// What was dropped.
pub struct Dropped {
    files: Vec<(String, File)>,
    folders: Vec<FileSystemDirectoryEntry>,
}

impl Dropped {
    /// What the event brings. It has to be taken before the event has been handled, when the browser lets it go.
    pub fn of(transfer: &DataTransfer) -> Self {
        let (items, mut dropped) = (transfer.items(), Dropped { files: Vec::new(), folders: Vec::new() });
        for item in (0..items.length()).filter_map(|index| items.get(index)) {
            match folder(&item) {
                Some(folder) => dropped.folders.push(folder),
                // `None` where text is dropped.
                None => dropped.files.extend(item.get_as_file().ok().flatten().map(|file| (file.name(), file))),
            }
        }
        dropped
    }

    /// The files with their names, and those in the folders, behind the folder's name. The error is a sentence.
    pub async fn files(self) -> Result<Vec<(String, File)>, String> {
        let Dropped { mut files, folders } = self;
        for folder in folders {
            let failed = |error: JsValue| {
                let (name, error) = (folder.name(), describe(&error));
                format!("The folder {name} cannot be read: {error}. Choose it with the button for folders.")
            };
            let within = files_in(&folder).await.map_err(failed)?;
            files.extend(within.into_iter().map(|file| (format!("{}/{}", folder.name(), file.name()), file)));
        }
        if files.is_empty() { Err(EMPTY.to_string()) } else { Ok(files) }
    }
}

/// The folder, if this is one.
fn folder(item: &DataTransferItem) -> Option<FileSystemDirectoryEntry> {
    let entry = item.webkit_get_as_entry().ok().flatten();
    entry.filter(FileSystemEntry::is_directory).map(JsCast::unchecked_into)
}

/// The files of a folder, without those in folders within it, as another form of the same model may be.
async fn files_in(folder: &FileSystemDirectoryEntry) -> Result<Vec<File>, JsValue> {
    let (reader, mut files) = (folder.create_reader(), Vec::new());
    loop {
        // Chromium gives a hundred entries at a time.
        let entries: Array = answer(|given, failed| {
            reader.read_entries_with_callback_and_callback(given, failed).unwrap_or_else(|error| {
                failed.call1(&JsValue::UNDEFINED, &error).ok();
            });
        })
        .await?
        .unchecked_into();
        if entries.length() == 0 {
            return Ok(files);
        }
        for entry in entries.iter().map(JsCast::unchecked_into::<FileSystemFileEntry>).filter(|entry| entry.is_file()) {
            let file = answer(|given, failed| entry.file_with_callback_and_callback(given, failed)).await?;
            files.push(file.unchecked_into());
        }
    }
}

/// What a function hands to the first of two callbacks; the second gets errors.
async fn answer(ask: impl Fn(&Function, &Function)) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::new(&mut |given, failed| ask(&given, &failed))).await
}
