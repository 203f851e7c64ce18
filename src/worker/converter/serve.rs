//! The converter's loops. The first runs imports, exports and the hub's stream one after another; the second answers
//! background requests.

use wasm_bindgen::JsValue;

use super::super::channel::{BackgroundRequests, Channel, send};
use super::super::held_weights::HeldWeights;
use super::super::storage::list;
use super::{export, hub, identify, import, keep, publish};
use crate::app::protocol::{Event, Request, Task};

/// Listens and answers as long as the worker lives.
pub async fn serve() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|panic| send(&Event::Panicked { message: panic.to_string() })));
    let channel = Channel::open()?;
    channel.send(&Event::Ready { backend: None });
    wasm_bindgen_futures::spawn_local(answer(channel.background()?));
    let mut held = HeldWeights::default();
    loop {
        let (request, files) = channel.receive().await;
        match request {
            Request::Fetch { entry, catalog_url, policy } => {
                hub::fetch(&channel, &mut held, &entry, &catalog_url, policy).await;
            }
            Request::Import { run, names, answers } => import::import(&channel, run, files, names, &answers).await,
            Request::Export { run, format, model } => {
                let event = |done, all| Event::Exporting { run, done, all };
                export::answer(&channel, run, export::export(&channel, format, model, files, &event).await);
            }
            Request::Publish { run, publication, base, release, model } => {
                let event = |done, all| Event::Exporting { run, done, all };
                let order = publish::Order { publication, base, release };
                export::answer(&channel, run, publish::publish(&channel, &order, model, files, &event).await);
            }
            Request::Cancel { id } => held.cancel(&channel, &id).await,
            // Stop and Pause have had their effect when they arrived. Other requests are for the engine.
            _ => {}
        }
    }
}

/// Answers background requests.
async fn answer(background: BackgroundRequests) {
    loop {
        let (request, files) = background.receive().await;
        match request {
            Request::Inspect { run, names, answers } => {
                let finding = identify::inspect(files, names, &answers, &|| Box::pin(background.breathe())).await;
                send(&Event::Inspected { run, finding });
            }
            Request::Keep { title, model } => {
                let kept = keep::keep(&background, title, model, files.into_iter().next()).await;
                if let Err(message) = &kept {
                    send(&Event::Failed { task: Task::Storage, message: message.clone() });
                }
                send(&Event::Stored(list().await));
                // Sent last, since the page may end this worker when it arrives.
                send(&Event::Kept { file: kept.ok() });
            }
            _ => {} // for the engine
        }
    }
}
