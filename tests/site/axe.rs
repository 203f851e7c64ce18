//! axe-core's checks of a page, for those who read it with other means than eyes and a mouse.

use serde_json::json;

use crate::reader::Reader;

/// The program; `vendor/axe-core/README.md` says where it comes from.
const AXE: &str = include_str!("vendor/axe-core/axe.min.js");

/// All rules, those that are no more than good practice too; a line for each element that breaks one.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(
    ({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => `${id} (${impact}): ${html} ${failureSummary}`)))";

/// What axe-core finds wrong with the page as it stands.
pub async fn violations(reader: &Reader) -> Vec<String> {
    let is_here = reader.browser.script("return typeof axe !== 'undefined'").await.unwrap();
    if is_here == json!(false) {
        reader.browser.script(AXE).await.unwrap();
    }
    serde_json::from_value(reader.browser.promise(RUN).await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_tests_see_what_is_not_accessible() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    assert_eq!(violations(&reader).await, Vec::<String>::new());
    reader.browser.script("document.querySelector('main').append(document.createElement('textarea'))").await.unwrap();
    reader.browser.script("document.querySelector('h1').style.color = '#dddddd'").await.unwrap();
    let found = violations(&reader).await;
    for rule in ["label (critical)", "color-contrast (serious)"] {
        assert!(found.iter().any(|line| line.starts_with(rule)), "{rule} is not in {found:?}");
    }
}
