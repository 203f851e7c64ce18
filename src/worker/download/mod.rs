//! Brings a model's weights into the store: what is there already is verified, what is missing is fetched from this site
//! in parts, and verified by its sha256. What comes from the hub, the converter fetches, with the same means.

mod error;
pub mod parts;
mod progress;
mod stream_state;
mod transfer;

pub use error::DownloadError;
pub use progress::DownloadProgress;
pub use stream_state::{STATE, StreamState};
pub use transfer::{Transfer, TransferRequest};

use std::io::{Read, Seek, SeekFrom};

use futures_util::future::join_all;
use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use web_sys::Url;

use self::parts::PartUrl;
use super::channel::Channel;
use super::storage::{FilePiece, Record, SplitFile, Store};
use super::time::sleep;
use crate::app::catalog::{Entry, HubFiles, Part};
use crate::app::checksum::Checksums;
use crate::app::own::is_own;
use crate::app::protocol::{Event, TransferPolicy};
use crate::checkpoint::sha256::hex;

/// Bytes that are hashed between two looks at the event loop.
const STEP: usize = 1 << 20;

/// A model that is wanted.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The way to the page.
    pub channel: &'a Channel,
    /// What the catalog says of it.
    pub entry: &'a Entry,
    /// The catalog's absolute URL.
    pub catalog_url: &'a str,
    /// How it is fetched.
    pub policy: TransferPolicy,
    /// Whether the reader has agreed to fetch it from another origin.
    pub consent: bool,
    /// Whether all that is stored is held against its SHA-256, since something was wrong with it; otherwise what was
    /// once is held against its checksums, and when it is read.
    pub thorough: bool,
}

/// What has become of an order.
pub enum Outcome {
    /// The weights are here.
    Here(VerifiedWeights),
    /// They lie on another origin, and the reader has to be asked.
    Asking,
    /// They lie on another origin, and the converter has to fetch them.
    ToFetch,
    /// They are of the reader's own, and not stored here.
    NotHere,
    /// A request came in; so many bytes are here by then.
    Interrupted { received: u64, total: u64 },
}

/// Verified weights.
pub struct VerifiedWeights {
    /// The file.
    pub file: SplitFile,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// What the model is called.
    pub title: String,
}

/// Sees to it that the weights are in the store, as far as they come from this site.
pub async fn obtain(order: Order<'_>, store: &Store) -> Result<Outcome, DownloadError> {
    during(order, store, async |progress| match order.entry.hub_files() {
        Some(files) => made_of_hub(order, files, store, progress).await,
        None if is_own(&order.entry.id) => from_storage(order, store, progress).await,
        None => from_site(order, store, progress).await,
    })
    .await
}

/// Carries out a download, whose progress the page is told.
pub async fn during(
    order: Order<'_>,
    store: &Store,
    download: impl AsyncFnOnce(&DownloadProgress<'_>) -> Result<Outcome, DownloadError>,
) -> Result<Outcome, DownloadError> {
    let progress = DownloadProgress::new(order.channel, order.entry.bytes);
    store.begin();
    if order.thorough {
        store.distrust();
    }
    match progress.tell_during(download(&progress)).await {
        Err(DownloadError::Interrupted) => {
            Ok(Outcome::Interrupted { received: progress.received(), total: progress.total() })
        }
        other => other,
    }
}

async fn from_site(order: Order<'_>, store: &Store, progress: &DownloadProgress<'_>) -> Result<Outcome, DownloadError> {
    let entry = order.entry;
    let record = store.record().await.filter(|record| record.parts == entry.parts);
    trust(order, store, record.as_ref());
    let missing = missing(order.channel, store, &entry.parts, progress).await?;
    if !missing.is_empty() {
        progress.send();
        tell_obstacle(order, store);
        let sources = missing.into_iter().map(|part| Ok((part, PartUrl::new(part, order.catalog_url)?)));
        parts::fetch_all(order, store, sources.collect::<Result<_, DownloadError>>()?, progress).await?;
        tell_obstacle(order, store);
    }
    finish(order, store, &entry.parts, record, None).await
}

/// A model of the reader's own, which only storage has.
async fn from_storage(
    order: Order<'_>,
    store: &Store,
    progress: &DownloadProgress<'_>,
) -> Result<Outcome, DownloadError> {
    let Some(record) = store.record().await else { return Ok(Outcome::NotHere) };
    trust(order, store, Some(&record));
    if !missing(order.channel, store, &record.parts, progress).await?.is_empty() {
        return Ok(Outcome::NotHere);
    }
    let entry = Entry { title: record.title.clone(), ..order.entry.clone() };
    let parts = record.parts.clone();
    finish(Order { entry: &entry, ..order }, store, &parts, Some(record), None).await
}

/// What the converter has made of the hub's files, where it has.
async fn made_of_hub(
    order: Order<'_>,
    files: HubFiles<'_>,
    store: &Store,
    progress: &DownloadProgress<'_>,
) -> Result<Outcome, DownloadError> {
    let made_from = files.weights.sha256.to_ascii_lowercase();
    let is_made = |record: &Record| {
        let Entry { title, converted, .. } = order.entry;
        let bytes = record.parts.iter().map(|part| part.bytes).sum();
        let is_named = converted.as_ref().is_none_or(|converted| converted.is_file(bytes, &record.sha256));
        record.made_from.as_ref() == Some(&made_from) && record.title == *title && is_named
    };
    let record = store.record().await.filter(is_made);
    trust(order, store, record.as_ref());
    if let Some(parts) = record.as_ref().map(|record| record.parts.clone())
        && missing(order.channel, store, &parts, progress).await?.is_empty()
    {
        return finish(order, store, &parts, record, Some(made_from)).await;
    }
    if order.consent {
        return Ok(Outcome::ToFetch);
    }
    let received = received(order, files, store).await;
    let host = Url::new(&files.weights.url).map(|url| url.hostname()).unwrap_or_default();
    order.channel.send(&Event::Asking { host, received, total: order.entry.bytes });
    Ok(Outcome::Asking)
}

/// Bytes of the hub's files that are in the store, those of a stream that was cut among them.
async fn received(order: Order<'_>, files: HubFiles<'_>, store: &Store) -> u64 {
    let mut received = 0;
    for text in [files.vocabulary, files.merges] {
        received += store.pieces(text).await.map_or(0, |_| text.bytes);
    }
    let state = match store.folder() {
        Some(folder) => folder.read(STATE).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let position = StreamState::parse(&state).map_or(0, |state| state.position);
    // A stored state is not trusted.
    received.saturating_add(position).min(order.entry.bytes)
}

/// What the record says was verified need not be again.
fn trust(order: Order<'_>, store: &Store, record: Option<&Record>) {
    if let Some(record) = record.filter(|_| !order.thorough) {
        store.trust(record);
    }
}

/// Parts that are not in the store, or damaged there. Those that are there are counted as found.
pub async fn missing<'a>(
    channel: &Channel,
    store: &Store,
    parts: &'a [Part],
    progress: &DownloadProgress<'_>,
) -> Result<Vec<&'a Part>, DownloadError> {
    let mut missing = Vec::new();
    let mut has_told = false;
    let stored = join_all(parts.iter().map(|part| store.pieces(part))).await;
    for (part, pieces) in parts.iter().zip(stored) {
        let Some(pieces) = pieces else {
            missing.push(part);
            continue;
        };
        if !has_told {
            channel.send(&Event::Opening);
            has_told = true;
        }
        if store.checksums(part).is_some() || verify(channel, store, part, pieces).await? {
            progress.found(part.bytes);
        } else {
            store.discard(part).await;
            channel.send(&Event::Notice(format!("{} was damaged in this browser's storage.", part.url)));
            missing.push(part);
        }
    }
    Ok(missing)
}

/// Whether a file is what its name says; its checksums are remembered.
async fn verify(channel: &Channel, store: &Store, part: &Part, pieces: Vec<FilePiece>) -> Result<bool, DownloadError> {
    match hash(channel, pieces).await? {
        Ok(Hashes { sha256, checksums }) if sha256.eq_ignore_ascii_case(&part.sha256) => {
            store.set_checksums(part, checksums);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// What a file is known by.
pub struct Hashes {
    /// In hex.
    pub sha256: String,
    /// Of each stretch.
    pub checksums: Vec<u64>,
}

/// The pieces' hashes, or why they cannot be read.
pub async fn hash(
    channel: &Channel,
    pieces: impl IntoIterator<Item = FilePiece>,
) -> Result<std::io::Result<Hashes>, DownloadError> {
    hash_beside(channel, pieces, |_| ()).await
}

/// The same; `beside` takes the bytes too.
pub async fn hash_beside(
    channel: &Channel,
    pieces: impl IntoIterator<Item = FilePiece>,
    mut beside: impl FnMut(&[u8]),
) -> Result<std::io::Result<Hashes>, DownloadError> {
    let (mut sha256, mut checksums) = (Sha256::new(), Checksums::default());
    let mut file = SplitFile::new(pieces)?;
    let take = |bytes: &[u8]| {
        sha256.update(bytes);
        checksums.update(bytes);
        beside(bytes);
    };
    let read = pass(channel, &mut file, take).await;
    Ok(read.map(|()| Hashes { sha256: hex(&sha256.finalize()), checksums: checksums.finish() }))
}

/// Reads a file to its end. The event loop runs meanwhile, but nothing interrupts it.
pub async fn pass(channel: &Channel, file: &mut impl Read, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut buffer = vec![0; STEP];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => take(&buffer[..count]),
        }
        channel.interrupted().await;
    }
}

/// Opens what the store has, and notes down what the whole is made of, where `record` does not say so.
pub async fn finish(
    order: Order<'_>,
    store: &Store,
    parts: &[Part],
    record: Option<Record>,
    made_from: Option<String>,
) -> Result<Outcome, DownloadError> {
    let mut pieces = Vec::new();
    for (part, stored) in parts.iter().zip(join_all(parts.iter().map(|part| store.open_pieces(part))).await) {
        let gone = || DownloadError::Browser(format!("{} is gone from its storage", part.url));
        pieces.extend(stored.ok_or_else(gone)?);
    }
    let sha256 = match (&record, parts) {
        (Some(record), _) => record.sha256.clone(),
        (None, [part]) => part.sha256.to_ascii_lowercase(),
        (None, _) => {
            let failed = |error: std::io::Error| DownloadError::Browser(error.to_string());
            hash(order.channel, pieces.iter().cloned()).await?.map_err(failed)?.sha256
        }
    };
    if !store.is_in_memory() {
        let checksums = parts.iter().map(|part| store.checksums(part).map_or(Vec::new(), |sums| sums.to_vec()));
        let (title, parts, checksums) = (order.entry.title.clone(), parts.to_vec(), checksums.collect());
        let new = Record { title, made_from, parts, sha256: sha256.clone(), checksums };
        // Without the record the model is kept all the same, and looked through again.
        if record.as_ref() == Some(&new) || store.set_record(&new).await.is_ok() {
            drop(store.sweep(&new).await);
        }
    }
    let mut file = SplitFile::new(pieces)?;
    let failed = |error: std::io::Error| DownloadError::Browser(error.to_string());
    let bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(Outcome::Here(VerifiedWeights { file, bytes, sha256, title: order.entry.title.clone() }))
}

/// Says once why something will not be kept.
pub fn tell_obstacle(order: Order<'_>, store: &Store) {
    if let Some(reason) = store.untold_obstacle() {
        order.channel.send(&Event::Notice(format!(
            "{} runs from memory and will not be kept for your next visit: {}.",
            order.entry.title,
            reason.trim_end_matches('.')
        )));
    }
}

/// Tries again what failed for a passing reason; tries are counted anew whenever `position` has grown in between.
pub async fn patiently<T>(
    order: Order<'_>,
    position: impl Fn() -> u64,
    mut attempt: impl AsyncFnMut() -> Result<T, DownloadError>,
) -> Result<T, DownloadError> {
    let policy = order.policy;
    let (mut tries, mut delay_ms, mut farthest) = (1, policy.delay_ms, position());
    loop {
        let error = match attempt().await {
            Err(error) if error.is_passing() => error,
            outcome => return outcome,
        };
        if position() > farthest {
            (tries, delay_ms, farthest) = (1, policy.delay_ms, position());
        } else if tries >= policy.tries {
            return Err(error);
        }
        order.channel.send(&Event::Retrying { reason: error.to_string(), delay_ms });
        order.channel.unless_interrupted(sleep(delay_ms)).await.ok_or(DownloadError::Interrupted)??;
        tries += 1;
        delay_ms = delay_ms.saturating_mul(2);
    }
}

/// Bytes of a chunk, through a buffer that is used again.
pub fn copy(chunk: &Uint8Array, buffer: &mut Vec<u8>) {
    buffer.resize(chunk.length() as usize, 0);
    chunk.copy_to(buffer);
}
