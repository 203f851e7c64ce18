//! Reads `tokenizer.json` of the `tokenizers` library, if it describes GPT-2's byte-level BPE.

use super::super::Pause;
use super::super::json::JsonCursor;
use super::ids::Ids;
use crate::checkpoint::CheckpointError;
use crate::tokenizer::TokenizerSpec;

const PART: &str = "tokenizer.json";

/// The contents that are used.
struct Found {
    ids: Ids,
    merges: Vec<String>,
    /// The types of the model and of its pre-tokenizer.
    model: String,
    pre_tokenizer: Option<String>,
}

/// Reads the file. `start` is the start token that `config.json` gives, `most` the number of tokens that the model has
/// room for.
pub(super) async fn parse(
    text: &str,
    start: Option<u32>,
    most: usize,
    pause: Pause<'_>,
) -> Result<TokenizerSpec, CheckpointError> {
    let Found { ids, merges, model, pre_tokenizer } = find(text, most, pause).await?;
    let kinds = (model.as_str(), pre_tokenizer.as_deref());
    if !matches!(kinds, ("BPE" | "", Some("ByteLevel"))) {
        let found = format!("{} behind {}", kinds.0, kinds.1.unwrap_or("none"));
        return Err(CheckpointError::field(&PART, 0, "BPE behind the pre-tokenizer ByteLevel", found));
    }
    Ok(super::spec(ids.tokens()?, merges, start))
}

async fn find(text: &str, most: usize, pause: Pause<'_>) -> Result<Found, CheckpointError> {
    let (ids, model) = (Ids::new(PART, most), String::new());
    let mut found = Found { ids, merges: Vec::new(), model, pre_tokenizer: None };
    let json = &mut JsonCursor::new(text, PART, pause);
    json.begin(b'{')?;
    while let Some(key) = json.key().await? {
        match &*key {
            "added_tokens" => found.read_added(json).await?,
            "pre_tokenizer" if json.peek() == Some(b'{') => found.read_pre_tokenizer(json).await?,
            "model" => found.read_model(json).await?,
            _ => drop(json.skip().await?),
        }
    }
    json.end()?;
    Ok(found)
}

impl Found {
    /// `[{"id": 0, "content": "…"}, …]`.
    async fn read_added(&mut self, json: &mut JsonCursor<'_, '_>) -> Result<(), CheckpointError> {
        json.begin(b'[')?;
        while json.item().await? {
            let (offset, mut id, mut content) = (json.offset(), None, None);
            json.begin(b'{')?;
            while let Some(key) = json.key().await? {
                match &*key {
                    "id" => id = Some(json.number()?),
                    "content" => content = Some(json.string()?),
                    _ => drop(json.skip().await?),
                }
            }
            let (Some(id), Some(content)) = (id, content) else {
                return Err(json.wrong(offset, "an added token with `id` and `content`", "one without"));
            };
            self.ids.put(&content, id, offset)?;
        }
        Ok(())
    }

    async fn read_pre_tokenizer(&mut self, json: &mut JsonCursor<'_, '_>) -> Result<(), CheckpointError> {
        json.begin(b'{')?;
        while let Some(key) = json.key().await? {
            match &*key {
                "type" => self.pre_tokenizer = Some(json.string()?.into_owned()),
                _ => drop(json.skip().await?),
            }
        }
        Ok(())
    }

    async fn read_model(&mut self, json: &mut JsonCursor<'_, '_>) -> Result<(), CheckpointError> {
        json.begin(b'{')?;
        while let Some(key) = json.key().await? {
            match &*key {
                "type" => self.model = json.string()?.into_owned(),
                // Another type's vocabulary is a list; the error then names the type.
                "vocab" if json.peek() == Some(b'{') => self.ids.read(json).await?,
                "merges" => self.read_merges(json).await?,
                _ => drop(json.skip().await?),
            }
        }
        Ok(())
    }

    /// The merges: pairs of pieces; before `tokenizers` 0.20, one text for each pair.
    async fn read_merges(&mut self, json: &mut JsonCursor<'_, '_>) -> Result<(), CheckpointError> {
        json.begin(b'[')?;
        while json.item().await? {
            let merge = match json.peek() {
                Some(b'[') => read_pair(json).await?,
                _ => json.string()?.into_owned(),
            };
            self.merges.push(merge);
        }
        Ok(())
    }
}

async fn read_pair(json: &mut JsonCursor<'_, '_>) -> Result<String, CheckpointError> {
    let (offset, mut pieces) = (json.offset(), Vec::new());
    json.begin(b'[')?;
    while json.item().await? {
        pieces.push(json.string()?);
    }
    match pieces.as_slice() {
        [left, right] => Ok(format!("{left} {right}")),
        other => Err(json.wrong(offset, "a merge of two pieces", other.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{at_once, no_pause};
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
            let found = at_once(parse(&file("ByteLevel", merges), None, 3, &no_pause)).unwrap();
            let tokens = ["a", "b", "<|endoftext|>"].map(String::from).to_vec();
            let expected = TokenizerSpec { tokens, merges: vec!["a b".to_string()], start: 2, end_of_text: Some(2) };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn other_tokenizers_are_named() {
        let error = at_once(parse(&file("Metaspace", "[]"), None, 3, &no_pause)).unwrap_err().to_string();
        assert!(error.ends_with("found BPE behind Metaspace"), "{error}");
    }
}
