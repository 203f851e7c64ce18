//! A model becomes a website.

use super::for_both_engines;
use crate::browser::Engine;

for_both_engines!(a_model_is_published_and_visited);

async fn a_model_is_published_and_visited(engine: Engine) {
    crate::publish::published_and_visited(engine).await;
}
