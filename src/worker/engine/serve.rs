//! The engine's first loop: one request after another.

use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::super::channel::{Channel, send};
use super::super::download::{self, Order, Outcome, VerifiedWeights};
use super::super::held_weights::HeldWeights;
use super::super::storage::{FilePiece, SplitFile, Unkept, reason, sweep};
use super::super::time::now;
use super::background::{self, Lent};
use super::error::ServeError;
use super::open::{Identity, Open, Opened, open};
use super::text_stream::Speed;
use super::texts::{begin, read, write};
use super::threads::Chooser;
use super::verify::{self, VerifyError};
use super::warm_up::WarmUp;
use super::{backend, bench};
use crate::app::catalog::Shape;
use crate::app::protocol::{Event, FileLocation, GgufFile, Request, Task};
use crate::checkpoint::{CheckpointError, OpenError};
use crate::generation::GenerationError;
use crate::model::ModelError;

/// Listens and answers as long as the worker lives.
pub async fn serve() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|panic| send(&Event::Panicked { message: panic.to_string() })));
    let channel = Channel::open()?;
    channel.send(&Event::Ready { backend: Some(backend(1)) });
    let lent = Lent::default();
    wasm_bindgen_futures::spawn_local(background::answer(channel.background()?, lent.clone()));
    wasm_bindgen_futures::spawn_local(sweep());
    let warm_up = WarmUp::default();
    wasm_bindgen_futures::spawn_local(warm_up.clone().run());
    let (mut open, mut held): (Option<Open>, _) = (None, HeldWeights::default());
    let chooser = Chooser::default();
    loop {
        if let Some(open) = &mut open {
            open.look(&channel).await;
        }
        let (request, files) = channel.receive().await;
        match request {
            Request::Load { entry, catalog_url, policy, consent, threads } => {
                close(&channel, &mut open, &lent).await;
                chooser.hear(threads);
                chooser.prepare(entry.shape.as_ref());
                let (channel, entry, catalog_url) = (&channel, &entry, catalog_url.as_str());
                let order = Order { channel, entry, catalog_url, policy, consent, thorough: false };
                open = load(&mut held, order, &chooser).await;
                lend(&open, &lent);
            }
            Request::Open { run, file, threads } => {
                if let Some(open) = open.as_mut().filter(|open| open.is_of(&file)) {
                    // It is opened anew, so that it stays.
                    open.unkept = None;
                }
                close(&channel, &mut open, &lent).await;
                held.clear();
                chooser.hear(threads);
                chooser.prepare(None);
                open = open_file(&channel, run, file, files.into_iter().next(), &chooser).await;
                lend(&open, &lent);
            }
            Request::Cancel { id } => held.cancel(&channel, &id).await,
            request => {
                warm_up.end();
                answer(&channel, open.as_mut(), &chooser, request).await;
            }
        }
    }
}

/// Closes the model, since memory holds one at a time. Removes its file unless that was kept.
async fn close(channel: &Channel, open: &mut Option<Open>, lent: &Lent) {
    lent.set(None);
    if let Some(open) = open {
        open.inside.forget(channel);
    }
    if let Some(unkept) = open.take().and_then(|open| open.unkept) {
        unkept.remove().await;
    }
}

/// Lets background requests use the open model's tokenizer.
fn lend(open: &Option<Open>, lent: &Lent) {
    lent.set(open.as_ref().map(|open| open.model.tokenizer.clone()));
}

/// Answers a request that needs the open model.
async fn answer(channel: &Channel, mut open: Option<&mut Open>, chooser: &Chooser, request: Request) {
    match request {
        Request::Generate { run, .. }
        | Request::Continue { run, .. }
        | Request::Fork { run, .. }
        | Request::Resume { run, .. } => {
            let written = match open.as_deref_mut() {
                Some(open) => match begin(channel, open, run, request) {
                    Ok(begun) => write(channel, open, run, begun).await,
                    Err(error) => Err(error),
                },
                None => Err(ServeError::NoModel),
            };
            report(channel, run, written.map(|speed| check(open, chooser, speed)));
        }
        Request::Read { run, settings, ids } => report(channel, run, read(channel, open, run, &settings, &ids)),
        request @ (Request::Look { .. } | Request::Mark { .. }) => {
            if let Some(Open { model, text, inside, .. }) = open {
                inside.ask(channel, model, text.as_mut(), &request);
            }
        }
        Request::Bench { run, prompt_tokens, tokens } => {
            report(channel, run, measure(channel, open.as_deref(), run, prompt_tokens, tokens).await);
        }
        Request::Verify { run } => report(channel, run, compare(channel, open.as_deref(), run).await),
        // Stop and Pause have had their effect when they arrived. Other requests are answered elsewhere.
        _ => {}
    }
}

/// Whether another number of threads might have written faster.
fn check(open: Option<&mut Open>, chooser: &Chooser, speed: Speed) {
    if let Some(Open { model, team, .. }) = open
        // Who computes alone because the others could not be had says nothing of one thread.
        && (team.is_some() || model.gpt.threads() == 1)
    {
        chooser.check(&Shape::of(model.gpt.config()), model.gpt.threads() as u32, speed);
    }
}

fn report(channel: &Channel, run: u32, outcome: Result<(), ServeError>) {
    if let Err(
        ServeError::Generation(GenerationError::Model(error @ ModelError::Team(_)))
        | ServeError::Verify(VerifyError::Generation(GenerationError::Model(error @ ModelError::Team(_)))),
    ) = &outcome
    {
        // The page starts the engine anew, and with it the others.
        return channel.send(&Event::Panicked { message: error.to_string() });
    }
    if let Err(error) = outcome {
        channel.send(&Event::Failed { task: Task::Run(run), message: error.to_string() });
    }
}

/// Fetches and opens a model, and sends the page the result. If storage has damaged it, verifies all files by SHA-256
/// and fetches the damaged ones again.
async fn load(held: &mut HeldWeights<()>, order: Order<'_>, chooser: &Chooser) -> Option<Open> {
    let (begun, Order { channel, entry, .. }) = (now(), order);
    let mut weights = fetch(held, order).await?;
    let model = match open(channel, &mut weights.file, chooser).await {
        Err(OpenError::Checkpoint(CheckpointError::Read { .. })) => {
            drop(weights); // closed, since an open file cannot be removed
            weights = fetch(held, Order { thorough: true, ..order }).await?;
            open(channel, &mut weights.file, chooser).await
        }
        outcome => outcome,
    };
    let model = match model {
        Ok(model) => model,
        Err(error) => {
            let title = &entry.title;
            let message = format!("{title} cannot be opened. Its file on the server needs to be replaced. ({error}.)");
            channel.send(&Event::Failed { task: Task::Load, message });
            return None;
        }
    };
    held.clear(); // the model has copied weights that were in memory
    let VerifiedWeights { file, title, bytes, sha256 } = weights;
    drop(file); // closed before the page is told, which may ask to remove it
    let identity = Identity { id: entry.id.clone(), title, bytes, sha256 };
    let open = Open::new(model, identity, now() - begun);
    channel.send(&Event::Loaded(open.summary.clone()));
    Some(open)
}

/// Opens a file that the converter has made, and sends the page the result.
async fn open_file(
    channel: &Channel,
    run: Option<u32>,
    file: GgufFile,
    blob: Option<Blob>,
    chooser: &Chooser,
) -> Option<Open> {
    let begun = now();
    let task = run.map_or(Task::Load, Task::Run);
    let (model, unkept) = match read_file(channel, &file, blob, chooser).await {
        Ok(read) => read,
        Err(reason) => {
            let message = format!("{} cannot be opened: {}.", file.title, reason.trim_end_matches('.'));
            channel.send(&Event::Failed { task, message });
            return None;
        }
    };
    let GgufFile { id, title, bytes, sha256, .. } = file;
    let open = Open::new(model, Identity { id, title, bytes, sha256 }, now() - begun);
    let summary = open.summary.clone();
    channel.send(&match run {
        Some(run) => Event::Imported { run, summary },
        None => Event::Loaded(summary),
    });
    Some(Open { unkept, ..open })
}

/// The model of a file, and the lock on the file if it is in storage without being kept.
async fn read_file(
    channel: &Channel,
    file: &GgufFile,
    blob: Option<Blob>,
    chooser: &Chooser,
) -> Result<(Opened, Option<Unkept>), String> {
    let gone = || "its file is gone; hand it over once more".to_string();
    let unkept = match &file.location {
        FileLocation::Unkept(name) => Some(Unkept::find(name).await.ok_or_else(gone)?),
        _ => None,
    };
    let piece = match (&unkept, blob) {
        (Some(unkept), _) => unkept.piece(&file.checksums).await.ok_or_else(gone)?,
        (None, Some(blob)) => {
            FilePiece::File(blob, Some(file.checksums.as_slice().into()).filter(|_| !file.checksums.is_empty()))
        }
        (None, None) => return Err(gone()),
    };
    let mut file = SplitFile::new([piece]).map_err(|error| reason(&error))?;
    let model = open(channel, &mut file, chooser).await.map_err(|error| error.to_string())?;
    Ok((model, unkept))
}

/// Fetches a model's weights. If it cannot, tells the page why.
async fn fetch(held: &mut HeldWeights<()>, order: Order<'_>) -> Option<VerifiedWeights> {
    let obtained = held.obtain(order, async |store, _| download::obtain(order, store).await).await;
    let event = match obtained {
        Ok(Outcome::Here(weights)) => return Some(weights),
        Ok(Outcome::Asking) => return None,
        Ok(Outcome::ToFetch) => Event::ToFetch { id: order.entry.id.clone() },
        Ok(Outcome::NotHere) => Event::NotHere,
        Ok(Outcome::Interrupted { received, total }) => Event::Paused { received, total },
        Err(error) => Event::Failed { task: Task::Load, message: error.to_string() },
    };
    order.channel.send(&event);
    None
}

/// Runs the bench, and sends the numbers.
async fn measure(
    channel: &Channel,
    open: Option<&Open>,
    run: u32,
    prompt_tokens: u32,
    tokens: u32,
) -> Result<(), ServeError> {
    let open = open.ok_or(ServeError::NoModel)?;
    channel.send(&match bench::measure(channel, open, prompt_tokens, tokens).await? {
        Some(report) => Event::Benched { run, report },
        None => Event::Interrupted { run },
    });
    Ok(())
}

/// Compares the model with published figures, and sends the result.
async fn compare(channel: &Channel, open: Option<&Open>, run: u32) -> Result<(), ServeError> {
    let Open { model, .. } = open.ok_or(ServeError::NoModel)?;
    channel.send(&match verify::verify(channel, model, run).await? {
        Some(verification) => Event::Verified { run, verification },
        None => Event::Interrupted { run },
    });
    Ok(())
}
