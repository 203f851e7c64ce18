//! Exports a model's GGUF as files for other programs.

use std::io::{self, Seek};

use wasm_bindgen::JsValue;
use web_sys::Blob;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::channel::Channel;
use super::super::storage::{MemoryFile, SplitFile, reason};
use super::model_pieces::ModelPieces;
use super::output::{ConversionProgress, OutputError, copy, write_out};
use crate::app::own::{NAME, is_own, texts};
use crate::app::protocol::{Event, Export, ModelFile, Task};
use crate::checkpoint::export::huggingface;
use crate::checkpoint::import::{self, CheckpointInfo, Named, OutputFile, to_gguf};
use crate::checkpoint::precision::Precision;

/// Sends the page a file that has been written of a model, with its name.
pub fn answer(channel: &Channel, run: u32, written: Result<(Blob, String), OutputError>) {
    match written {
        Ok((blob, name)) => channel.send_with(&Event::Exported { run, url: String::new(), name }, Some(blob)),
        Err(OutputError::Interrupted) => channel.send(&Event::Interrupted { run }),
        Err(error) => {
            let message = format!("The file could not be written: {}.", error.to_string().trim_end_matches('.'));
            channel.send(&Event::Failed { task: Task::Run(run), message });
        }
    }
}

/// The file of the model that is open.
pub async fn open(channel: &Channel, model: Option<ModelFile>, files: Vec<Blob>) -> Result<ModelPieces, OutputError> {
    let none = || OutputError::Because("no model is open; load one first".to_string());
    Ok(ModelPieces::open(channel, model.ok_or_else(none)?, files.into_iter().next()).await?)
}

/// Writes a model in a format. `event` makes an event of the bytes done and all bytes.
pub async fn export(
    channel: &Channel,
    format: Export,
    model: Option<ModelFile>,
    files: Vec<Blob>,
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<(Blob, String), OutputError> {
    let source = open(channel, model, files).await?;
    let (mut files, info) = inspect(&source)?;
    let name = if is_own(&source.id) { NAME } else { &source.title };
    let kept = info.precision(None);
    let blob = match format {
        Export::Gguf8 if kept == Precision::Q8_0 => whole(channel, &source, event).await?,
        Export::Gguf8 => gguf(channel, &info, &mut files, (name, Precision::Q8_0), event).await?,
        Export::Gguf16 => gguf(channel, &info, &mut files, (name, Precision::F16), event).await?,
        Export::HuggingFace => {
            let precision = if kept == Precision::F32 { Precision::F32 } else { Precision::F16 };
            folder(channel, &info, &mut files, precision, event).await?
        }
    };
    Ok((blob, texts::file_name(&source.title, format)))
}

/// What the model's file says.
pub fn inspect(source: &ModelPieces) -> Result<([Named<SplitFile>; 1], CheckpointInfo), OutputError> {
    let reader = pieces(source)?;
    let mut files = [Named { name: format!("{}.gguf", source.title), reader }];
    let info = import::of_gguf(&mut files[0])?;
    Ok((files, info))
}

/// The model's file.
pub fn pieces(source: &ModelPieces) -> Result<SplitFile, OutputError> {
    SplitFile::new(source.pieces.iter().cloned()).map_err(because)
}

/// What the browser refused.
pub fn because(error: JsValue) -> OutputError {
    OutputError::Because(reason(&error))
}

/// A copy of the model's own file. Every byte of it has been read and checked.
async fn whole(
    channel: &Channel,
    source: &ModelPieces,
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<Blob, OutputError> {
    let mut reader = pieces(source)?;
    let bytes = reader.seek(io::SeekFrom::End(0))?;
    reader.rewind()?;
    let (mut file, mut progress) = (MemoryFile::default(), ConversionProgress::new(channel, bytes, event));
    copy(&mut reader, &mut file, &mut progress).await?;
    file.into_blob().map_err(because)
}

async fn gguf(
    channel: &Channel,
    info: &CheckpointInfo,
    files: &mut [Named<SplitFile>],
    (name, precision): (&str, Precision),
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<Blob, OutputError> {
    let plan = to_gguf(info, name, Some(precision)).map_err(|error| OutputError::Because(error.to_string()))?;
    let (mut file, mut progress) = (MemoryFile::default(), ConversionProgress::new(channel, plan.length(), event));
    write_out(plan, info, files, &mut file, &mut progress, async |_| {}).await?;
    file.into_blob().map_err(because)
}

/// A zip file of the folder. Nothing in it is compressed, since weights hardly shrink.
async fn folder(
    channel: &Channel,
    info: &CheckpointInfo,
    files: &mut [Named<SplitFile>],
    precision: Precision,
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<Blob, OutputError> {
    let plans = huggingface(info, precision).map_err(|error| OutputError::Because(error.to_string()))?;
    let mut progress = ConversionProgress::new(channel, plans.iter().map(OutputFile::length).sum(), event);
    let mut zip = ZipWriter::new(MemoryFile::default());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for plan in plans {
        let is_large = plan.length() >= u64::from(u32::MAX);
        zip.start_file(plan.name(), options.large_file(is_large)).map_err(io::Error::from)?;
        write_out(plan, info, files, &mut zip, &mut progress, async |_| {}).await?;
    }
    zip.finish().map_err(io::Error::from)?.into_blob().map_err(because)
}
