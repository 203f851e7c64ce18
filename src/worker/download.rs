//! Fetches a model's parts, and verifies each by its sha256.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestCache, RequestInit, Response, Url};

use super::channel::Channel;
use super::time::{now, scope, sleep, within};
use crate::catalog::{Entry, Part, sha256};
use crate::protocol::{Event, RetryPolicy};

/// Milliseconds between two messages of progress: one frame at 60 Hz.
const FRAME_MS: f64 = 1000.0 / 60.0;

/// A part that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No answer, or a connection that was cut.
    #[error(
        "{url} could not be fetched: the connection failed after {received} of {bytes} bytes ({reason}). Check the connection and try again."
    )]
    Network { url: String, received: u64, bytes: u64, reason: String },
    /// Nothing came for a while.
    #[error(
        "{url} could not be fetched: nothing arrived for {ms} ms after {received} of {bytes} bytes. Check the connection and try again."
    )]
    Stalled { url: String, received: u64, bytes: u64, ms: u32 },
    /// The server says no.
    #[error(
        "{url} could not be fetched: the server answered {status} {text}. Try again, or tell whoever runs this site."
    )]
    Status { url: String, status: u16, text: String },
    /// The server sent fewer or more bytes than the catalog says.
    #[error(
        "{url} has the wrong length: expected {expected} bytes, found {found}. Try again, or tell whoever runs this site."
    )]
    Length { url: String, expected: u64, found: u64 },
    /// The bytes are not those that the catalog names.
    #[error("{url} is damaged: expected sha256 {expected}, found {found}. Try again, or tell whoever runs this site.")]
    Sha256 { url: String, expected: String, found: String },
    /// The file is larger than the memory that is left.
    #[error("{title} needs {bytes} bytes of memory, which this browser does not give. Close other tabs and try again.")]
    Memory { title: String, bytes: u64 },
    /// A URL that is none.
    #[error("the catalog's address `{url}` is not one")]
    Url { url: String },
    /// The browser refused something that it should do.
    #[error("the browser failed: {0}. Reload the page and try again.")]
    Browser(String),
}

impl From<JsValue> for DownloadError {
    fn from(error: JsValue) -> Self {
        DownloadError::Browser(describe(&error))
    }
}

impl DownloadError {
    /// Whether the same request may work later.
    fn is_passing(&self) -> bool {
        match self {
            DownloadError::Network { .. } | DownloadError::Stalled { .. } | DownloadError::Length { .. } => true,
            DownloadError::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

/// The model's file, and its sha256 in hex.
pub async fn download(
    channel: &Channel,
    entry: &Entry,
    catalog_url: &str,
    retry: RetryPolicy,
) -> Result<(Vec<u8>, String), DownloadError> {
    let mut download = Download { channel, entry, retry, file: allocate(entry)?, last_sent: 0.0 };
    for part in &entry.parts {
        download.part(part, &versioned(part, catalog_url)?).await?;
    }
    let sha256 = match entry.parts.as_slice() {
        [part] => part.sha256.to_ascii_lowercase(), // verified
        _ => sha256(&download.file),
    };
    Ok((download.file, sha256))
}

fn allocate(entry: &Entry) -> Result<Vec<u8>, DownloadError> {
    let mut file = Vec::new();
    let length = usize::try_from(entry.bytes).ok();
    match length.map(|length| file.try_reserve_exact(length)) {
        Some(Ok(())) => Ok(file),
        _ => Err(DownloadError::Memory { title: entry.title.clone(), bytes: entry.bytes }),
    }
}

/// The part's absolute URL. Its hash stands in the query, so that a cache never answers a new catalog with an old file.
fn versioned(part: &Part, catalog_url: &str) -> Result<String, DownloadError> {
    let absolute = Url::new_with_base(&part.url, catalog_url);
    let url = absolute.map_err(|_| DownloadError::Url { url: part.url.clone() })?;
    if url.search().is_empty() {
        url.set_search(&format!("v={}", &part.sha256[..12]));
    }
    Ok(url.href())
}

/// A download under way.
struct Download<'a> {
    channel: &'a Channel,
    entry: &'a Entry,
    retry: RetryPolicy,
    file: Vec<u8>,
    last_sent: f64,
}

impl Download<'_> {
    /// Fetches one part: again after a while where the failure may pass, and once past the cache where it is damaged.
    async fn part(&mut self, part: &Part, url: &str) -> Result<(), DownloadError> {
        let (mut cache, mut tries, mut delay_ms) = (RequestCache::Default, 1, self.retry.delay_ms);
        loop {
            let from = self.file.len();
            let Err(error) = self.attempt(part, url, cache).await else { return Ok(()) };
            self.file.truncate(from);
            let damaged = matches!(error, DownloadError::Sha256 { .. }) && cache == RequestCache::Default;
            if !(damaged || error.is_passing() && tries < self.retry.tries) {
                return Err(error);
            }
            self.channel.send(&Event::Retrying { reason: error.to_string(), delay_ms });
            sleep(delay_ms).await?;
            if damaged {
                cache = RequestCache::Reload;
            }
            tries += 1;
            delay_ms = delay_ms.saturating_mul(2);
        }
    }

    /// Fetches one part once, appends it to the file and verifies it.
    async fn attempt(&mut self, part: &Part, url: &str, cache: RequestCache) -> Result<(), DownloadError> {
        let abort = AbortController::new()?;
        let from = self.file.len();
        let outcome = self.receive(part, url, cache, &abort).await;
        if outcome.is_err() {
            abort.abort();
        }
        outcome?;
        let found = sha256(&self.file[from..]);
        if !found.eq_ignore_ascii_case(&part.sha256) {
            let (url, expected) = (part.url.clone(), part.sha256.clone());
            return Err(DownloadError::Sha256 { url, expected, found });
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        part: &Part,
        url: &str,
        cache: RequestCache,
        abort: &AbortController,
    ) -> Result<(), DownloadError> {
        let init = RequestInit::new();
        init.set_cache(cache);
        init.set_signal(Some(&abort.signal()));
        let from = self.file.len();
        let answer = self.wait(part, from, &scope().fetch_with_str_and_init(url, &init)).await?;
        let response: Response = answer.unchecked_into();
        if !response.ok() {
            let (url, status, text) = (part.url.clone(), response.status(), response.status_text());
            return Err(DownloadError::Status { url, status, text });
        }
        let body = response.body().ok_or_else(|| self.length_error(part, 0))?;
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        loop {
            let chunk = self.wait(part, from, &reader.read()).await?;
            if Reflect::get(&chunk, &"done".into())?.is_truthy() {
                break;
            }
            self.append(part, from, &Reflect::get(&chunk, &"value".into())?.unchecked_into())?;
            self.progress();
        }
        match (self.file.len() - from) as u64 {
            found if found == part.bytes => Ok(()),
            found => Err(self.length_error(part, found)),
        }
    }

    /// What the browser promises, unless it fails or nothing comes for too long.
    async fn wait(&self, part: &Part, from: usize, promise: &js_sys::Promise) -> Result<JsValue, DownloadError> {
        let (url, received, bytes) = (part.url.clone(), (self.file.len() - from) as u64, part.bytes);
        match within(promise, self.retry.stall_ms).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(DownloadError::Stalled { url, received, bytes, ms: self.retry.stall_ms }),
            Err(error) => Err(DownloadError::Network { url, received, bytes, reason: describe(&error) }),
        }
    }

    /// Adds a chunk, which must not go past the part's end: memory for more was never asked for.
    fn append(&mut self, part: &Part, from: usize, chunk: &Uint8Array) -> Result<(), DownloadError> {
        let begin = self.file.len();
        let found = (begin - from) as u64 + u64::from(chunk.length());
        if found > part.bytes {
            return Err(self.length_error(part, found));
        }
        self.file.resize(begin + chunk.length() as usize, 0);
        chunk.copy_to(&mut self.file[begin..]);
        Ok(())
    }

    fn length_error(&self, part: &Part, found: u64) -> DownloadError {
        DownloadError::Length { url: part.url.clone(), expected: part.bytes, found }
    }

    fn progress(&mut self) {
        let (received, total) = (self.file.len() as u64, self.entry.bytes);
        if now() - self.last_sent >= FRAME_MS || received == total {
            self.last_sent = now();
            self.channel.send(&Event::Downloading { received, total });
        }
    }
}

/// An exception's message.
fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
