//! What is asked of a site whose home is a model.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

/// What the site says of itself, and offers; see [`Site`](crate::app::site::Site).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Read!)]
pub struct Publication {
    /// Its title.
    pub title: String,
    /// What it is, in a sentence.
    pub sentence: String,
    /// Prompts to start from.
    pub prompts: Vec<String>,
    /// Settings with which it begins, as an address has them.
    pub defaults: String,
    /// Whether the other models of this site are offered, too.
    pub others: bool,
}
