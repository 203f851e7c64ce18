//! Finds the tokenizer, in Hugging Face's files, in nanoGPT's `meta.pkl`, in a text, or in the reader's answers.

pub(super) mod alphabet;
mod ids;
mod merges;
mod tokenizer_json;

use std::io::{Read, Seek};

use super::json::JsonCursor;
use super::parts::NamedBy;
use super::shape::Shape;
use super::{
    Answers, Content, ImportError, Named, Need, Pause, TINY_SHAKESPEARE, companions, in_file, in_file_by_steps,
};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::import::safetensors::config::HuggingFaceConfig;
use crate::tokenizer::TokenizerSpec;
use ids::Ids;

/// The token that GPT-2 starts from and ends with.
const END_OF_TEXT: &str = "<|endoftext|>";
/// A newline, as GPT-2's byte alphabet spells it: a model without [`END_OF_TEXT`] starts from it.
const NEWLINE: &str = "Ċ";
/// The number of GPT-2's tokens. A model without a vocabulary beside it is taken to have GPT-2's if it has at least as
/// many.
const GPT2: usize = 50_257;

/// The tokenizer, or what is missing for one. It has at most as many tokens as the embedding has rows.
pub(super) async fn find<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    shape: &Shape,
    said: Option<&HuggingFaceConfig>,
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Result<TokenizerSpec, Need>, ImportError> {
    let rows = shape.config.vocabulary_size;
    let start = said.and_then(HuggingFaceConfig::start);
    if let Some(found) = byte_pairs(files, contents, rows, start, pause).await? {
        return Ok(found);
    }
    if let Some(file) = companions::find(files, contents, Content::Pickle)? {
        let alphabet = in_file(files, file, alphabet::meta)?;
        return check_rows(&alphabet, rows, "meta.pkl").map(|()| Ok(TokenizerSpec::of_characters(&alphabet)));
    }
    if let Some(tokenizer) = &answers.tokenizer {
        return check_count(tokenizer.tokens.len(), rows, "the tokenizer").map(|()| Ok(tokenizer.clone()));
    }
    if rows >= GPT2 || shape.layout == NamedBy::HuggingFace {
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
    let merges = merges_text(files, contents, pause).await?;
    match (vocabulary, merges) {
        (Some(vocabulary), Some(merges)) => Ok(Some(Ok(of_texts(&vocabulary, &merges, rows, start, pause).await?))),
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

/// From the texts of `vocab.json` and `merges.txt`. There are at most `rows` tokens; `start` is the start token that
/// `config.json` gives.
pub(super) async fn of_texts(
    vocabulary: &str,
    merges: &str,
    rows: usize,
    start: Option<u32>,
    pause: Pause<'_>,
) -> Result<TokenizerSpec, CheckpointError> {
    let mut json = JsonCursor::new(vocabulary, "vocab.json", pause);
    let mut ids = Ids::new("vocab.json", rows);
    ids.read(&mut json).await?;
    json.end()?;
    Ok(spec(ids.tokens()?, merges::read(merges, pause).await?, start))
}

/// The tokenizer with these pieces. A text starts from the first of these that there is: `start`, `<|endoftext|>`, a
/// newline, the first piece.
fn spec(tokens: Vec<String>, merges: Vec<String>, start: Option<u32>) -> TokenizerSpec {
    let id = |piece| tokens.iter().position(|token| token == piece).map(|id| id as u32);
    let end_of_text = id(END_OF_TEXT);
    let start = start.filter(|&start| (start as usize) < tokens.len());
    let start = start.or(end_of_text).or_else(|| id(NEWLINE)).unwrap_or(0);
    TokenizerSpec { tokens, merges, start, end_of_text }
}

/// The text of `merges.txt`, which is empty for a character model.
async fn merges_text<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    pause: Pause<'_>,
) -> Result<Option<String>, ImportError> {
    let is_empty = |file: &usize| contents[*file] == Content::Empty && files[*file].file_name() == "merges.txt";
    match (0..files.len()).any(|file| is_empty(&file)) {
        true => Ok(Some(String::new())),
        false => companions::only(files, contents, Content::Merges, pause).await,
    }
}

/// The tokenizer of a character model, from the answer, or from a text with as many different characters.
async fn characters<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    rows: usize,
    answers: &Answers,
    pause: Pause<'_>,
) -> Result<Result<TokenizerSpec, Need>, ImportError> {
    if let Some(alphabet) = &answers.alphabet {
        let alphabet: Vec<char> = alphabet.chars().collect();
        return check_rows(&alphabet, rows, "the alphabet").map(|()| Ok(TokenizerSpec::of_characters(&alphabet)));
    }
    for file in (0..files.len()).filter(|&file| contents[file] == Content::Text) {
        let alphabet =
            in_file_by_steps(files, file, async |source| alphabet::of_text(source, rows, pause).await).await?;
        if alphabet.len() == rows {
            return Ok(Ok(TokenizerSpec::of_characters(&alphabet)));
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

/// Fails if there are more tokens than rows. Rows without a token are padding.
fn check_count(count: usize, rows: usize, field: &str) -> Result<(), ImportError> {
    if (1..=rows).contains(&count) {
        return Ok(());
    }
    let expected = format!("1 to {rows} tokens, as the model's embedding has rows");
    Err(CheckpointError::field(&field, 0, expected, count).into())
}

#[cfg(test)]
mod tests {
    use super::super::{at_once, no_pause};
    use super::*;

    #[test]
    fn the_start_is_end_of_text_or_a_newline_where_nothing_is_said() {
        let start =
            |vocabulary, said| at_once(of_texts(vocabulary, "#version: 0.2", 2, said, &no_pause)).unwrap().start;
        assert_eq!(start(r#"{"a":0,"<|endoftext|>":1}"#, None), 1);
        assert_eq!(start(r#"{"a":0,"Ċ":1}"#, None), 1);
        assert_eq!(start(r#"{"a":0,"Ċ":1}"#, Some(0)), 0);
        assert_eq!(start(r#"{"a":0,"Ċ":1}"#, Some(2)), 1);
    }
}
