//! Files that the browser stores for the reader.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::browser::PATIENCE;
use crate::reader::Reader;

/// How the names of files end that are still coming, in Chromium, Firefox and WebKitGTK.
const UNFINISHED: [&str; 3] = ["crdownload", "part", "wkdownload"];

/// The folder where they arrive; it goes with the browser.
pub struct Downloads(PathBuf);

impl Downloads {
    /// From now on without a question.
    pub async fn of(reader: &Reader) -> Result<Self> {
        Ok(Downloads(reader.browser.downloads().await?))
    }

    /// A file, once it is whole.
    pub async fn take(&self, name: &str) -> Result<Vec<u8>> {
        let start = Instant::now();
        while !self.is_whole(name)? {
            ensure!(start.elapsed() < PATIENCE, "{name} is not downloaded");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        fs::read(self.0.join(name)).with_context(|| format!("{name} cannot be read"))
    }

    /// Firefox makes an empty file of the name first, and writes into another.
    fn is_whole(&self, name: &str) -> Result<bool> {
        let is_there = fs::metadata(self.0.join(name)).is_ok_and(|found| found.len() > 0);
        let mut names = fs::read_dir(&self.0)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_coming = names.any(|name| UNFINISHED.iter().any(|end| name.ends_with(&format!(".{end}"))));
        Ok(is_there && !is_coming)
    }
}
