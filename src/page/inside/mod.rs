//! Looking inside the text that stands on the page, a token at a time: what is drawn of it.

mod attention;
mod lens;
mod panel;
mod surprise;
mod tour;
mod versions;
mod way;
mod words;

pub use panel::InsidePanel;
pub use tour::{Tour, step_address};
