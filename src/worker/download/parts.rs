//! Fetches files that are stored unchanged: the slices of a GGUF on this site, and the hub's small texts. Two are
//! fetched at a time, and each is stored once its SHA-256 is verified.

use std::cell::{Cell, RefCell};

use futures_util::future::{AbortHandle, abortable};
use futures_util::stream::{self, StreamExt};
use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use web_sys::{RequestCache, Url};

use super::super::storage::{Store, bytes};
use super::super::time::sleep;
use super::progress::DownloadProgress;
use super::transfer::{Transfer, TransferRequest};
use super::{DownloadError, Order, copy, patiently};
use crate::app::catalog::Part;
use crate::app::checksum::Checksums;
use crate::app::protocol::Event;
use crate::checkpoint::sha256::hex;

/// Parts that are fetched at the same time.
const IN_FLIGHT: usize = 2;

/// The URL of a part.
pub struct PartUrl(String);

impl PartUrl {
    /// The part's absolute URL. On this site the query contains the hash, so that a cache never answers a new catalog
    /// with an old file.
    pub fn new(part: &Part, catalog_url: &str) -> Result<Self, DownloadError> {
        let wrong = |_| DownloadError::Url { url: part.url.clone() };
        let url = Url::new_with_base(&part.url, catalog_url).map_err(wrong)?;
        let is_ours = Url::new(catalog_url).map_err(wrong)?.origin() == url.origin();
        if is_ours && url.search().is_empty() {
            url.set_search(&format!("v={}", &part.sha256[..12]));
        }
        Ok(PartUrl(url.href()))
    }
}

/// Fetches parts and stores them. If one fails, the others are aborted, except those that are just being stored.
pub async fn fetch_all(
    order: Order<'_>,
    store: &Store,
    parts: Vec<(&Part, PartUrl)>,
    progress: &DownloadProgress<'_>,
) -> Result<(), DownloadError> {
    let under_way = RefCell::new(Some(Vec::new()));
    let fetches = parts.iter().map(|(part, source)| async {
        let (fetching, handle) = abortable(fetch(order, part, source, progress));
        match under_way.borrow_mut().as_mut() {
            Some(handles) => handles.push(handle),
            None => return Err(DownloadError::Interrupted),
        }
        let (bytes, checksums) = fetching.await.map_err(|_| DownloadError::Interrupted)??;
        store.set_checksums(part, checksums);
        store.keep(part, bytes).await;
        Ok(())
    });
    let mut outcomes = stream::iter(fetches).buffer_unordered(IN_FLIGHT);
    let mut failure = None;
    while let Some(outcome) = outcomes.next().await {
        if let Err(error) = outcome {
            failure.get_or_insert(error);
            under_way.take().unwrap_or_default().iter().for_each(AbortHandle::abort);
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Fetches a part and stores it.
pub async fn fetch_one(
    order: Order<'_>,
    store: &Store,
    part: &Part,
    progress: &DownloadProgress<'_>,
) -> Result<(), DownloadError> {
    fetch_all(order, store, vec![(part, PartUrl::new(part, order.catalog_url)?)], progress).await
}

/// The bytes of a part with their checksums. Fetches again after a pause if the error may pass, and once without the
/// cache if the bytes are damaged.
async fn fetch(
    order: Order<'_>,
    part: &Part,
    source: &PartUrl,
    progress: &DownloadProgress<'_>,
) -> Result<(Uint8Array, Vec<u64>), DownloadError> {
    let mut cache = RequestCache::Default;
    loop {
        match patiently(order, || 0, async || receive(order, part, source, cache, progress).await).await {
            Err(error @ DownloadError::Sha256 { .. }) if cache == RequestCache::Default => {
                let delay_ms = order.policy.delay_ms;
                order.channel.send(&Event::Retrying { reason: error.to_string(), delay_ms });
                order.channel.unless_interrupted(sleep(delay_ms)).await.ok_or(DownloadError::Interrupted)??;
                cache = RequestCache::Reload;
            }
            outcome => return outcome,
        }
    }
}

/// Fetches a part once, and verifies it. Returns its bytes and checksums.
async fn receive(
    order: Order<'_>,
    part: &Part,
    source: &PartUrl,
    cache: RequestCache,
    progress: &DownloadProgress<'_>,
) -> Result<(Uint8Array, Vec<u64>), DownloadError> {
    let arrived = Cell::new(0);
    let outcome = collect(order, part, source, cache, |count| {
        arrived.set(arrived.get() + count);
        progress.arrived(count);
    });
    let outcome = outcome.await;
    if outcome.is_err() {
        progress.lost(arrived.get());
    }
    outcome
}

async fn collect(
    order: Order<'_>,
    part: &Part,
    source: &PartUrl,
    cache: RequestCache,
    arrived: impl Fn(u64),
) -> Result<(Uint8Array, Vec<u64>), DownloadError> {
    let title = &order.entry.title;
    let room = bytes(part.bytes).map_err(|_| DownloadError::Memory { title: title.clone(), bytes: part.bytes })?;
    let stall_ms = order.policy.stall_ms;
    let wanted =
        TransferRequest { url: &source.0, name: &part.url, bytes: part.bytes, from: 0, etag: None, cache, stall_ms };
    let mut transfer = Transfer::start(order.channel, wanted).await?;
    let (mut hash, mut checksums, mut buffer) = (Sha256::new(), Checksums::default(), Vec::new());
    loop {
        let begin = transfer.position();
        let Some(chunk) = transfer.next().await? else { break };
        room.set(&chunk, begin as u32);
        copy(&chunk, &mut buffer);
        hash.update(&buffer);
        checksums.update(&buffer);
        arrived(buffer.len() as u64);
    }
    let found = hex(&hash.finalize());
    if found.eq_ignore_ascii_case(&part.sha256) {
        return Ok((room, checksums.finish()));
    }
    let (url, expected) = (part.url.clone(), part.sha256.clone());
    Err(DownloadError::Sha256 { url, expected, found })
}
