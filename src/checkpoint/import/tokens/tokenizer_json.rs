//! `tokenizer.json` of the `tokenizers` library, as far as it is GPT-2's byte-level BPE.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::super::CheckpointError;
use crate::tokenizer::TokenizerSpec;

/// What GPT-2 starts from and ends with.
const END_OF_TEXT: &str = "<|endoftext|>";
const PART: &str = "tokenizer.json";

#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    added_tokens: Vec<Added>,
    pre_tokenizer: Option<Kind>,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    r#type: String,
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
}

/// Two pieces, as one text before `tokenizers` 0.20.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair([String; 2]),
}

/// Reads the file; `start` is the first token that `config.json` says.
pub(super) fn parse(text: &str, start: Option<u32>) -> Result<TokenizerSpec, CheckpointError> {
    let failed = |source| CheckpointError::Json { part: PART, source };
    let Json { added_tokens, pre_tokenizer, model } = serde_json::from_str(text).map_err(failed)?;
    let kinds = (model.r#type.as_str(), pre_tokenizer.as_ref().map(|kind| kind.r#type.as_str()));
    if !matches!(kinds, ("BPE" | "", Some("ByteLevel"))) {
        let found = format!("{} behind {}", kinds.0, kinds.1.unwrap_or("none"));
        return Err(CheckpointError::field(&PART, 0, "BPE behind the pre-tokenizer ByteLevel", found));
    }
    let pieces = model.vocab.into_iter().chain(added_tokens.into_iter().map(|added| (added.content, added.id)));
    let tokens = by_id(pieces.collect())?;
    let merges = model.merges.into_iter().map(|merge| match merge {
        Merge::Line(line) => line,
        Merge::Pair([left, right]) => format!("{left} {right}"),
    });
    let end_of_text = tokens.iter().position(|token| token == END_OF_TEXT).map(|id| id as u32);
    let start = start.filter(|&start| (start as usize) < tokens.len()).or(end_of_text).unwrap_or(0);
    Ok(TokenizerSpec { tokens, merges: merges.collect(), start, end_of_text })
}

/// Each id exactly once; an added token may be one of the vocabulary.
fn by_id(pieces: BTreeMap<String, u32>) -> Result<Vec<String>, CheckpointError> {
    let mut tokens = vec![None; pieces.len()];
    for (piece, id) in pieces {
        match tokens.get_mut(id as usize) {
            Some(place @ None) => *place = Some(piece),
            Some(Some(_)) => return Err(CheckpointError::field(&PART, 0, "each id once", format!("{id} twice"))),
            None => return Err(CheckpointError::field(&PART, 0, format!("ids below {}", tokens.len()), id)),
        }
    }
    Ok(tokens.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pre_tokenizer: &str, merges: &str) -> String {
        format!(
            r#"{{"pre_tokenizer":{{"type":"{pre_tokenizer}"}},"added_tokens":[{{"id":2,"content":"<|endoftext|>"}}],
                "model":{{"type":"BPE","vocab":{{"a":0,"b":1}},"merges":{merges}}}}}"#
        )
    }

    #[test]
    fn both_forms_of_merges_are_read() {
        for merges in [r#"["a b"]"#, r#"[["a","b"]]"#] {
            let found = parse(&file("ByteLevel", merges), None).unwrap();
            let tokens = ["a", "b", "<|endoftext|>"].map(String::from).to_vec();
            let expected = TokenizerSpec { tokens, merges: vec!["a b".to_string()], start: 2, end_of_text: Some(2) };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn other_tokenizers_are_named() {
        let error = parse(&file("Metaspace", "[]"), None).unwrap_err().to_string();
        assert!(error.ends_with("found BPE behind Metaspace"), "{error}");
    }
}
