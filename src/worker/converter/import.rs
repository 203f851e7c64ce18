//! Converts files to the GGUF that the engine runs.

use std::io::{self, BufWriter, Read, Seek, Write};

use web_sys::Blob;

use super::super::channel::Channel;
use super::super::storage::{NewFile, StoredFile, Unkept, reason};
use super::identify::{BlobFiles, identify, open, precision, weight_names};
use super::output::{Checked, ConversionProgress, OutputError, write_out};
use super::read_ahead::ReadAhead;
use crate::app::own::{NAME, texts};
use crate::app::protocol::{Answers, Event, FileLocation, GgufFile, Task};
use crate::checkpoint::import::{CheckpointInfo, Inspection, Named, Pause, to_gguf};
use crate::checkpoint::precision::Precision;

/// Bytes that are hashed in one step.
const HASHED: u64 = 4 << 20;
/// Bytes that are written at once. Chromium's storage takes a third more time for pieces of a quarter of that.
const WRITTEN: usize = 1 << 20;

/// Converts the model in these files to a GGUF, and sends the page the result.
pub async fn import(channel: &Channel, run: u32, files: Vec<Blob>, names: Vec<String>, answers: &Answers) {
    match convert(channel, run, (files, names), answers).await {
        Ok((file, blob)) => channel.send_with(&Event::Converted { run, file }, blob),
        Err(OutputError::Interrupted) => channel.send(&Event::Interrupted { run }),
        Err(error) => channel.send(&Event::Failed { task: Task::Run(run), message: error.sentence() }),
    }
}

async fn convert(
    channel: &Channel,
    run: u32,
    (blobs, names): (Vec<Blob>, Vec<String>),
    answers: &Answers,
) -> Result<(GgufFile, Option<Blob>), OutputError> {
    let (mut files, blobs) = open(blobs, names)?;
    let pause: Pause = &|| Box::pin(async { _ = channel.interrupted().await });
    let identified = channel.unless_interrupted(identify(&mut files, answers, pause)).await;
    let info = match identified.ok_or(OutputError::Interrupted)?? {
        Inspection::Ready(info) => *info,
        Inspection::Needs(_) => return Err(OutputError::Because("something is missing".to_string())),
    };
    let title = texts::name(weight_names(&info, &files));
    let precision = precision(answers, &info);
    let event = |done, all| Event::Importing { run, done, all };
    let (file, blob) = match info.as_it_stands().filter(|_| precision.is_none()) {
        Some(file) => {
            let blob = Some(blobs[file].clone());
            let unnamed = file_of(blobs[file].size() as u64, String::new(), Vec::new(), FileLocation::Message);
            channel.send_with(&Event::Runs { run, file: GgufFile { title: title.clone(), ..unnamed } }, blob.clone());
            (hash(channel, &mut files, file, &blobs, &event).await?, blob)
        }
        None => write(channel, &info, (&mut files, &blobs), precision, &event).await?,
    };
    Ok((GgufFile { title, ..file }, blob))
}

/// Hashes a GGUF that runs unchanged. It is not copied.
async fn hash(
    channel: &Channel,
    files: &mut BlobFiles,
    file: usize,
    blobs: &[Blob],
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<GgufFile, OutputError> {
    let bytes = blobs[file].size() as u64;
    let steps = (0..bytes).step_by(HASHED as usize).map(|start| start..bytes.min(start + HASHED));
    let mut read_ahead = ReadAhead::new(blobs, steps.clone().map(|step| vec![(file, step)]));
    let (mut progress, mut checked) = (ConversionProgress::new(channel, bytes, event), Checked::new(io::sink()));
    let mut buffer = Vec::new();
    files[file].reader.rewind()?;
    for step in steps {
        read_ahead.serve(files).await;
        buffer.resize((step.end - step.start) as usize, 0);
        files[file].reader.read_exact(&mut buffer)?;
        checked.write_all(&buffer)?;
        progress.step(buffer.len() as u64).await?;
    }
    let (_, sha256, checksums) = checked.finish();
    Ok(file_of(bytes, sha256, checksums, FileLocation::Message))
}

/// Writes the GGUF into storage, or into memory if there is no storage.
async fn write(
    channel: &Channel,
    info: &CheckpointInfo,
    (files, blobs): (&mut BlobFiles, &[Blob]),
    precision: Option<Precision>,
    event: &dyn Fn(u64, u64) -> Event,
) -> Result<(GgufFile, Option<Blob>), OutputError> {
    let plan = to_gguf(info, NAME, precision).map_err(|error| OutputError::Because(error.to_string()))?;
    let bytes = plan.length();
    let (unkept, file) = match Unkept::create().await {
        Ok((unkept, file)) => (Some(unkept), Some(file)),
        Err(_) => (None, None), // no storage, as on plain http: the file is made in memory
    };
    let mut progress = ConversionProgress::new(channel, bytes, event);
    let mut writer = BufWriter::with_capacity(WRITTEN, Checked::new(room(file, bytes)?));
    let mut read_ahead = ReadAhead::new(blobs, plan.reads(info));
    let prepare = async |files: &mut [Named<_>]| read_ahead.serve(files).await;
    let written = write_out(plan, info, files, &mut writer, &mut progress, prepare).await;
    let (file, sha256, checksums) = writer.into_parts().0.finish();
    let in_memory = file.is_in_memory();
    let pieces = file.into_blob(); // closes the file, since an open file cannot be removed
    match (written, unkept) {
        (Ok(()), Some(unkept)) if !in_memory => {
            let name = unkept.name().to_string();
            // The lock is held until this worker ends; by then the engine holds it too.
            unkept.hold();
            Ok((file_of(bytes, sha256, checksums, FileLocation::Unkept(name)), None))
        }
        (written, unkept) => {
            if let Some(unkept) = unkept {
                unkept.remove().await;
            }
            written?;
            let blob = pieces.map_err(|error| OutputError::Because(reason(&error)))?;
            Ok((file_of(bytes, sha256, checksums, FileLocation::Message), Some(blob)))
        }
    }
}

/// The file, with room for all its bytes.
fn room(file: Option<StoredFile>, bytes: u64) -> io::Result<NewFile> {
    let mut file = NewFile::new(file);
    file.set_length(bytes)?;
    Ok(file)
}

fn file_of(bytes: u64, sha256: String, checksums: Vec<u64>, location: FileLocation) -> GgufFile {
    GgufFile { id: sha256.clone(), title: String::new(), bytes, sha256, checksums, location }
}
