//! The models that the reader has agreed to fetch from this site: asked once for each, and remembered.

use super::models::PEARGPT;
use super::options::Mounted;
use crate::app::catalog::Entry;
use crate::app::publish::WHOLE;

/// Name in the browser's storage: the ids, a line for each.
const KEY: &str = "peargpt:agreed";

/// Whether a model is fetched from this site without a question: the one that the site is named after, its home unless it
/// is large, and those that the reader has agreed to.
pub fn has_agreed(mounted: Mounted, Entry { id, bytes, .. }: &Entry) -> bool {
    let is_home = mounted.options().site.is_home(id) && *bytes <= WHOLE as u64;
    id == PEARGPT.id || is_home || ids(mounted).iter().any(|agreed| agreed == id)
}

/// Remembers that the reader has agreed to fetch a model, or does not want it any more.
pub fn remember(mounted: Mounted, id: &str, agreed: bool) {
    let mut ids = ids(mounted);
    ids.retain(|other| other != id);
    if agreed {
        ids.push(id.to_string());
    }
    if let Some(storage) = &mounted.options().storage {
        // Where nothing is remembered the reader is asked again.
        storage.set_item(KEY, &ids.join("\n")).ok();
    }
}

fn ids(mounted: Mounted) -> Vec<String> {
    let storage = mounted.options().storage.clone();
    let text = storage.and_then(|storage| storage.get_item(KEY).ok()?).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}
