//! Finds the files that have the weights of one model: a file alone, or shards.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use serde::Deserialize;

use super::texts::{MOST_DESCRIPTION, read};
use super::{Content, ImportError, Named, Pause, in_file_by_steps, set_of};
use crate::checkpoint::CheckpointError;

/// The files that have a model's weights.
#[derive(Debug)]
pub(super) struct FoundModel {
    /// The name of the first of them, with its folder.
    pub name: String,
    /// Their kind; all have the same.
    pub content: Content,
    /// Their numbers.
    pub files: Vec<usize>,
    /// Names of the shards that are missing.
    pub missing: Vec<String>,
}

/// An index of shards.
#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// Finds the models: the shards of each index, those that the name of one implies, and every other file with weights.
pub(super) async fn find<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    pause: Pause<'_>,
) -> Result<Vec<FoundModel>, ImportError> {
    let mut left = set_of((0..files.len()).filter(|&file| contents[file].has_weights()));
    let mut models = Vec::new();
    for index in (0..files.len()).filter(|&file| contents[file] == Content::Index) {
        let names = by_index(files, index, pause).await?;
        models.extend(gather(files, contents, index, &names));
    }
    left.retain(|file| !models.iter().any(|model: &FoundModel| model.files.contains(file)));
    while let Some(file) = left.pop_first() {
        let names = siblings(files[file].file_name()).filter(|_| contents[file] != Content::Gguf);
        let shards = names.and_then(|names| gather(files, contents, file, &names));
        let alone = || FoundModel {
            name: files[file].name.clone(),
            content: contents[file],
            files: vec![file],
            missing: vec![],
        };
        let model = shards.unwrap_or_else(alone);
        left.retain(|file| !model.files.contains(file));
        models.push(model);
    }
    // An index may be left over from other weights.
    if models.iter().any(|model| !model.files.is_empty()) {
        models.retain(|model| !model.files.is_empty());
    }
    Ok(models)
}

/// The names of the shards that an index lists.
async fn by_index<R: Read + Seek>(
    files: &mut [Named<R>],
    index: usize,
    pause: Pause<'_>,
) -> Result<BTreeSet<String>, ImportError> {
    let text = in_file_by_steps(files, index, async |source| read(source, MOST_DESCRIPTION, pause).await).await?;
    let failed = |source| CheckpointError::Json { part: "the index of shards", source };
    let Index { weight_map } = serde_json::from_str(&text).map_err(failed)?;
    Ok(set_of(weight_map.into_values()))
}

/// The names of all shards, from that of one: `model-00001-of-00003.safetensors`.
fn siblings(name: &str) -> Option<BTreeSet<String>> {
    const MOST: usize = 1000;
    let (before, rest) = name.split_once("-of-")?;
    let (stem, number) = before.rsplit_once('-')?;
    let (count, extension) = rest.split_once('.')?;
    let (_, all): (usize, usize) = (number.parse().ok()?, count.parse().ok()?);
    let digits = number.len();
    (all <= MOST).then(|| set_of((1..=all).map(|each| format!("{stem}-{each:0digits$}-of-{count}.{extension}"))))
}

/// The model with shards of these names, beside the file `beside` or else elsewhere. `None` without a name.
fn gather<R>(files: &[Named<R>], contents: &[Content], beside: usize, names: &BTreeSet<String>) -> Option<FoundModel> {
    let (folder, mut content) = (files[beside].folder(), None);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let is_shard = |&file: &usize| {
            let is_alike = content.map_or(contents[file].has_weights(), |content| contents[file] == content);
            is_alike && files[file].file_name() == name
        };
        match (0..files.len()).filter(is_shard).min_by_key(|&file| files[file].folder() != folder) {
            Some(file) => {
                content = Some(contents[file]);
                found.push(file);
            }
            None => missing.push(name.clone()),
        }
    }
    let name = match found.first() {
        Some(&file) => files[file].name.clone(),
        None => missing.first()?.clone(),
    };
    Some(FoundModel { name, content: content.unwrap_or(Content::Safetensors), files: found, missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_shard_names_all() {
        let names: Vec<String> = siblings("model-00002-of-00003.safetensors").unwrap().into_iter().collect();
        let expected = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"];
        assert_eq!((&names[..2], names.len()), (&expected.map(String::from)[..], 3));
        assert!(siblings("model.safetensors").is_none() && siblings("a-1-of-99999999.bin").is_none());
    }
}
