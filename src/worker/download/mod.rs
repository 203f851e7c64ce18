//! Brings a model's weights into the store. Files that are there are verified. Missing files are fetched from this site
//! in parts, and verified by their SHA-256. The converter uses the same functions to fetch files from the hub.

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
use super::time::sleep_or_online;
use crate::app::catalog::{Entry, HubFiles, Part};
use crate::app::checksum::Checksums;
use crate::app::own::is_own;
use crate::app::protocol::{Event, TransferPolicy};
use crate::checkpoint::sha256::hex;

/// Bytes that are hashed before the event loop runs again.
const STEP: usize = 1 << 20;

/// A model to fetch.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The channel to the page.
    pub channel: &'a Channel,
    /// The model's entry in the catalog.
    pub entry: &'a Entry,
    /// The catalog's absolute URL.
    pub catalog_url: &'a str,
    /// When a failed fetch is tried again.
    pub policy: TransferPolicy,
    /// Whether the reader has agreed to fetch it.
    pub consent: bool,
    /// Whether everything in storage has to be verified by SHA-256, because a damaged file was found. Otherwise a file
    /// that was verified before is only compared with its checksums, when it is read.
    pub thorough: bool,
}

/// The result of an order.
pub enum Outcome {
    /// The weights are in the store.
    Here(VerifiedWeights),
    /// They are not here, and the reader has to agree first.
    Asking,
    /// They are on another origin, and the converter has to fetch them.
    ToFetch,
    /// The model is one of the reader's own, and not stored in this browser.
    NotHere,
    /// A request interrupted the download, when `received` bytes were in the store.
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
    /// The model's title.
    pub title: String,
}

/// Brings the weights into the store, except those of another origin.
pub async fn obtain(order: Order<'_>, store: &Store) -> Result<Outcome, DownloadError> {
    let Entry { id, parts, .. } = order.entry;
    during(order, store, async |progress| {
        if let Some(files) = order.entry.hub_files() {
            return made_of_hub(order, files, store, progress).await;
        }
        // What is called by its sha256 may have come in other parts: from the reader, or from another site.
        if parts.is_empty() || is_own(id) {
            let outcome = from_storage(order, store, progress).await?;
            if parts.is_empty() || !matches!(outcome, Outcome::NotHere) {
                return Ok(outcome);
            }
        }
        from_site(order, store, progress).await
    })
    .await
}

/// Runs a download, and tells the page its progress.
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
        if !order.consent {
            let (received, total) = (progress.received(), progress.total());
            order.channel.send(&Event::Asking { host: String::new(), received, total });
            return Ok(Outcome::Asking);
        }
        progress.send();
        tell_obstacle(order, store);
        let sources = missing.into_iter().map(|part| Ok((part, PartUrl::new(part, order.catalog_url)?)));
        parts::fetch_all(order, store, sources.collect::<Result<_, DownloadError>>()?, progress).await?;
        tell_obstacle(order, store);
    }
    finish(order, store, &entry.parts, record, None).await
}

/// A model of the reader's own, which only storage can have.
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

/// The GGUF that the converter has made from the hub's files, if it is stored.
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

/// Bytes of the hub's files that are in the store, with those of an interrupted stream.
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
    // The stored state is not trusted, so its position is limited.
    received.saturating_add(position).min(order.entry.bytes)
}

/// Accepts as verified what the record lists, unless the order is thorough.
fn trust(order: Order<'_>, store: &Store, record: Option<&Record>) {
    if let Some(record) = record.filter(|_| !order.thorough) {
        store.trust(record);
    }
}

/// The parts that are not in the store, or damaged there. The bytes of the other parts are counted as found.
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

/// Whether a file in the store has the hash of its name. Remembers its checksums if so.
async fn verify(channel: &Channel, store: &Store, part: &Part, pieces: Vec<FilePiece>) -> Result<bool, DownloadError> {
    match hash(channel, pieces).await? {
        Ok(Hashes { sha256, checksums }) if sha256.eq_ignore_ascii_case(&part.sha256) => {
            store.set_checksums(part, checksums);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The hashes of a file.
pub struct Hashes {
    /// In hex.
    pub sha256: String,
    /// The checksum of each stretch.
    pub checksums: Vec<u64>,
}

/// The hashes of the pieces, or the error with which reading them failed.
pub async fn hash(
    channel: &Channel,
    pieces: impl IntoIterator<Item = FilePiece>,
) -> Result<std::io::Result<Hashes>, DownloadError> {
    hash_beside(channel, pieces, |_| ()).await
}

/// The same. `beside` gets the bytes, too.
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

/// Reads a file to its end and calls `take` with the bytes. The event loop runs meanwhile, but requests do not
/// interrupt.
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

/// Opens the files in the store. Writes the record of the whole model, unless `record` is already right.
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
        // Without a record the model is still stored, and verified again next time.
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

/// Tells the page once why something is not stored.
pub fn tell_obstacle(order: Order<'_>, store: &Store) {
    if let Some(reason) = store.untold_obstacle() {
        order.channel.send(&Event::Notice(format!(
            "{} runs from memory and will not be kept for your next visit: {}.",
            order.entry.title,
            reason.trim_end_matches('.')
        )));
    }
}

/// Repeats `attempt` after failures that may pass: soon at first, then every [`TransferPolicy::again_ms`] and when the
/// browser is online again. The count of tries starts again whenever `position` has grown.
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
            if policy.again_ms == 0 {
                return Err(error);
            }
            delay_ms = policy.again_ms;
        }
        // Said again and again, since bytes of other parts that arrive meanwhile take it away.
        let tell = || order.channel.send(&Event::Retrying { reason: error.to_string(), delay_ms });
        let paused = order.channel.unless_interrupted(sleep_or_online(delay_ms, tell)).await;
        paused.ok_or(DownloadError::Interrupted)??;
        tries += 1;
        delay_ms = delay_ms.saturating_mul(2);
    }
}

/// Copies the bytes of a chunk into a buffer that is reused.
pub fn copy(chunk: &Uint8Array, buffer: &mut Vec<u8>) {
    buffer.resize(chunk.length() as usize, 0);
    chunk.copy_to(buffer);
}
