//! The tokenizer: from Hugging Face's files, from nanoGPT's `meta.pkl`, from a text, or from what a reader answered.

pub(super) mod alphabet;
mod ids;
mod tokenizer_json;

use std::io::{Read, Seek};

use super::super::CheckpointError;
use super::super::safetensors::config::Said;
use super::super::safetensors::vocabulary;
use super::json::Json;
use super::parts::Layout;
use super::shape::Shape;
use super::{
    Answers, Content, ImportError, Named, Need, Pause, TINY_SHAKESPEARE, companions, in_file, in_file_by_steps, texts,
};
use crate::tokenizer::TokenizerSpec;
use ids::Ids;

/// GPT-2's tokens; a model of as many or more, with no vocabulary beside it, is taken to have these.
const GPT2: usize = 50_257;

/// The tokenizer, or what is missing for one; at most as many tokens as the embedding has rows.
pub(super) async fn find<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    shape: &Shape,
    said: Option<&Said>,
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Result<TokenizerSpec, Need>, ImportError> {
    let rows = shape.config.vocabulary_size;
    let start = said.and_then(Said::start);
    if let Some(found) = byte_pairs(files, contents, rows, start, pause).await? {
        return Ok(found);
    }
    if let Some(file) = companions::find(files, contents, Content::Pickle)? {
        let alphabet = in_file(files, file, alphabet::meta)?;
        return check_rows(&alphabet, rows, "meta.pkl").map(|()| Ok(alphabet::tokenizer(&alphabet)));
    }
    if let Some(tokenizer) = &answers.tokenizer {
        return check_count(tokenizer.tokens.len(), rows, "the tokenizer").map(|()| Ok(tokenizer.clone()));
    }
    if rows >= GPT2 || shape.layout == Layout::HuggingFace {
        return Ok(Err(Need::Tokenizer { tokens: rows }));
    }
    characters(files, contents, rows, answers, pause).await
}

/// From `vocab.json` and `merges.txt`, or from `tokenizer.json`; `None` where there is neither.
async fn byte_pairs<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    rows: usize,
    start: Option<u32>,
    pause: Pause<'_>,
) -> Result<Option<Result<TokenizerSpec, Need>>, ImportError> {
    let vocabulary = companions::only(files, contents, Content::Vocabulary, pause).await?;
    let merges = merges(files, contents, pause).await?;
    match (vocabulary, merges) {
        (Some(vocabulary), Some(merges)) => {
            let mut json = Json::new(&vocabulary, "vocab.json", pause);
            let mut ids = Ids::new("vocab.json", rows);
            ids.read(&mut json).await?;
            json.end()?;
            let tokens = ids.tokens()?;
            let start = start.filter(|&start| (start as usize) < tokens.len());
            Ok(Some(Ok(vocabulary::spec(tokens, read_merges(&merges, pause).await?, start))))
        }
        (vocabulary, merges) => {
            if let Some(text) = companions::only(files, contents, Content::Tokenizer, pause).await? {
                return Ok(Some(Ok(tokenizer_json::parse(&text, start, rows, pause).await?)));
            }
            let name = match (vocabulary, merges) {
                (Some(_), None) => "merges.txt",
                (None, Some(_)) => "vocab.json",
                _ => return Ok(None),
            };
            Ok(Some(Err(Need::File { name: name.to_string() })))
        }
    }
}

/// `merges.txt`, which a character model has empty.
async fn merges<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    pause: Pause<'_>,
) -> Result<Option<String>, ImportError> {
    let is_empty = |file: &usize| contents[*file] == Content::Empty && files[*file].name == "merges.txt";
    match (0..files.len()).any(|file| is_empty(&file)) {
        true => Ok(Some(String::new())),
        false => companions::only(files, contents, Content::Merges, pause).await,
    }
}

/// The merges of a whole file.
async fn read_merges(text: &str, pause: Pause<'_>) -> Result<Vec<String>, CheckpointError> {
    let (mut merges, mut rest) = (Vec::new(), &text[vocabulary::merges_start(text)..]);
    while !rest.is_empty() {
        let (lines, behind) = texts::cut(rest);
        merges.append(&mut vocabulary::merges_in(lines, text.len() - rest.len())?);
        rest = behind;
        pause().await;
    }
    Ok(merges)
}

/// A character model's: from the answer, or from a text with as many characters.
async fn characters<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    rows: usize,
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Result<TokenizerSpec, Need>, ImportError> {
    if let Some(alphabet) = &answers.alphabet {
        let alphabet: Vec<char> = alphabet.chars().collect();
        return check_rows(&alphabet, rows, "the alphabet").map(|()| Ok(alphabet::tokenizer(&alphabet)));
    }
    for file in (0..files.len()).filter(|&file| contents[file] == Content::Text) {
        let alphabet =
            in_file_by_steps(files, file, async |source| alphabet::of_text(source, rows, pause).await).await?;
        if alphabet.len() == rows {
            return Ok(Ok(alphabet::tokenizer(&alphabet)));
        }
    }
    let proposed = (rows == TINY_SHAKESPEARE.len()).then_some(TINY_SHAKESPEARE);
    Ok(Err(Need::Alphabet { tokens: rows, proposed }))
}

fn check_rows(alphabet: &[char], rows: usize, field: &str) -> Result<(), ImportError> {
    if alphabet.len() == rows {
        return Ok(());
    }
    let expected = format!("{rows} characters, as the model has tokens");
    Err(CheckpointError::field(&field, 0, expected, alphabet.len()).into())
}

/// Fewer tokens than rows are fine: the rest is padding.
fn check_count(count: usize, rows: usize, field: &str) -> Result<(), ImportError> {
    if (1..=rows).contains(&count) {
        return Ok(());
    }
    let expected = format!("1 to {rows} tokens, as the model's embedding has rows");
    Err(CheckpointError::field(&field, 0, expected, count).into())
}
