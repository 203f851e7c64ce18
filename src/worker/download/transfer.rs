//! One request for one file: its answer, chunk by chunk, until it ends, stalls or is interrupted.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestCache, RequestInit, Response};

use super::super::channel::Channel;
use super::super::storage::reason;
use super::super::time::{scope, within};
use super::DownloadError;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct TransferRequest<'a> {
    /// The absolute URL.
    pub url: &'a str,
    /// The URL that messages name.
    pub name: &'a str,
    /// Length of the whole file.
    pub bytes: u64,
    /// The first byte that is needed.
    pub from: u64,
    /// The version of the file that the bytes before that are of, where it is known.
    pub etag: Option<&'a str>,
    /// Whether the browser's cache may answer.
    pub cache: RequestCache,
    /// Milliseconds without a byte after which it counts as stalled.
    pub stall_ms: u32,
}

/// An answer under way; dropped, it is called off.
pub struct Transfer<'a> {
    channel: &'a Channel,
    wanted: TransferRequest<'a>,
    abort: AbortController,
    reader: Option<ReadableStreamDefaultReader>,
    /// Bytes of the file up to here.
    position: u64,
    /// The version of the file that is sent, where the server says it.
    pub etag: Option<String>,
}

impl<'a> Transfer<'a> {
    /// Asks, and waits for the answer to begin. It may begin before `wanted.from`: see [`position`](Self::position).
    pub async fn start(channel: &'a Channel, wanted: TransferRequest<'a>) -> Result<Self, DownloadError> {
        let (abort, position) = (AbortController::new()?, wanted.from);
        let mut transfer = Transfer { channel, wanted, abort, reader: None, position, etag: None };
        let response = transfer.ask().await?;
        transfer.check(&response)?;
        let body = response.body().ok_or_else(|| transfer.length_error(0))?;
        transfer.reader = Some(body.get_reader().unchecked_into());
        // The hub's answers come through other hosts, which need not let scripts read this.
        transfer.etag = response.headers().get("etag")?;
        Ok(transfer)
    }

    /// Bytes of the file that lie before the next chunk.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next chunk, or `None` at the file's end, which is where the catalog says.
    pub async fn next(&mut self) -> Result<Option<Uint8Array>, DownloadError> {
        let Some(reader) = self.reader.clone() else { return Ok(None) };
        let chunk = self.wait(&reader.read()).await?;
        if Reflect::get(&chunk, &"done".into())?.is_truthy() {
            return match self.position {
                found if found == self.wanted.bytes => Ok(None),
                found => Err(self.length_error(found)),
            };
        }
        let chunk: Uint8Array = Reflect::get(&chunk, &"value".into())?.unchecked_into();
        self.position += u64::from(chunk.length());
        // Nothing is kept of more than there should be: room for it was never asked for.
        if self.position > self.wanted.bytes { Err(self.length_error(self.position)) } else { Ok(Some(chunk)) }
    }

    async fn ask(&self) -> Result<Response, DownloadError> {
        let answer = match (self.fetch(self.wanted.etag).await, self.wanted.etag) {
            // `If-Range` from another origin needs a permission that not every host gives; `Range` alone does not.
            (Err(DownloadError::Network { .. }), Some(_)) => self.fetch(None).await?,
            (answer, _) => answer?,
        };
        Ok(answer.unchecked_into())
    }

    async fn fetch(&self, etag: Option<&str>) -> Result<JsValue, DownloadError> {
        let (init, headers) = (RequestInit::new(), Headers::new()?);
        init.set_cache(self.wanted.cache);
        init.set_signal(Some(&self.abort.signal()));
        if self.wanted.from > 0 {
            headers.set("Range", &format!("bytes={}-", self.wanted.from))?;
            if let Some(etag) = etag {
                headers.set("If-Range", etag)?;
            }
            init.set_headers(&headers);
        }
        self.wait(&scope().fetch_with_str_and_init(self.wanted.url, &init)).await
    }

    /// Sees where the answer begins; an error for an answer that is none.
    fn check(&mut self, response: &Response) -> Result<(), DownloadError> {
        match response.status() {
            206 => {
                let range = response.headers().get("content-range")?.unwrap_or_default();
                let begin = range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse().ok());
                // A host that does not say where it begins is believed; the hash of the whole tells.
                self.position = begin.unwrap_or(self.wanted.from);
                Ok(())
            }
            // There is no rest: the host's file is shorter than the catalog says.
            416 => {
                Err(DownloadError::Length { url: self.name(), expected: self.wanted.bytes, found: self.wanted.from })
            }
            // The whole file, since it has changed or the host knows no ranges.
            200..=299 => {
                self.position = 0;
                Ok(())
            }
            status => Err(DownloadError::Status { url: self.name(), status, text: response.status_text() }),
        }
    }

    /// What the browser promises, unless it fails, nothing comes for too long, or the reader wants something else.
    async fn wait(&self, promise: &js_sys::Promise) -> Result<JsValue, DownloadError> {
        let (url, received, bytes, ms) = (self.name(), self.position, self.wanted.bytes, self.wanted.stall_ms);
        match self.channel.unless_interrupted(within(promise, ms)).await {
            None => Err(DownloadError::Interrupted),
            Some(Ok(Some(value))) => Ok(value),
            Some(Ok(None)) => Err(DownloadError::Stalled { url, received, bytes, ms }),
            Some(Err(error)) => Err(DownloadError::Network { url, received, bytes, reason: reason(&error) }),
        }
    }

    fn name(&self) -> String {
        self.wanted.name.to_string()
    }

    fn length_error(&self, found: u64) -> DownloadError {
        DownloadError::Length { url: self.name(), expected: self.wanted.bytes, found }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
