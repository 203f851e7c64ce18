//! Finds out what the files are that the reader handed over.

use std::io::BufReader;

use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::super::blob::BlobFile;
use super::super::storage::{SplitFile, Store, reason};
use super::output::OutputError;
use crate::app::own::texts;
use crate::app::protocol::{Answers, Description, Finding};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::{
    self, CheckpointInfo, ImportError, Inspection, Named, Need, Pause, ZippedFile, zipped_files,
};
use crate::checkpoint::precision::Precision;
use crate::tokenizer::TokenizerSpec;

/// GPT-2's id in the catalog, and the number of its tokens.
const GPT2: &str = "gpt2";
const GPT2_TOKENS: usize = 50_257;

/// Open files.
pub type BlobFiles = Vec<Named<BufReader<BlobFile>>>;

/// Opens the files of these names. A zip file is replaced by the files in it.
pub fn open(blobs: Vec<Blob>, names: Vec<String>) -> Result<(BlobFiles, Vec<Blob>), OutputError> {
    let (mut files, mut opened) = (Vec::new(), Vec::new());
    for (blob, name) in blobs.into_iter().zip(names) {
        let mut file = named(name, &blob)?;
        let Some(zipped) = zipped_files(&mut file)? else {
            files.push(file);
            opened.push(blob);
            continue;
        };
        for ZippedFile { name, span } in zipped {
            let slice = blob.slice_with_f64_and_f64(span.start as f64, span.end as f64).map_err(because)?;
            files.push(named(name, &slice)?);
            opened.push(slice);
        }
    }
    Ok((files, opened))
}

fn named(name: String, blob: &Blob) -> Result<Named<BufReader<BlobFile>>, OutputError> {
    Ok(Named { name, reader: BlobFile::open(blob.clone()).map_err(because)? })
}

fn because(error: JsValue) -> OutputError {
    OutputError::Because(reason(&error))
}

/// The names of the files that have the model's weights.
pub fn weight_names<'a>(info: &CheckpointInfo, files: &'a BlobFiles) -> impl Iterator<Item = &'a str> {
    info.weight_files().into_iter().map(|file| files[file].name.as_str())
}

/// The precision in which the weights are to be kept.
pub fn precision(answers: &Answers, info: &CheckpointInfo) -> Option<Precision> {
    match answers.as_they_are {
        Some(as_they_are) => (!as_they_are).then_some(Precision::Q8_0),
        None => info.usual_precision(),
    }
}

/// Describes these files for the page.
pub async fn inspect(files: Vec<Blob>, names: Vec<String>, answers: &Answers, pause: Pause<'_>) -> Finding {
    match find(files, names, answers, pause).await {
        Ok(finding) => finding,
        Err(error @ OutputError::Import(ImportError::File { source: CheckpointError::Read { .. }, .. })) => {
            Finding::Failed(format!("{} If it is a folder, choose it with the button for folders.", error.sentence()))
        }
        Err(error) => Finding::Failed(error.sentence()),
    }
}

async fn find(
    files: Vec<Blob>,
    names: Vec<String>,
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Finding, OutputError> {
    let (mut files, _) = open(files, names)?;
    Ok(match identify(&mut files, answers, pause).await? {
        Inspection::Ready(info) => Finding::Ready(describe(&info, &files, answers)),
        Inspection::Needs(needs) => Finding::Needs(needs.iter().map(texts::question).collect()),
    })
}

fn describe(info: &CheckpointInfo, files: &BlobFiles, answers: &Answers) -> Description {
    let precision = precision(answers, info);
    texts::description(&info.summary(precision), weight_names(info, files), precision.is_none())
}

/// Finds out what these files are. A model without a tokenizer that has GPT-2's number of tokens gets GPT-2's
/// tokenizer, if GPT-2 is stored here. `pause` is awaited after each step.
pub async fn identify(files: &mut BlobFiles, answers: &Answers, pause: Pause<'_>) -> Result<Inspection, ImportError> {
    let Answers { model, heads, alphabet, .. } = answers.clone();
    let mut answers = import::Answers { model, heads: heads.map(|heads| heads as usize), alphabet, tokenizer: None };
    let inspection = import::inspect_by_steps(files, &answers, pause).await?;
    let is_gpt2s = |need: &Need| matches!(need, Need::Tokenizer { tokens } if *tokens >= GPT2_TOKENS);
    if let Inspection::Needs(needs) = &inspection
        && needs.iter().any(is_gpt2s)
        && let Some(tokenizer) = stored_tokenizer().await
    {
        answers.tokenizer = Some(tokenizer);
        return import::inspect_by_steps(files, &answers, pause).await;
    }
    Ok(inspection)
}

/// GPT-2's tokenizer, if GPT-2 is stored here.
async fn stored_tokenizer() -> Option<TokenizerSpec> {
    let store = Store::open(GPT2).await;
    let mut pieces = Vec::new();
    for part in store.record().await?.parts {
        pieces.extend(store.pieces(&part).await?);
    }
    let mut named = Named { name: GPT2.to_string(), reader: SplitFile::new(pieces).ok()? };
    import::of_gguf(&mut named).ok().map(|info| info.tokenizer)
}
