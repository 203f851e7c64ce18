//! Fetches a model from the hub. Its float32 weights arrive as one stream, and are converted as they arrive to the Q8_0
//! GGUF file that `convert` makes; the float32 file is never held. The state of the stream is stored at intervals, so
//! that an interrupted stream can be resumed, also in a later visit.

use std::io::{Read, Seek, SeekFrom, Write};

use js_sys::Uint8Array;
use web_sys::{Blob, RequestCache};

use super::super::channel::Channel;
use super::super::download::{
    DownloadError, DownloadProgress, Hashes, Order, Outcome, STATE, StreamState, Transfer, TransferRequest,
    VerifiedWeights, copy, during, finish, hash_beside, missing, parts, pass, patiently, tell_obstacle,
};
use super::super::held_weights::HeldWeights;
use super::super::storage::{FilePiece, NewFile, SplitFile, Store, reason};
use crate::app::catalog::{Entry, HubFiles, Part};
use crate::app::protocol::{Event, FileLocation, GgufFile, Task, TransferPolicy};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::streaming::{Comparison, Streaming, Texts};
use crate::checkpoint::sha256::hex;

/// Name of the file while it is being made.
const DRAFT: &str = "draft.gguf";
/// Bytes that are taken before the next check whether the state has to be stored.
const PIECE: usize = 16 << 10;

/// A stream that is being received.
pub struct Stream {
    streaming: Streaming,
    file: NewFile,
    /// The etag of the file on the hub, if the server sends one.
    etag: Option<String>,
    /// The position of the state that was stored last.
    saved: u64,
}

/// Fetches a model, converts it, and sends the page the result.
pub async fn fetch(
    channel: &Channel,
    held: &mut HeldWeights<Stream>,
    entry: &Entry,
    catalog_url: &str,
    policy: TransferPolicy,
) {
    let order = Order { channel, entry, catalog_url, policy, consent: true, thorough: false };
    let outcome = held.obtain(order, async |store, stream| {
        during(order, store, async |progress| match entry.hub_files() {
            Some(files) => {
                let made = receive(order, files, store, stream, progress).await?;
                let made_from = Some(files.weights.sha256.to_ascii_lowercase());
                finish(order, store, std::slice::from_ref(&made), None, made_from).await
            }
            None => Ok(Outcome::NotHere),
        })
        .await
    });
    match outcome.await {
        Ok(Outcome::Here(weights)) => {
            let (file, blob) = fetched(entry, weights);
            held.clear();
            channel.send_with(&Event::Fetched { file }, blob);
        }
        Ok(Outcome::Interrupted { received, total }) => channel.send(&Event::Paused { received, total }),
        Ok(_) => {
            let message = format!("{} is not on another site.", entry.title);
            channel.send(&Event::Failed { task: Task::Load, message });
        }
        Err(error) => channel.send(&Event::Failed { task: Task::Load, message: error.to_string() }),
    }
}

/// Describes the file, and returns its bytes if they are in memory.
fn fetched(entry: &Entry, weights: VerifiedWeights) -> (GgufFile, Option<Blob>) {
    let VerifiedWeights { file, title, bytes, sha256 } = weights;
    let blob = file.into_blob();
    let location = if blob.is_some() { FileLocation::Message } else { FileLocation::Kept };
    (GgufFile { id: entry.id.clone(), title, bytes, sha256, checksums: Vec::new(), location }, blob)
}

/// Fetches what is missing, and returns the converted file as a part of the store. An interrupted stream that is only
/// in memory is left in `stream`.
async fn receive(
    order: Order<'_>,
    files: HubFiles<'_>,
    store: &Store,
    stream: &mut Option<Stream>,
    progress: &DownloadProgress<'_>,
) -> Result<Part, DownloadError> {
    progress.send();
    let (vocabulary, merges) =
        (text(order, files.vocabulary, store, progress).await?, text(order, files.merges, store, progress).await?);
    let hub = Hub { order, weights: files.weights, texts: Texts { vocabulary: &vocabulary, merges: &merges }, store };
    let mut under_way = match stream.take() {
        Some(stream) => stream,
        None => hub.open().await?,
    };
    progress.found(under_way.streaming.position());
    progress.send();
    let flow = patiently(order, || progress.received(), async || hub.flow(&mut under_way, progress).await).await;
    let made = match flow {
        Ok(()) => hub.finish(under_way).await,
        Err(error) if error.leaves_nothing() => {
            drop(under_way); // closed, since an open file cannot be removed
            Err(error)
        }
        Err(error) => {
            hub.save(&mut under_way).await;
            // Closes a file in storage while nothing arrives, so that another tab may go on with it.
            *stream = under_way.file.is_in_memory().then_some(under_way);
            Err(error)
        }
    };
    if made.as_ref().is_err_and(DownloadError::leaves_nothing) {
        hub.discard().await;
    }
    made
}

/// One of the texts beside the weights, fetched if it is missing.
async fn text(
    order: Order<'_>,
    part: &Part,
    store: &Store,
    progress: &DownloadProgress<'_>,
) -> Result<String, DownloadError> {
    if !missing(order.channel, store, std::slice::from_ref(part), progress).await?.is_empty() {
        parts::fetch_one(order, store, part, progress).await?;
        tell_obstacle(order, store);
    }
    let gone = || DownloadError::Browser(format!("{} is gone from its storage", part.url));
    let mut text = String::new();
    let mut file = SplitFile::new(store.pieces(part).await.ok_or_else(gone)?)?;
    file.read_to_string(&mut text).map_err(|error| DownloadError::Browser(error.to_string()))?;
    Ok(text)
}

/// The arguments of a stream.
struct Hub<'a> {
    order: Order<'a>,
    weights: &'a Part,
    texts: Texts<'a>,
    store: &'a Store,
}

impl Hub<'_> {
    fn failed(&self, source: CheckpointError) -> DownloadError {
        DownloadError::Convert { url: self.weights.url.clone(), source }
    }

    fn anew(&self) -> Result<Streaming, DownloadError> {
        let streaming = Streaming::new(self.texts, &self.order.entry.title, self.weights.bytes);
        streaming.map_err(|error| self.failed(error))
    }

    /// The stream in the state that was stored last, or a new one.
    async fn open(&self) -> Result<Stream, DownloadError> {
        let (mut file, mut state) = (NewFile::new(None), Vec::new());
        if let Some(folder) = self.store.make_folder().await {
            match folder.open(DRAFT).await {
                Ok(stored) => {
                    file = NewFile::new(Some(stored));
                    state = folder.read(STATE).await.unwrap_or_default();
                }
                Err(error) => self.store.set_obstacle(reason(&error)),
            }
        }
        if let Some(StreamState { position: saved, etag, saved: rest }) = StreamState::parse(&state) {
            match self.resume(rest, &mut file).await {
                Ok(streaming) => {
                    let etag = Some(etag.to_string()).filter(|etag| !etag.is_empty());
                    return Ok(Stream { streaming, file, etag, saved });
                }
                Err(error) => self.tell_unfit(&error),
            }
        }
        Ok(Stream { streaming: self.anew()?, file, etag: None, saved: 0 })
    }

    /// Resumes from a stored state, after the file was found to have the bytes that were written to it.
    async fn resume(&self, saved: &[u8], file: &mut NewFile) -> Result<Streaming, CheckpointError> {
        let (title, bytes) = (&self.order.entry.title, self.weights.bytes);
        let streaming = Streaming::resume(self.texts, title, bytes, saved, file)?;
        let mut comparison = streaming.comparison();
        file.seek(SeekFrom::Start(0))?;
        pass(self.order.channel, file, |bytes| comparison.update(bytes)).await?;
        comparison.finish().map(|()| streaming)
    }

    /// Tells the page that the stored state cannot be used: it is damaged, or belongs to an older catalog or site.
    fn tell_unfit(&self, error: &CheckpointError) {
        let title = &self.order.entry.title;
        self.order.channel.send(&Event::Notice(format!(
            "What this browser had stored of {title} cannot be gone on from ({error}), so the download starts again."
        )));
    }

    /// Takes the bytes of one answer.
    async fn flow(&self, stream: &mut Stream, progress: &DownloadProgress<'_>) -> Result<(), DownloadError> {
        let policy = self.order.policy;
        let (from, etag) = (stream.streaming.position(), stream.etag.clone());
        let mut transfer = Transfer::start(
            self.order.channel,
            TransferRequest {
                url: &self.weights.url,
                name: &self.weights.url,
                bytes: self.weights.bytes,
                from,
                // A weak etag does not say that the bytes are the same.
                etag: etag.as_deref().filter(|etag| !etag.starts_with("W/")),
                cache: RequestCache::NoStore, // the converted file is stored, not the answer
                stall_ms: policy.stall_ms,
            },
        )
        .await?;
        if transfer.position() != from {
            self.start_again(stream, transfer.position(), progress)?;
        }
        stream.etag = transfer.etag.clone();
        let mut buffer = Vec::new();
        while let Some(chunk) = transfer.next().await? {
            copy(&chunk, &mut buffer);
            for piece in buffer.chunks(PIECE) {
                let unsaved = stream.streaming.position() - stream.saved;
                if unsaved + piece.len() as u64 > policy.checkpoint_bytes {
                    self.save(stream).await;
                }
                self.take(stream, piece)?;
                progress.arrived(piece.len() as u64);
            }
        }
        Ok(())
    }

    fn take(&self, stream: &mut Stream, bytes: &[u8]) -> Result<(), DownloadError> {
        let is_known = stream.streaming.output_length().is_some();
        stream.streaming.push(bytes, &mut stream.file).map_err(|error| self.failed(error))?;
        if let (false, Some(length)) = (is_known, stream.streaming.output_length()) {
            let too_long = |_| DownloadError::Memory { title: self.order.entry.title.clone(), bytes: length };
            stream.file.set_length(length).map_err(too_long)?;
        }
        if let Some(obstacle) = stream.file.take_obstacle() {
            self.store.set_obstacle(obstacle);
        }
        tell_obstacle(self.order, self.store);
        Ok(())
    }

    /// Starts over if the answer begins at 0 instead of the position that was asked for; fails if it begins elsewhere.
    fn start_again(&self, stream: &mut Stream, at: u64, progress: &DownloadProgress<'_>) -> Result<(), DownloadError> {
        let (url, received, bytes) = (self.weights.url.clone(), stream.streaming.position(), self.weights.bytes);
        if at > 0 {
            let reason = format!("the server sent the file from byte {at} on");
            return Err(DownloadError::Network { url, received, bytes, reason });
        }
        let notice =
            "The server sends the weights from their beginning instead of the rest, so the download starts again.";
        self.order.channel.send(&Event::Notice(notice.to_string()));
        progress.lost(received);
        (stream.streaming, stream.saved) = (self.anew()?, 0);
        Ok(())
    }

    /// Stores the state of the stream. If that fails, the stream goes on; after an interruption more is fetched again.
    async fn save(&self, stream: &mut Stream) {
        let Some(folder) = self.store.folder().filter(|_| !stream.file.is_in_memory()) else { return };
        let position = stream.streaming.position();
        let saved = stream.streaming.save(&mut stream.file);
        if let Ok(saved) = saved
            && stream.file.flush().is_ok()
        {
            let state = StreamState { position, etag: stream.etag.as_deref().unwrap_or_default(), saved: &saved };
            if folder.write(STATE, &Uint8Array::from(state.to_bytes().as_slice())).await.is_ok() {
                stream.saved = position;
            }
        }
    }

    async fn discard(&self) {
        if let Some(folder) = self.store.folder() {
            // If the files cannot be removed, the next resume compares them with their checksums.
            drop(folder.remove(STATE).await);
            drop(folder.remove(DRAFT).await);
        }
    }

    /// Checks that the stream was the file that the catalog names, and that the GGUF has the bytes that were written,
    /// and keeps the GGUF.
    async fn finish(&self, stream: Stream) -> Result<Part, DownloadError> {
        let Stream { streaming, mut file, .. } = stream;
        let comparison = streaming.comparison();
        let found = hex(&streaming.finish(&mut file).map_err(|error| self.failed(error))?);
        if !found.eq_ignore_ascii_case(&self.weights.sha256) {
            let (url, expected) = (self.weights.url.clone(), self.weights.sha256.clone());
            return Err(DownloadError::Discarded { url, expected, found });
        }
        file.flush().map_err(|error| DownloadError::Browser(error.to_string()))?;
        let pieces = match (file.is_in_memory(), self.store.folder()) {
            (false, Some(folder)) => {
                drop(file);
                let gone = || DownloadError::Browser(format!("{DRAFT} is gone from its storage"));
                vec![FilePiece::File(folder.file(DRAFT).await.ok_or_else(gone)?.into(), None)]
            }
            _ => file.into_pieces(),
        };
        let part = self.verify(&pieces, comparison).await?;
        match (pieces.as_slice(), self.store.folder()) {
            ([FilePiece::File(..)], Some(folder)) => folder.rename(DRAFT, &part.sha256).await?,
            _ => self.store.keep_in_memory(&part, pieces),
        }
        Ok(part)
    }

    /// Reads the GGUF again. It must have the bytes that were written, and be the file that the catalog names, if it
    /// names one.
    async fn verify(&self, pieces: &[FilePiece], mut comparison: Comparison) -> Result<Part, DownloadError> {
        let failed = |error: std::io::Error| DownloadError::Browser(error.to_string());
        let beside = |bytes: &[u8]| comparison.update(bytes);
        let hashes = hash_beside(self.order.channel, pieces.iter().cloned(), beside).await?;
        let Hashes { sha256, checksums } = hashes.map_err(failed)?;
        let Entry { id, title, converted, .. } = self.order.entry;
        comparison.finish().map_err(|source| DownloadError::Changed { title: title.clone(), source })?;
        let part = Part { url: format!("{id}.gguf"), bytes: pieces.iter().map(FilePiece::length).sum(), sha256 };
        if let Some(expected) = converted.as_ref().filter(|converted| !converted.is_file(part.bytes, &part.sha256)) {
            let (title, expected) = (title.clone(), expected.sha256.clone());
            return Err(DownloadError::Converted { title, expected, found: part.sha256 });
        }
        self.store.set_checksums(&part, checksums);
        Ok(part)
    }
}
