//! One request for one file. Its answer is read chunk by chunk until it ends, stalls or is interrupted.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestCache, RequestInit, Response};

use super::super::channel::Channel;
use super::super::storage::reason;
use super::super::time::{scope, within};
use super::DownloadError;

/// The file to request.
#[derive(Clone, Debug)]
pub struct TransferRequest<'a> {
    /// The absolute URL.
    pub url: &'a str,
    /// The URL in messages.
    pub name: &'a str,
    /// Length of the whole file.
    pub bytes: u64,
    /// The first byte that is needed.
    pub from: u64,
    /// The etag of the file that the bytes before `from` belong to, if it is known.
    pub etag: Option<&'a str>,
    /// Whether the browser's cache may answer.
    pub cache: RequestCache,
    /// Milliseconds without a byte after which the transfer counts as stalled.
    pub stall_ms: u32,
}

/// An answer that is being received. Dropping it aborts the request.
pub struct Transfer<'a> {
    channel: &'a Channel,
    wanted: TransferRequest<'a>,
    abort: AbortController,
    reader: Option<ReadableStreamDefaultReader>,
    /// The position in the file.
    position: u64,
    /// The etag of the file, if the server sends it.
    pub etag: Option<String>,
}

impl<'a> Transfer<'a> {
    /// Sends the request and waits for the answer. It may begin before `wanted.from`, see [`position`](Self::position).
    pub async fn start(channel: &'a Channel, wanted: TransferRequest<'a>) -> Result<Self, DownloadError> {
        let (abort, position) = (AbortController::new()?, wanted.from);
        let mut transfer = Transfer { channel, wanted, abort, reader: None, position, etag: None };
        let response = transfer.ask().await?;
        transfer.check(&response)?;
        let body = response.body().ok_or_else(|| transfer.length_error(0))?;
        transfer.reader = Some(body.get_reader().unchecked_into());
        // The hub redirects to other hosts, which need not let scripts read this header.
        transfer.etag = response.headers().get("etag")?;
        Ok(transfer)
    }

    /// The position of the next chunk in the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next chunk, or `None` at the end of the file. Fails if the file is shorter or longer than the catalog says.
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
        // A file that is too long is not kept, since memory was only checked for the expected length.
        if self.position > self.wanted.bytes { Err(self.length_error(self.position)) } else { Ok(Some(chunk)) }
    }

    async fn ask(&self) -> Result<Response, DownloadError> {
        let answer = match (self.fetch(self.wanted.etag).await, self.wanted.etag) {
            // `If-Range` needs the permission of another origin, which not every host gives. `Range` alone does not.
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

    /// Finds the position at which the answer begins. Fails for an error status.
    fn check(&mut self, response: &Response) -> Result<(), DownloadError> {
        match response.status() {
            206 => {
                let range = response.headers().get("content-range")?.unwrap_or_default();
                let begin = range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse().ok());
                // A host that does not name the position is believed; the hash of the whole file is checked later.
                self.position = begin.unwrap_or(self.wanted.from);
                Ok(())
            }
            // The host's file is shorter than the catalog says.
            416 => {
                Err(DownloadError::Length { url: self.name(), expected: self.wanted.bytes, found: self.wanted.from })
            }
            // The whole file: it has changed, or the host does not support ranges.
            200..=299 => {
                self.position = 0;
                Ok(())
            }
            status => Err(DownloadError::Status { url: self.name(), status, text: response.status_text() }),
        }
    }

    /// The value of a promise. Fails if the promise fails, if it takes too long, or if a request interrupts.
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
