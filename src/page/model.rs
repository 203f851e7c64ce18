//! The model that is wanted: what the catalog says of it, and what has become of it.

use std::pin::Pin;

use super::options::Mounted;
use super::{fetch, js, release};
use crate::app::catalog::{self, Entry};
use crate::app::protocol::ModelSummary;

/// What has become of the model that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// None is wanted yet.
    Absent,
    /// It is loaded once another model is done with what would be lost otherwise: a sentence on that.
    Behind(String),
    /// It is fetched when the reader says so.
    Asking {
        /// The host that it would come from; empty for this site.
        host: String,
        /// Bytes that are here already.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// Another tab is busy with its file.
    Waiting,
    /// Its file arrives.
    Downloading {
        /// Bytes that have arrived.
        received: u64,
        /// Bytes there are to come, 0 until that is known.
        total: u64,
        /// How fast they arrive, once that can be told.
        bytes_per_second: Option<f64>,
        /// Why, and in how many milliseconds, the fetch is tried again.
        again: Option<(String, u32)>,
    },
    /// The reader has interrupted that.
    Paused {
        /// Bytes that have arrived.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// Its file is being read.
    Opening,
    /// It can be asked.
    Loaded(ModelSummary),
    /// It could not be had; the sentence says why.
    Failed(String),
    /// It is of the reader's own, and this browser does not have it.
    NotHere,
}

impl ModelState {
    /// It is on its way, as far as the page knows.
    pub const AWAITED: ModelState =
        ModelState::Downloading { received: 0, total: 0, bytes_per_second: None, again: None };
}

/// Which model is wanted.
#[derive(Clone, Debug, Default)]
pub struct WantedModel {
    /// Its entry, once known; not of a model of the reader's own.
    pub entry: Option<Entry>,
    /// Whether the reader has agreed to fetch it.
    pub consent: bool,
    /// Whether it is wanted only if it is stored.
    pub is_only_stored: bool,
}

/// The catalog's name in the release.
const CATALOG: &str = "weights/catalog.json";

/// The catalog's absolute URL.
pub fn catalog_url(mounted: Mounted) -> String {
    mounted.absolute(&release::path_of(CATALOG))
}

/// What the catalog says of the model of this id; an error is a sentence. On the heap, so that it is not a part of everyone
/// who waits for it.
pub fn find(mounted: Mounted, id: String) -> Pin<Box<dyn Future<Output = Result<Entry, String>>>> {
    Box::pin(async move {
        let policy = mounted.options().transfer;
        let text = fetch::text(&catalog_url(mounted), &release::integrity_of(CATALOG), policy).await;
        let text = text.map_err(|reason| format!("The list of models did not arrive: {reason} Try again."))?;
        let damaged = |reason: String| format!("The list of models is damaged: {reason}.");
        let entries = catalog::check(js::from_json(&text).map_err(damaged)?);
        let entries = entries.map_err(|error| damaged(error.to_string()))?;
        catalog::find(entries, &id).map_err(|error| format!("This site does not have that model: {error}."))
    })
}
