//! Chooses the files that have the model's weights.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use serde::Deserialize;

use super::{Content, ImportError, Named, Pause, companions};
use crate::checkpoint::CheckpointError;

/// The files to read weights from.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Their kind; all have the same.
    pub content: Content,
    /// Their numbers.
    pub files: Vec<usize>,
    /// Names of the shards that are missing.
    pub missing: Vec<String>,
}

impl Chosen {
    /// Names of files that are not used.
    pub fn ignored<R>(&self, files: &[Named<R>], contents: &[Content]) -> Vec<String> {
        let unknown =
            |content: Content| matches!(content, Content::Text | Content::Empty | Content::Image | Content::Other);
        let is_ignored = |file: &usize| {
            let content = contents[*file];
            unknown(content) || content.has_weights() && !self.files.contains(file)
        };
        (0..files.len()).filter(is_ignored).map(|file| files[file].name.clone()).collect()
    }
}

/// An index of shards.
#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// Chooses the files. Safetensors come before torch's files, which often lie beside them with the same weights.
pub(super) async fn choose<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    pause: Pause<'_>,
) -> Result<Chosen, ImportError> {
    let all = |content| -> Vec<usize> { (0..contents.len()).filter(|&file| contents[file] == content).collect() };
    let gguf = all(Content::Gguf);
    let others = [Content::Safetensors, Content::TorchZip, Content::TorchLegacy];
    let found = others.into_iter().map(|content| (content, all(content))).find(|(_, files)| !files.is_empty());
    let index = companions::only(files, contents, Content::Index, pause).await?;
    match (gguf.as_slice(), found, index) {
        (&[file], None, _) => Ok(Chosen { content: Content::Gguf, files: vec![file], missing: Vec::new() }),
        (&[], Some((content, found)), Some(index)) => by_index(files, content, &found, &index),
        (&[], Some((content, found)), None) => by_name(files, content, found),
        (&[], None, Some(index)) => by_index(files, Content::Safetensors, &[], &index),
        (&[], None, None) => Err(ImportError::NoWeights { found: told(files, contents) }),
        (several, found, _) => {
            let all = several.iter().copied().chain(found.into_iter().flat_map(|(_, files)| files));
            Err(ImportError::Several { found: all.map(|file| files[file].name.clone()).collect() })
        }
    }
}

fn told<R>(files: &[Named<R>], contents: &[Content]) -> Vec<String> {
    files.iter().zip(contents).map(|(file, content)| format!("{}: {}", file.name, content.title())).collect()
}

/// The shards that an index lists.
fn by_index<R>(files: &[Named<R>], content: Content, found: &[usize], index: &str) -> Result<Chosen, ImportError> {
    let failed = |source| CheckpointError::Json { part: "the index of shards", source };
    let Index { weight_map } = serde_json::from_str(index).map_err(failed)?;
    let names: BTreeSet<String> = weight_map.into_values().collect();
    gather(files, content, found, names)
}

/// The shards that the name of one of them implies: `model-00001-of-00003.safetensors`.
fn by_name<R>(files: &[Named<R>], content: Content, found: Vec<usize>) -> Result<Chosen, ImportError> {
    let names = found.iter().find_map(|&file| siblings(&files[file].name));
    match (names, found.as_slice()) {
        (Some(names), _) => gather(files, content, &found, names),
        (None, &[_]) => Ok(Chosen { content, files: found, missing: Vec::new() }),
        (None, _) => Err(ImportError::Several { found: found.iter().map(|&file| files[file].name.clone()).collect() }),
    }
}

fn siblings(name: &str) -> Option<BTreeSet<String>> {
    const MOST: usize = 1000;
    let (before, rest) = name.split_once("-of-")?;
    let (stem, number) = before.rsplit_once('-')?;
    let (count, extension) = rest.split_once('.')?;
    let (_, all): (usize, usize) = (number.parse().ok()?, count.parse().ok()?);
    let digits = number.len();
    (all <= MOST).then(|| (1..=all).map(|each| format!("{stem}-{each:0digits$}-of-{count}.{extension}")).collect())
}

fn gather<R>(
    files: &[Named<R>],
    content: Content,
    found: &[usize],
    names: BTreeSet<String>,
) -> Result<Chosen, ImportError> {
    let (mut chosen, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match found.iter().find(|&&file| files[file].name == name) {
            Some(&file) => chosen.push(file),
            None => missing.push(name),
        }
    }
    Ok(Chosen { content, files: chosen, missing })
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
