//! Isolated on a host without headers, and there without a network.

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::reader::Reader;

for_both_engines!(a_host_without_headers_is_isolated_and_its_site_opens_without_a_network);

async fn a_host_without_headers_is_isolated_and_its_site_opens_without_a_network(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.server.isolate(false);
    reader.open("#/peargpt?words=5&seed=1&run=1").await.unwrap();
    let text = reader.finish().await.unwrap();
    assert!(reader.is_isolated().await);
    reader.wait_for_release().await;
    reader.server.stop();
    // geckodriver's own reload goes past the service worker.
    reader.browser.script("window.before = true; setTimeout(() => location.reload())").await.unwrap();
    reader.browser.wait_until("!window.before").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    assert!(reader.is_isolated().await);
    assert_eq!(reader.output().await.unwrap(), text);
    match engine {
        // Its weights are kept nowhere.
        Engine::WebKit => {
            let said = reader.failure().await.unwrap();
            assert!(said.contains("could not be fetched"), "{said}");
        }
        _ => {
            reader.wait_for_model().await.unwrap();
            assert_eq!(reader.write(5).await.unwrap(), text);
        }
    }
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
}
