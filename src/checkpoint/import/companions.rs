//! The text files that accompany the weights.

use std::io::{Read, Seek};

use super::safetensors::config::{self, HuggingFaceConfig};
use super::texts::{MOST_DESCRIPTION, MOST_TEXT, read};
use super::{Content, ImportError, Named, Pause, in_file_by_steps};
use crate::checkpoint::CheckpointError;

/// The text of the only file with this content. Fails where there are two such files.
pub(super) async fn only<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    content: Content,
    pause: Pause<'_>,
) -> Result<Option<String>, ImportError> {
    let most = match content {
        Content::Config => MOST_DESCRIPTION,
        _ => MOST_TEXT,
    };
    match find(files, contents, content)? {
        Some(file) => in_file_by_steps(files, file, async |source| read(source, most, pause).await).await.map(Some),
        None => Ok(None),
    }
}

/// The only file with this content. Fails where there are two such files.
pub(super) fn find<R>(
    files: &[Named<R>],
    contents: &[Content],
    content: Content,
) -> Result<Option<usize>, ImportError> {
    let mut found = (0..files.len()).filter(|&file| contents[file] == content);
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            let expected = format!("{} only, as {} is", content.title(), files[first].name);
            let source = CheckpointError::field(&"file", 0, expected, "another");
            Err(ImportError::File { name: files[second].name.clone(), source })
        }
        (found, _) => Ok(found),
    }
}

/// The contents of `config.json`, if there is one.
pub(super) async fn config<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    pause: Pause<'_>,
) -> Result<Option<HuggingFaceConfig>, ImportError> {
    let Some(text) = only(files, contents, Content::Config, pause).await? else { return Ok(None) };
    Ok(Some(config::parse(&text)?))
}
