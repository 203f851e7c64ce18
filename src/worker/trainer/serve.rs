//! The trainer's loop: requests one after another, and steps in between.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag};

use super::super::channel::{Message, send};
use super::super::team::Crew;
use super::Steering;
use super::learning::{Learning, tell};
use super::measure::{expect_to_fit, measure};
use super::run_store::{Note, RunStore};
use super::team;
use super::text::{Text, sentence};
use crate::app::protocol::{Event, TrainEvent, TrainRequest};
use crate::app::training::TrainSettings;
use crate::train::Plan;

/// What the page has handed over, and what has become of it.
#[derive(Default)]
struct Trainer {
    text: Option<Text>,
    learning: Option<Learning>,
    /// How many threads the reader wants to learn.
    threads: Option<u32>,
    /// Workers that wait for what to do.
    crew: Crew,
}

/// Listens, answers and learns as long as the worker lives.
pub async fn serve() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|panic| send(&Event::Panicked { message: panic.to_string() })));
    let channel = Steering::open()?;
    channel.send(&Event::Ready { backend: None });
    let (mut trainer, mut breathed) = (Trainer::default(), f64::NEG_INFINITY);
    loop {
        let learning = trainer.learning.as_mut().filter(|learning| learning.is_learning());
        match learning {
            Some(learning) if !channel.interrupted_between(&mut breathed).await => learning.go_on(&channel).await,
            _ => trainer.answer(&channel, channel.receive().await).await,
        }
    }
}

impl Trainer {
    async fn answer(&mut self, channel: &Steering, (request, files): Message<TrainRequest>) {
        match request {
            TrainRequest::Look => {
                self.leave_run().await;
                let store = RunStore::open().await;
                tell(channel, TrainEvent::Stored(store.look().await, store.obstacle()));
                store.close().await;
            }
            TrainRequest::Read { number, from, seed } => {
                let mut files = files.into_iter();
                let read = async {
                    let blob = files.next().ok_or("There is no text.")?;
                    let mut text = Text::read(blob).await?;
                    if let Some(id) = from
                        && !text.begin_with(id, files.next(), seed).await?
                    {
                        return Ok(TrainEvent::ModelWanted(number));
                    }
                    let facts = text.facts()?;
                    self.text = Some(text);
                    Ok::<_, String>(TrainEvent::Text(number, facts))
                };
                let told = read.await;
                let failed = |message| TrainEvent::Failed(Some(number), message);
                tell(channel, told.unwrap_or_else(failed));
            }
            TrainRequest::Threads(threads) => self.threads = threads,
            TrainRequest::Measure { number, settings } => self.measure(channel, number, &settings.plan).await,
            TrainRequest::Begin { settings, title } => {
                let begun = self.begin(channel, settings, title).await;
                self.note(channel, begun);
            }
            TrainRequest::Restore => {
                let restored = self.restore(channel).await;
                self.note(channel, restored);
            }
            TrainRequest::Discard => {
                let store = RunStore::open().await;
                let discarded = store.discard().await;
                store.close().await;
                if let Err(message) = discarded {
                    tell(channel, TrainEvent::Failed(None, message));
                }
            }
            TrainRequest::Model => self.send_model(channel),
            request => self.steer(channel, request).await,
        }
    }

    /// What was learned before gives its text back, and its place.
    async fn leave_run(&mut self) {
        if let Some(learning) = self.learning.take() {
            let text = learning.leave().await;
            self.text.get_or_insert(text);
        }
    }

    /// What concerns the run that there is.
    async fn steer(&mut self, channel: &Steering, request: TrainRequest) {
        let Some(learning) = &mut self.learning else { return };
        match request {
            TrainRequest::Pause => learning.pause(channel).await,
            TrainRequest::Resume => learning.resume(channel),
            TrainRequest::Stop => learning.stop(channel).await,
            _ => {}
        }
    }

    fn note(&mut self, channel: &Steering, begun: Result<Learning, String>) {
        match begun {
            Ok(learning) => self.learning = Some(learning),
            Err(message) => tell(channel, TrainEvent::Failed(None, message)),
        }
    }

    async fn measure(&mut self, channel: &Steering, number: u32, plan: &Plan) {
        let failed = |message| TrainEvent::Failed(Some(number), message);
        let Some(text) = &self.text else { return tell(channel, failed("There is no text.".to_string())) };
        if let Err(message) = expect_to_fit(text, plan) {
            return tell(channel, failed(message));
        }
        match measure(channel, text, plan, team::members(self.threads), &mut self.crew).await {
            Ok(Some(estimate)) => tell(channel, TrainEvent::Measured(number, estimate)),
            // The request that came in has taken its place.
            Ok(None) => {}
            Err(error) => tell(channel, failed(sentence(&error))),
        }
    }

    async fn begin(&mut self, channel: &Steering, settings: TrainSettings, title: String) -> Result<Learning, String> {
        self.leave_run().await;
        let text = self.text.take().ok_or("There is no text.")?;
        let begun = || settings.plan.begin(&text.text, &text.sha256, text.base.as_ref());
        let run = expect_to_fit(&text, &settings.plan).and_then(|()| begun().map_err(|error| sentence(&error)));
        let run = match run {
            Ok(run) => run,
            Err(message) => {
                self.text = Some(text);
                return Err(message);
            }
        };
        let mut store = RunStore::open().await;
        if let Err(message) = store.begin(&text.blob).await {
            tell(channel, TrainEvent::Saved(0, Some(message)));
        }
        let note = Note::new(title, settings, run.recipe().steps);
        Ok(Learning::begin(channel, text, run, (note, store), team::members(self.threads), &mut self.crew).await)
    }

    async fn restore(&mut self, channel: &Steering) -> Result<Learning, String> {
        self.leave_run().await;
        let mut store = RunStore::open().await;
        let (text, run, note) = store.restore().await?;
        Ok(Learning::begin(channel, text, run, (note, store), team::members(self.threads), &mut self.crew).await)
    }

    fn send_model(&mut self, channel: &Steering) {
        let Some(learning) = &mut self.learning else { return };
        match learning.model().map_err(|error| sentence(&error)).and_then(|(name, bytes)| Ok((name, blob(&bytes)?))) {
            Ok((name, blob)) => channel.send_with(&Event::Training(TrainEvent::Model(name)), Some(blob)),
            Err(message) => tell(channel, TrainEvent::Failed(None, message)),
        }
    }
}

fn blob(bytes: &[u8]) -> Result<Blob, String> {
    let options = BlobPropertyBag::new();
    options.set_type("application/octet-stream");
    let parts = Array::of1(&Uint8Array::from(bytes));
    Blob::new_with_u8_array_sequence_and_options(&parts, &options)
        .map_err(|_| "The browser has no memory for the model's file.".to_string())
}
