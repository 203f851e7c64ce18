//! From files to a model.

use std::io;

use web_sys::File;

use super::super::channel::Channel;
use super::super::storage::reason;
use super::super::time::{FRAME_MS, now};
use super::look::{Files, look, named, precision, refused};
use super::written::{Checked, write_out};
use crate::app::own::{NAME, texts};
use crate::app::protocol::{Answers, Event};
use crate::checkpoint::Model;
use crate::checkpoint::import::{Draft, Inspection, Pause};
use crate::checkpoint::{Checkpoint, export};

/// Why nothing was opened.
pub enum ImportFailure {
    /// A request came in.
    Interrupted,
    /// Something is wrong with the files; a sentence.
    Files(String),
}

/// A model of the reader's own.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// What its files are called.
    pub title: String,
    /// SHA-256 of the GGUF file that it becomes, in hex.
    pub sha256: String,
    /// Bytes of that file.
    pub bytes: u64,
}

/// Reads the model in these files.
pub async fn open(channel: &Channel, run: u32, files: Vec<File>, answers: &Answers) -> Result<Opened, ImportFailure> {
    let failed = |error: String| ImportFailure::Files(refused(error));
    let mut files = named(files).map_err(|error| failed(reason(&error)))?;
    let pause: Pause = &|| Box::pin(async { _ = channel.interrupted().await });
    let looked = channel.unless_interrupted(look(&mut files, answers, pause)).await;
    let outlook = looked.ok_or(ImportFailure::Interrupted)?;
    let draft = match outlook.map_err(|error| failed(error.to_string()))? {
        Inspection::Ready(draft) => *draft,
        Inspection::Needs(_) => return Err(failed("something is missing".to_string())),
    };
    let names = files.iter().map(|file| file.name.as_str());
    let title = texts::name(names);
    let checkpoint = load(channel, run, draft, &mut files, answers).await?;
    let model = Model::build(checkpoint).map_err(|error| failed(error.to_string()))?;
    let mut identity = Checked::new(io::sink());
    let file = export::gguf(&model, NAME, None).map_err(|error| failed(error.to_string()))?;
    let bytes = file.length();
    write_out(channel, file, &model, &mut identity, |_| ()).await.map_err(|error| match error {
        Some(error) => failed(error.to_string()),
        None => ImportFailure::Interrupted,
    })?;
    Ok(Opened { model, title, sha256: identity.finish().0, bytes })
}

/// Reads the weights, one tensor at a time, unless a request comes in.
async fn load(
    channel: &Channel,
    run: u32,
    draft: Draft,
    files: &mut Files,
    answers: &Answers,
) -> Result<Checkpoint, ImportFailure> {
    let all = draft.tensors() as u32;
    let precision = precision(answers, &draft);
    let mut loading = draft.loading(precision);
    let mut last_sent = f64::NEG_INFINITY;
    while loading.left() > 0 {
        if now() - last_sent >= FRAME_MS {
            last_sent = now();
            channel.send(&Event::Importing { run, done: all - loading.left() as u32, all });
        }
        if channel.interrupted().await {
            return Err(ImportFailure::Interrupted);
        }
        loading.step(files).map_err(|error| ImportFailure::Files(refused(error)))?;
    }
    Ok(loading.finish())
}
