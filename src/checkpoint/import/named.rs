//! Files by their names.

/// A file that the reader handed over.
#[derive(Debug)]
pub struct Named<R> {
    /// Its name; behind that of its folder or zip file, if it lies in one: `gpt2/config.json`.
    pub name: String,
    /// Its bytes.
    pub reader: R,
}

impl<R> Named<R> {
    /// Its folder, if it lies in one.
    pub(super) fn folder(&self) -> Option<&str> {
        folder_and_name(&self.name).0
    }

    /// Its name without the folder.
    pub(super) fn file_name(&self) -> &str {
        folder_and_name(&self.name).1
    }
}

/// Splits a file's name from its folder.
pub fn folder_and_name(path: &str) -> (Option<&str>, &str) {
    path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name))
}
