//! Files that are kept as they are: the slices of a GGUF file on this site, and the hub's small texts. Two come at a
//! time; each is stored once its sha256 holds.

use std::cell::{Cell, RefCell};

use futures_util::stream::{self, TryStreamExt};
use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use web_sys::{RequestCache, Url};

use super::super::storage::{Store, bytes};
use super::super::time::sleep;
use super::progress::Progress;
use super::transfer::{Transfer, Wanted};
use super::{DownloadError, Order, copy, patiently};
use crate::catalog::Part;
use crate::protocol::Event;
use crate::sha256::hex;

/// Parts that come at the same time.
const IN_FLIGHT: usize = 2;

/// Where a part lies.
pub struct Source(String);

impl Source {
    /// The part's absolute URL. On this site its hash stands in the query, so that a cache never answers a new catalog
    /// with an old file.
    pub fn new(part: &Part, catalog_url: &str) -> Result<Self, DownloadError> {
        let wrong = |_| DownloadError::Url { url: part.url.clone() };
        let url = Url::new_with_base(&part.url, catalog_url).map_err(wrong)?;
        let is_ours = Url::new(catalog_url).map_err(wrong)?.origin() == url.origin();
        if is_ours && url.search().is_empty() {
            url.set_search(&format!("v={}", &part.sha256[..12]));
        }
        Ok(Source(url.href()))
    }
}

/// Fetches parts and keeps them.
pub async fn fetch_all(
    order: Order<'_>,
    store: &Store,
    parts: Vec<(&Part, Source)>,
    progress: &Progress<'_>,
) -> Result<(), DownloadError> {
    let parts = stream::iter(parts.into_iter().map(Ok));
    parts
        .try_for_each_concurrent(IN_FLIGHT, async |(part, source): (&Part, Source)| {
            fetch(order, store, part, &source, progress).await
        })
        .await
}

/// Fetches a part: again after a while where the failure may pass, and once past the cache where it is damaged.
pub async fn fetch(
    order: Order<'_>,
    store: &Store,
    part: &Part,
    source: &Source,
    progress: &Progress<'_>,
) -> Result<(), DownloadError> {
    let cache = Cell::new(RequestCache::Default);
    loop {
        let outcome = patiently(order, || 0, async || receive(order, part, source, cache.get(), progress).await).await;
        match outcome {
            Ok(bytes) => return Ok(store.keep(part, bytes).await),
            Err(error @ DownloadError::Sha256 { .. }) if cache.get() == RequestCache::Default => {
                let delay_ms = order.policy.delay_ms;
                order.channel.send(&Event::Retrying { reason: error.to_string(), delay_ms });
                order.channel.unless_interrupted(sleep(delay_ms)).await.ok_or(DownloadError::Interrupted)??;
                cache.set(RequestCache::Reload);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The bytes of a part, once, verified.
async fn receive(
    order: Order<'_>,
    part: &Part,
    source: &Source,
    cache: RequestCache,
    progress: &Progress<'_>,
) -> Result<Uint8Array, DownloadError> {
    let arrived = RefCell::new(0);
    let outcome = collect(order, part, source, cache, |count| {
        *arrived.borrow_mut() += count;
        progress.arrived(count);
    });
    let outcome = outcome.await;
    if outcome.is_err() {
        progress.lost(arrived.take());
    }
    outcome
}

async fn collect(
    order: Order<'_>,
    part: &Part,
    source: &Source,
    cache: RequestCache,
    arrived: impl Fn(u64),
) -> Result<Uint8Array, DownloadError> {
    let title = &order.entry.title;
    let room = bytes(part.bytes).map_err(|_| DownloadError::Memory { title: title.clone(), bytes: part.bytes })?;
    let stall_ms = order.policy.stall_ms;
    let wanted = Wanted { url: &source.0, name: &part.url, bytes: part.bytes, from: 0, etag: None, cache, stall_ms };
    let mut transfer = Transfer::start(order.channel, wanted).await?;
    let (mut hash, mut buffer) = (Sha256::new(), Vec::new());
    loop {
        let begin = transfer.position();
        let Some(chunk) = transfer.next().await? else { break };
        room.set(&chunk, begin as u32);
        copy(&chunk, &mut buffer);
        hash.update(&buffer);
        arrived(buffer.len() as u64);
    }
    let found = hex(&hash.finalize());
    if found.eq_ignore_ascii_case(&part.sha256) {
        return Ok(room);
    }
    let (url, expected) = (part.url.clone(), part.sha256.clone());
    Err(DownloadError::Sha256 { url, expected, found })
}
