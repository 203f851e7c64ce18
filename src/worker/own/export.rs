//! The model that is open, written into files to take along.

use std::io::{self, Write};

use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, Url};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::channel::Channel;
use super::super::storage::{MemoryFile, reason};
use super::super::time::{FRAME_MS, now, sleep};
use super::written::write_out;
use crate::app::own::{NAME, is_own, texts};
use crate::app::protocol::{Event, Export, ModelSummary};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::Model;
use crate::checkpoint::export::{self, File};
use crate::checkpoint::precision::Precision;

/// Milliseconds for which a file is there. The page has the browser store it at once, and no browser that has begun with
/// that asks for it again.
const KEPT_MS: u32 = 60_000;

/// The file that was written last, held by the browser until it is let go.
#[derive(Default)]
pub struct Exported(Option<String>);

impl Exported {
    /// Holds this one in its place, for some time.
    fn hold(&mut self, blob: &Blob) -> Result<String, JsValue> {
        let url = Url::create_object_url_with_blob(blob)?;
        self.0 = Some(url.clone());
        let held = url.clone();
        spawn_local(async move {
            drop(sleep(KEPT_MS).await);
            // Where it has been let go before, nothing happens.
            drop(Url::revoke_object_url(&held));
        });
        Ok(url)
    }

    /// Lets the browser forget it.
    pub fn let_go(&mut self) {
        if let Some(url) = self.0.take() {
            // An address that is none any more is no error.
            drop(Url::revoke_object_url(&url));
        }
    }
}

/// Why nothing was exported.
pub enum ExportFailure {
    /// A request came in.
    Interrupted,
    /// The reason, for people to read.
    Because(String),
}

impl From<CheckpointError> for ExportFailure {
    fn from(error: CheckpointError) -> Self {
        ExportFailure::Because(error.to_string())
    }
}

impl From<io::Error> for ExportFailure {
    fn from(error: io::Error) -> Self {
        ExportFailure::Because(error.to_string())
    }
}

impl From<JsValue> for ExportFailure {
    fn from(error: JsValue) -> Self {
        ExportFailure::Because(reason(&error))
    }
}

/// Writes a model and tells the page where; what was written before is let go.
pub async fn export(
    channel: &Channel,
    run: u32,
    format: Export,
    model: &Model,
    summary: &ModelSummary,
    last: &mut Exported,
) -> Result<(), ExportFailure> {
    last.let_go();
    let file = match format {
        Export::Gguf8 | Export::Gguf16 => gguf(channel, run, format, model, summary).await?,
        Export::HuggingFace => folder(channel, run, model).await?,
    };
    let (blob, name) = (blob(file)?, texts::file_name(&summary.title, format));
    let url = last.hold(&blob)?;
    channel.send(&Event::Exported { run, url, name });
    Ok(())
}

async fn gguf(
    channel: &Channel,
    run: u32,
    format: Export,
    model: &Model,
    summary: &ModelSummary,
) -> Result<MemoryFile, ExportFailure> {
    let precision = match (format, model.precision) {
        (Export::Gguf16, _) => Some(Precision::F16),
        // The very file that the model is known by.
        (_, Precision::Q8_0) => None,
        _ => Some(Precision::Q8_0),
    };
    let name = if is_own(&summary.id) { NAME } else { &summary.title };
    let plan = export::gguf(model, name, precision)?;
    let (mut file, mut progress) = (MemoryFile::default(), Progress::new(channel, run, plan.length()));
    write(channel, plan, model, &mut file, &mut progress).await?;
    Ok(file)
}

/// A zip file of the folder, nothing in it compressed: weights hardly shrink.
async fn folder(channel: &Channel, run: u32, model: &Model) -> Result<MemoryFile, ExportFailure> {
    let precision = if model.precision == Precision::F32 { Precision::F32 } else { Precision::F16 };
    let plans = export::huggingface(model, precision)?;
    let mut progress = Progress::new(channel, run, plans.iter().map(File::length).sum());
    let mut zip = ZipWriter::new(MemoryFile::default());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for plan in plans {
        let is_large = plan.length() >= u64::from(u32::MAX);
        zip.start_file(plan.name(), options.large_file(is_large)).map_err(io::Error::from)?;
        write(channel, plan, model, &mut zip, &mut progress).await?;
    }
    Ok(zip.finish().map_err(io::Error::from)?)
}

async fn write(
    channel: &Channel,
    plan: File,
    model: &Model,
    writer: &mut impl Write,
    progress: &mut Progress<'_>,
) -> Result<(), ExportFailure> {
    let length = plan.length();
    let written = write_out(channel, plan, model, writer, |bytes| progress.tell(bytes)).await;
    progress.before += length;
    written.map_err(|error| error.map_or(ExportFailure::Interrupted, ExportFailure::from))
}

/// The contents, handed to the browser piece by piece.
fn blob(file: MemoryFile) -> Result<Blob, JsValue> {
    let pieces: Array = file.into_chunks().collect();
    Blob::new_with_u8_array_sequence(&pieces)
}

/// Tells the page how far the files have come.
struct Progress<'a> {
    channel: &'a Channel,
    run: u32,
    /// Bytes of the files before this one.
    before: u64,
    all: u64,
    last_sent: f64,
}

impl<'a> Progress<'a> {
    fn new(channel: &'a Channel, run: u32, all: u64) -> Self {
        Progress { channel, run, before: 0, all, last_sent: f64::NEG_INFINITY }
    }

    fn tell(&mut self, bytes: u64) {
        if now() - self.last_sent >= FRAME_MS {
            self.last_sent = now();
            self.channel.send(&Event::Exporting { run: self.run, done: self.before + bytes, all: self.all });
        }
    }
}
