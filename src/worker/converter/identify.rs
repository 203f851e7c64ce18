//! Finds out what the files are that the reader handed over.

use std::io::BufReader;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, File};

use super::super::blob::BlobFile;
use super::super::storage::{SplitFile, Store, reason};
use crate::app::own::texts;
use crate::app::protocol::{Answers, Description, Finding};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::{self, CheckpointInfo, ImportError, Inspection, Named, Need, Pause};
use crate::checkpoint::precision::Precision;
use crate::tokenizer::TokenizerSpec;

/// GPT-2's id in the catalog, and the number of its tokens.
const GPT2: &str = "gpt2";
const GPT2_TOKENS: usize = 50_257;

/// Open files.
pub type BlobFiles = Vec<Named<BufReader<BlobFile>>>;

/// Opens the files.
pub fn named(files: &[Blob]) -> Result<BlobFiles, JsValue> {
    let named = |file: &Blob| {
        let name = file.dyn_ref::<File>().map(File::name).unwrap_or_default();
        Ok(Named { name, reader: BlobFile::open(file.clone())? })
    };
    files.iter().map(named).collect()
}

/// The precision in which the weights are to be kept.
pub fn precision(answers: &Answers, info: &CheckpointInfo) -> Option<Precision> {
    match answers.as_they_are {
        Some(as_they_are) => (!as_they_are).then_some(Precision::Q8_0),
        None => info.usual_precision(),
    }
}

/// Describes these files for the page.
pub async fn inspect(files: Vec<Blob>, answers: &Answers, pause: Pause<'_>) -> Finding {
    let mut files = match named(&files) {
        Ok(files) => files,
        Err(error) => return Finding::Failed(refused(&reason(&error))),
    };
    match identify(&mut files, answers, pause).await {
        Ok(Inspection::Ready(info)) => Finding::Ready(describe(&info, &files, answers)),
        Ok(Inspection::Needs(needs)) => Finding::Needs(needs.iter().map(texts::question).collect()),
        Err(error @ ImportError::File { source: CheckpointError::Read { .. }, .. }) => {
            Finding::Failed(format!("{} If it is a folder, choose it with the button for folders.", error.sentence()))
        }
        Err(error) => Finding::Failed(error.sentence()),
    }
}

fn describe(info: &CheckpointInfo, files: &BlobFiles, answers: &Answers) -> Description {
    let precision = precision(answers, info);
    texts::description(&info.summary(precision), files.iter().map(|file| file.name.as_str()), precision.is_none())
}

/// The sentence for files that cannot be opened for this reason.
pub fn refused(reason: &str) -> String {
    format!("This cannot be opened: {}.", reason.trim_end_matches('.'))
}

/// Finds out what these files are. A model without a tokenizer that has GPT-2's number of tokens gets GPT-2's
/// tokenizer, if GPT-2 is stored here. `pause` is awaited after each step.
pub async fn identify(files: &mut BlobFiles, answers: &Answers, pause: Pause<'_>) -> Result<Inspection, ImportError> {
    let Answers { heads, alphabet, .. } = answers.clone();
    let mut answers = import::Answers { heads: heads.map(|heads| heads as usize), alphabet, tokenizer: None };
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
    let named = Named { name: GPT2.to_string(), reader: SplitFile::new(pieces).ok()? };
    match import::inspect(&mut [named], &import::Answers::default()).ok()? {
        Inspection::Ready(info) => Some(info.tokenizer),
        Inspection::Needs(_) => None,
    }
}
