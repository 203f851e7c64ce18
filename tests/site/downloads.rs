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
        let (start, mut before) = (Instant::now(), 0);
        // WebKitGTK writes a file under its name before all of it is there.
        loop {
            let bytes = self.length(name)?;
            if bytes > 0 && bytes == before {
                return fs::read(self.0.join(name)).with_context(|| format!("{name} cannot be read"));
            }
            ensure!(start.elapsed() < PATIENCE, "{name} is not downloaded");
            before = bytes;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// How much of it is there; nothing while a file is coming under another name. Firefox makes an empty one of the name
    /// first.
    fn length(&self, name: &str) -> Result<u64> {
        let mut names = fs::read_dir(&self.0)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_coming = names.any(|name| UNFINISHED.iter().any(|end| name.ends_with(&format!(".{end}"))));
        let found = fs::metadata(self.0.join(name)).map_or(0, |found| found.len());
        Ok(if is_coming { 0 } else { found })
    }
}
