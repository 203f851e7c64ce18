//! Chooses how many threads compute a model: before its weights are placed, by what a token of that shape takes here.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::Shared;
use wasm_bindgen_futures::spawn_local;

use super::super::channel::send;
use super::super::team::{self, Crew};
use super::super::time::{cores, sleep};
use super::text_stream::Speed;
use crate::app::catalog::Shape;
use crate::app::protocol::Event;
use crate::app::threads::{Speeds, Threads};

/// Tokens of a text that tell how fast it was written.
const TOLD: u32 = 64;

/// Milliseconds before a measurement that nobody waits for yet: what is fetched comes first, and then the compiling of the
/// kernels. And those between two looks at whether somebody waits.
const DELAY_MS: u32 = 450;
const DELAY_STEP_MS: u32 = 15;

type Trial = Shared<Pin<Box<dyn Future<Output = Speeds>>>>;

/// What is known of this device, and the workers that wait.
#[derive(Default)]
pub struct Chooser {
    threads: RefCell<Threads>,
    /// The measurement that was begun last.
    trial: RefCell<Option<(Shape, Trial)>>,
    /// Whether somebody waits for it.
    hurry: Rc<Cell<bool>>,
    /// The workers that wait for a model.
    pub crew: Rc<RefCell<Crew>>,
}

impl Chooser {
    /// Takes what the page says. What this worker has measured since is newer.
    pub fn hear(&self, threads: Threads) {
        let mut known = self.threads.borrow_mut();
        known.exactly = threads.exactly;
        for speeds in threads.measured {
            if known.speeds(&speeds.shape).is_none() {
                known.note(speeds);
            }
        }
    }

    /// The model of this shape is wanted: starts the workers that compute it, or finds out how many it should be while its
    /// weights arrive.
    pub fn prepare(&self, shape: Option<&Shape>) {
        if self.is_alone() {
            return;
        }
        let known = shape.and_then(|shape| self.threads.borrow().speeds(&shape.name()).and_then(Speeds::best));
        let exactly = self.threads.borrow().exactly;
        match (exactly.or(known), shape) {
            (Some(threads), _) => self.crew.borrow_mut().recruit(threads.saturating_sub(1) as usize),
            (None, Some(shape)) => drop(self.measure(shape)),
            (None, None) => {}
        }
    }

    /// The measurement of a shape, which is begun unless it is under way.
    fn measure(&self, shape: &Shape) -> Trial {
        let earlier = self.trial.borrow_mut().take();
        let trial = match earlier {
            Some((of, trial)) if of == *shape => trial,
            earlier => {
                let (crew, hurry, shape) = (Rc::clone(&self.crew), Rc::clone(&self.hurry), *shape);
                hurry.set(false);
                let measured = async move {
                    // One at a time.
                    if let Some((_, earlier)) = earlier {
                        earlier.await;
                    }
                    for _ in 0..DELAY_MS / DELAY_STEP_MS {
                        if hurry.get() || sleep(DELAY_STEP_MS).await.is_err() {
                            break;
                        }
                    }
                    let mut workers = crew.take();
                    let speeds = team::measure(&shape, cores(), &mut workers).await;
                    crew.replace(workers);
                    speeds
                };
                let trial: Trial = (Box::pin(measured) as Pin<Box<dyn Future<Output = Speeds>>>).shared();
                spawn_local(trial.clone().map(drop));
                trial
            }
        };
        *self.trial.borrow_mut() = Some((*shape, trial.clone()));
        trial
    }

    /// Whether this worker computes alone, whatever the shape.
    pub fn is_alone(&self) -> bool {
        !team::is_possible() || self.threads.borrow().exactly.map_or(cores() < 2, |threads| threads < 2)
    }

    /// How many threads are to compute a model of this shape.
    pub async fn choose(&self, shape: &Shape) -> u32 {
        let exactly = self.threads.borrow().exactly;
        if let Some(threads) = exactly {
            return threads;
        }
        let is_known = self.threads.borrow().speeds(&shape.name()).is_some();
        if !is_known {
            let trial = self.measure(shape);
            self.hurry.set(true);
            self.note(trial.await);
        }
        self.threads.borrow().speeds(&shape.name()).and_then(Speeds::best).unwrap_or(1)
    }

    /// As many as are asked for where they cannot be had.
    pub fn asked(&self) -> u32 {
        self.threads.borrow().exactly.unwrap_or(1)
    }

    /// Holds what was measured against the speed of a text.
    pub fn check(&self, shape: &Shape, threads: u32, Speed { tokens, tokens_per_second }: Speed) {
        let known = self.threads.borrow().speeds(&shape.name()).cloned();
        if let Some(mut speeds) = known.filter(|_| tokens >= TOLD && tokens_per_second > 0.0 && self.is_automatic()) {
            speeds.check(threads, 1000.0 / tokens_per_second);
            self.note(speeds);
        }
    }

    fn is_automatic(&self) -> bool {
        self.threads.borrow().exactly.is_none() && !self.is_alone()
    }

    /// The page remembers it. What is forgotten is measured when it is wanted next.
    fn note(&self, speeds: Speeds) {
        if speeds.ms.is_empty() {
            *self.trial.borrow_mut() = None;
        }
        send(&Event::Measured(speeds.clone()));
        self.threads.borrow_mut().note(speeds);
    }
}
