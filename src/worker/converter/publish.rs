//! Makes a site whose home is the model that is open, as a zip file. Contents stay where they are stored: the file is put
//! together of headers and slices of them.

use std::io::{self, Write};

use js_sys::{Array, JSON, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, RequestCache, RequestInit, Response, Url};

use super::super::blob::BlobFile;
use super::super::channel::Channel;
use super::super::storage::{FilePiece, reason};
use super::super::time::scope;
use super::export::{because, inspect, open, pieces};
use super::model_pieces::ModelPieces;
use super::output::{ConversionProgress, OutputError, copy};
use crate::app::catalog::{self, Entry};
use crate::app::protocol::{Event, ModelFile, Publication};
use crate::app::publish::document::{APP, MANIFEST, MODULES, TEMPLATE, integrity};
use crate::app::publish::served::{Served, ServedHasher};
use crate::app::publish::website::{CATALOG, Contents, Release, SiteFile, check_texts, find, website, zip_name};
use crate::app::publish::zip::{TooLarge, Zip};
use crate::app::release::File;
use crate::wire::{Read, read};

/// The files of the release that are read, by their names without a hash.
const NAMES: [&str; 5] = [CATALOG, TEMPLATE, APP, MODULES[0], MODULES[1]];

/// What is asked for, and the site that the page is of.
pub struct Order {
    /// What is asked for.
    pub publication: Publication,
    /// Absolute URL of the page.
    pub base: String,
    /// SHA-256 of its `release.json`.
    pub release: String,
}

/// Writes the site. `event` makes an event of the bytes done and all bytes.
pub async fn publish(
    channel: &Channel,
    order: &Order,
    model: Option<ModelFile>,
    files: Vec<Blob>,
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<(Blob, String), OutputError> {
    check_texts(&order.publication).map_err(told)?;
    let source = open(channel, model, files).await?;
    let site = Site { channel, base: &order.base };
    let files: Vec<File> = json(&site.text(MANIFEST, &order.release).await?)?;
    let mut texts = [const { String::new() }; NAMES.len()];
    for (text, name) in texts.iter_mut().zip(NAMES) {
        let file = find(&files, name).map_err(told)?;
        *text = site.text(&file.path, &file.sha256).await?;
    }
    let [catalog, template, app, peargpt, pear_gpt] = &texts;
    let catalog = catalog::check(json(catalog)?).map_err(told)?;

    let (_, info) = inspect(&source)?;
    let known = catalog.iter().find(|entry| entry.id == source.id);
    let mut progress = ConversionProgress::new(channel, all(&source, &files), event);
    let served = hash(&source, known, &mut progress).await?;
    let home = served.entry(known, &info.config, order.publication.title.trim()).map_err(told)?;
    let release = Release { files: &files, template, app, modules: [peargpt, pear_gpt], catalog: &catalog };
    let files = website(&release, &home, &order.publication, |_| Ok(())).map_err(told)?;
    let zip = zip(&site, files, &served, &blobs(&source).await?, &mut progress).await?;
    Ok((zip, zip_name(&order.publication.title)))
}

fn told(error: impl std::fmt::Display) -> OutputError {
    OutputError::Because(error.to_string())
}

fn json<T: Read>(text: &str) -> Result<T, OutputError> {
    read(&JSON::parse(text).map_err(because)?).map_err(told)
}

/// Bytes that are read: of the model, and at most of the site.
fn all(source: &ModelPieces, files: &[File]) -> u64 {
    let model: u64 = source.pieces.iter().map(FilePiece::length).sum();
    model + files.iter().map(|file| file.bytes).sum::<u64>()
}

async fn hash(
    source: &ModelPieces,
    known: Option<&Entry>,
    progress: &mut ConversionProgress<'_>,
) -> Result<Served, OutputError> {
    let bytes = source.pieces.iter().map(FilePiece::length).sum();
    let mut hasher = ServedHasher::new(known, bytes);
    copy(&mut pieces(source)?, &mut Each(|bytes: &[u8]| hasher.update(bytes)), progress).await?;
    Ok(hasher.finish())
}

/// The pieces as files.
async fn blobs(source: &ModelPieces) -> Result<Vec<Blob>, OutputError> {
    let mut blobs = Vec::new();
    for piece in &source.pieces {
        blobs.push(piece.blob().await.map_err(because)?);
    }
    Ok(blobs)
}

async fn zip(
    site: &Site<'_>,
    files: Vec<SiteFile>,
    served: &Served,
    model: &[Blob],
    progress: &mut ConversionProgress<'_>,
) -> Result<Blob, OutputError> {
    let (mut zip, mut all) = (Zip::default(), Array::new());
    for SiteFile { path, contents } in files {
        let (bytes, crc, contents) = match contents {
            Contents::Bytes(bytes) => {
                (bytes.len() as u64, crc32fast::hash(&bytes), vec![Uint8Array::from(bytes.as_slice()).into()])
            }
            Contents::Release { path, sha256 } => {
                let blob = site.file(&path, &sha256).await?;
                (blob.size() as u64, crc(&blob, progress).await?, vec![blob.into()])
            }
            Contents::Slice(index) => {
                let start = served.parts[..index].iter().map(|part| part.bytes).sum();
                let bytes = served.parts[index].bytes;
                (bytes, served.crcs[index], slices(model, start, start + bytes).map_err(because)?)
            }
        };
        let header = zip.file(&path, bytes, crc).map_err(|TooLarge| told(TooLarge))?;
        all.push(&Uint8Array::from(header.as_slice()));
        all.extend(contents);
    }
    all.push(&Uint8Array::from(zip.end().map_err(told)?.as_slice()));
    let options = BlobPropertyBag::new();
    options.set_type("application/zip");
    Blob::new_with_blob_sequence_and_options(&all, &options).map_err(because)
}

async fn crc(blob: &Blob, progress: &mut ConversionProgress<'_>) -> Result<u32, OutputError> {
    let (mut reader, mut crc) = (BlobFile::open(blob.clone()).map_err(because)?, crc32fast::Hasher::new());
    copy(&mut reader, &mut Each(|bytes: &[u8]| crc.update(bytes)), progress).await?;
    Ok(crc.finalize())
}

/// These bytes of several files that follow each other.
fn slices(files: &[Blob], start: u64, end: u64) -> Result<Vec<JsValue>, JsValue> {
    let (mut found, mut begin) = (Vec::new(), 0);
    for file in files {
        let behind = begin + file.size() as u64;
        let (from, to) = (start.max(begin), end.min(behind));
        if from < to {
            found.push(file.slice_with_f64_and_f64((from - begin) as f64, (to - begin) as f64)?.into());
        }
        begin = behind;
    }
    Ok(found)
}

/// Hands on what is written.
struct Each<F>(F);

impl<F: FnMut(&[u8])> Write for Each<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The site that the page is of.
struct Site<'a> {
    channel: &'a Channel,
    base: &'a str,
}

impl Site<'_> {
    /// A file of it. The browser refuses one that has another hash; what its cache has may be damaged.
    async fn file(&self, path: &str, sha256: &str) -> Result<Blob, OutputError> {
        if let Ok(file) = self.fetch(path, sha256, RequestCache::Default).await? {
            return Ok(file);
        }
        let file = self.fetch(path, sha256, RequestCache::Reload).await?;
        file.map_err(|reason| {
            let lost = "of this site could not be fetched as it was built";
            told(format!("{path} {lost} ({reason}); check the connection, or reload the page, and try again"))
        })
    }

    /// The same, once; the inner error is a reason.
    async fn fetch(&self, path: &str, sha256: &str, cache: RequestCache) -> Result<Result<Blob, String>, OutputError> {
        let (url, init) = (Url::new_with_base(path, self.base).map_err(because)?, RequestInit::new());
        init.set_integrity(&integrity(sha256));
        init.set_cache(cache);
        let answer = match self.wait(&scope().fetch_with_str_and_init(&url.href(), &init)).await? {
            Ok(answer) => answer.unchecked_into::<Response>(),
            Err(error) => return Ok(Err(reason(&error))),
        };
        let blob = self.wait(&answer.blob().map_err(because)?).await?;
        Ok(blob.map(JsCast::unchecked_into).map_err(|error| reason(&error)))
    }

    async fn text(&self, path: &str, sha256: &str) -> Result<String, OutputError> {
        let file = self.file(path, sha256).await?;
        let text = self.wait(&file.text()).await?.map_err(because)?;
        Ok(text.as_string().unwrap_or_default())
    }

    /// What a promise brings, unless a request comes in.
    async fn wait(&self, promise: &js_sys::Promise) -> Result<Result<JsValue, JsValue>, OutputError> {
        let brought = self.channel.unless_interrupted(JsFuture::from(promise.clone())).await;
        brought.ok_or(OutputError::Interrupted)
    }
}
