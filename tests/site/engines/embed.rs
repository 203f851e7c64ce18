//! The module for other pages.

use super::for_both_engines;
use crate::browser::Engine;

for_both_engines!(five_lines_on_an_empty_page_of_another_origin, an_element_writes_and_goes);

async fn five_lines_on_an_empty_page_of_another_origin(engine: Engine) {
    crate::embed::five_lines(engine).await;
}

async fn an_element_writes_and_goes(engine: Engine) {
    crate::embed::element(engine).await;
}
