//! What the files are that the reader handed over.

use std::io::BufReader;

use wasm_bindgen::JsValue;
use web_sys::File;

use super::super::blob::BlobFile;
use super::super::storage::{Pieces, Store, reason};
use crate::app::own::texts;
use crate::app::protocol::{Answers, Description, Finding};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::{self, Draft, ImportError, Inspection, Named, Need, Pause};
use crate::checkpoint::precision::Precision;
use crate::tokenizer::TokenizerSpec;

/// GPT-2's id in the catalog, and how many tokens its tokenizer has.
const GPT2: &str = "gpt2";
const GPT2_TOKENS: usize = 50_257;

/// Open files.
pub type Files = Vec<Named<BufReader<BlobFile>>>;

/// Opens what was handed over.
pub fn named(files: Vec<File>) -> Result<Files, JsValue> {
    files.into_iter().map(|file| Ok(Named { name: file.name(), reader: BlobFile::open(file.into())? })).collect()
}

/// How the weights are to be kept.
pub fn precision(answers: &Answers, draft: &Draft) -> Option<Precision> {
    match answers.as_they_are {
        Some(as_they_are) => (!as_they_are).then_some(Precision::Q8_0),
        None => draft.usual_precision(),
    }
}

/// What these files are, for the page to show.
pub async fn inspect(files: Vec<File>, answers: &Answers, pause: Pause<'_>) -> Finding {
    let mut files = match named(files) {
        Ok(files) => files,
        Err(error) => return Finding::Failed(refused(reason(&error))),
    };
    match look(&mut files, answers, pause).await {
        Ok(Inspection::Ready(draft)) => Finding::Ready(describe(&draft, &files, answers)),
        Ok(Inspection::Needs(needs)) => Finding::Needs(needs.iter().map(texts::question).collect()),
        Err(error @ ImportError::File { source: CheckpointError::Read { .. }, .. }) => {
            Finding::Failed(format!("{} If it is a folder, choose it with the button for folders.", refused(error)))
        }
        Err(error) => Finding::Failed(refused(error)),
    }
}

fn describe(draft: &Draft, files: &Files, answers: &Answers) -> Description {
    let precision = precision(answers, draft);
    texts::description(&draft.summary(precision), files.iter().map(|file| file.name.as_str()), precision.is_none())
}

/// Why files cannot be opened, as a sentence.
pub fn refused(error: impl std::fmt::Display) -> String {
    format!("This cannot be opened: {error}.")
}

/// What these files are. A model of GPT-2's tokens without a tokenizer takes GPT-2's, where that is stored here.
/// `pause` is awaited after each step.
pub async fn look(files: &mut Files, answers: &Answers, pause: Pause<'_>) -> Result<Inspection, ImportError> {
    let Answers { heads, alphabet, .. } = answers.clone();
    let mut answers = import::Answers { heads: heads.map(|heads| heads as usize), alphabet, tokenizer: None };
    let outlook = import::inspect_by_steps(files, &answers, pause).await?;
    let is_gpt2s = |need: &Need| matches!(need, Need::Tokenizer { tokens } if *tokens >= GPT2_TOKENS);
    if let Inspection::Needs(needs) = &outlook
        && needs.iter().any(is_gpt2s)
        && let Some(tokenizer) = stored_tokenizer().await
    {
        answers.tokenizer = Some(tokenizer);
        return import::inspect_by_steps(files, &answers, pause).await;
    }
    Ok(outlook)
}

/// GPT-2's tokenizer, where GPT-2 is stored here.
async fn stored_tokenizer() -> Option<TokenizerSpec> {
    let store = Store::open(GPT2).await;
    let mut pieces = Vec::new();
    for part in store.record().await?.parts {
        pieces.extend(store.pieces(&part).await?);
    }
    let named = Named { name: GPT2.to_string(), reader: Pieces::new(pieces).ok()? };
    match import::inspect(&mut [named], &import::Answers::default()).ok()? {
        Inspection::Ready(draft) => Some(draft.tokenizer),
        Inspection::Needs(_) => None,
    }
}
