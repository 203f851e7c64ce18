//! A run that takes its steps, a leaf of a batch at a time.

use std::io::Cursor;

use super::super::memory_bytes;
use super::super::team::{Crew, Team};
use super::super::time::now;
use super::Steering;
use super::run_store::{Note, RunStore};
use super::team;
use super::text::{Text, sentence};
use crate::app::protocol::{Curve, Ended, Event, RunFacts, Sample, TrainEvent, TrainProgress};
use crate::checkpoint::Model;
use crate::checkpoint::precision::Precision;
use crate::generation;
use crate::train::curve::{self, Colours};
use crate::train::{Evaluation, Recipe, Run, Step, TrainError};

/// Words of a sample.
const WORDS: u32 = 25;
/// Decides what the samples draw, so that they differ by what was learned alone.
const SEED: u32 = 1;
/// Milliseconds between two messages.
const PROGRESS_MS: f64 = 100.0;
/// Milliseconds between two times that the run is stored, at least.
const SAVE_MS: f64 = 30_000.0;
/// Bytes that are stored in an hour at most.
const HOURLY_BYTES: f64 = 2e9;
const HOUR_MS: f64 = 3_600_000.0;

/// The curve's colours: those of the page, light or dark.
const COLOURS: Colours =
    Colours { paper: "none", ink: "var(--muted)", train: "var(--accent)", held_out: "var(--danger)" };

/// A run, and where it is kept.
pub struct Learning {
    text: Text,
    run: Run,
    note: Note,
    store: RunStore,
    /// The workers that learn with this one.
    team: Option<Team>,
    /// What is under way. Whatever else the run is asked for gives it up, and it begins again.
    work: Option<Work>,
    state: State,
    pace: Pace,
    sent: f64,
    saved: f64,
    /// Milliseconds until it is stored again.
    save_every: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Learning,
    Paused,
    Ended,
}

/// What is computed bit by bit, so that requests are heard in between.
enum Work {
    Step(Step),
    /// On all that is held out, behind the last step.
    Evaluation(Evaluation),
}

/// How long steps take here, and points of the curve: how many, and their milliseconds.
#[derive(Default)]
struct Pace {
    steps: (u64, f64),
    points: (u64, f64),
}

impl Pace {
    /// Milliseconds of each.
    fn of((count, ms): (u64, f64)) -> f64 {
        ms / count.max(1) as f64
    }

    /// Seconds that are left behind a step.
    fn seconds_left(&self, recipe: &Recipe, step: u64) -> f64 {
        let points = (step + 1..=recipe.steps).filter(|step| recipe.has_point(*step)).count();
        ((recipe.steps - step) as f64 * Pace::of(self.steps) + points as f64 * Pace::of(self.points)) / 1000.0
    }
}

impl Learning {
    /// A run that begins, or goes on, with so many threads. It is stored before its first step.
    pub async fn begin(
        channel: &Steering,
        text: Text,
        run: Run,
        (note, store): (Note, RunStore),
        threads: usize,
        crew: &mut Crew,
    ) -> Self {
        let steps = run.steps();
        let state = if steps < run.recipe().steps { State::Learning } else { State::Ended };
        let mut learning = Learning {
            text,
            run,
            note,
            store,
            team: None,
            work: None,
            state,
            pace: Pace::default(),
            sent: 0.0,
            saved: 0.0,
            save_every: SAVE_MS,
        };
        learning.tell_begun(channel);
        if steps == 0 {
            learning.save(channel).await;
        }
        if state == State::Ended {
            tell(channel, TrainEvent::Ended(learning.learned()));
            return learning;
        }
        match team::form(&mut learning.run, &learning.text, threads, crew).await {
            Ok(team) => learning.team = team,
            Err(reason) => tell(channel, TrainEvent::Alone(alone(&reason))),
        }
        learning.saved = now();
        learning
    }

    /// A run that has taken all steps, as far as the curve has its loss.
    fn learned(&self) -> Ended {
        Ended::Learned(self.run.curve().last().and_then(|point| point.held_out))
    }

    /// Leaves the run as it is stored, and gives the text back.
    pub async fn leave(self) -> Text {
        self.store.close().await;
        self.text
    }

    /// Whether there are steps to take now.
    pub fn is_learning(&self) -> bool {
        self.state == State::Learning
    }

    fn tell_begun(&self, channel: &Steering) {
        let (run, note) = (&self.run, &self.note);
        let facts = RunFacts {
            title: note.title.clone(),
            settings: note.settings.clone(),
            parameters: run.config().parameters() as u64,
            step: run.steps(),
            steps: run.recipe().steps,
            curve: curve_of(run),
            samples: note.samples.clone(),
        };
        tell(channel, TrainEvent::Begun(Box::new(facts)));
    }

    /// Computes the next part of a step, and does what is due behind the step.
    pub async fn go_on(&mut self, channel: &Steering) {
        if let Err(error) = self.advance(channel).await {
            self.end_badly(channel, &error).await;
        }
    }

    async fn advance(&mut self, channel: &Steering) -> Result<(), TrainError> {
        let mut step = match self.work.take() {
            Some(Work::Step(step)) => step,
            Some(Work::Evaluation(evaluation)) => return self.evaluate(channel, evaluation),
            None => match self.run.begin_step() {
                Some(step) => step,
                None => return self.begin_evaluation(channel).await,
            },
        };
        let begun = now();
        let is_more = self.run.go_on(&mut step)?;
        if is_more {
            self.pace.steps.1 += now() - begun;
            self.work = Some(Work::Step(step));
            return Ok(());
        }
        let report = self.run.finish(step)?;
        self.pace.steps = (self.pace.steps.0 + 1, self.pace.steps.1 + now() - begun);
        let is_last = report.step == self.run.recipe().steps;
        if self.run.has_point() {
            self.add_point(channel)?;
        }
        if now() - self.sent >= PROGRESS_MS || is_last {
            self.sent = now();
            self.tell_progress(channel, report.loss);
        }
        if !is_last && now() - self.saved >= self.save_every {
            self.save_if_good(channel).await?;
        }
        Ok(())
    }

    fn tell_progress(&self, channel: &Steering, loss: f64) {
        let (step, recipe) = (self.run.steps(), self.run.recipe());
        let tokens = (recipe.settings.batch * self.run.config().context) as f64;
        tell(
            channel,
            TrainEvent::Progress(TrainProgress {
                step,
                loss,
                tokens_per_second: tokens / Pace::of(self.pace.steps) * 1000.0,
                seconds_left: self.pace.seconds_left(recipe, step),
                wasm_memory_bytes: memory_bytes() + self.team.as_ref().map_or(0, Team::memory_bytes),
            }),
        );
    }

    fn add_point(&mut self, channel: &Steering) -> Result<(), TrainError> {
        let begun = now();
        self.run.add_point()?;
        let (step, prompt) = (self.run.steps(), self.note.settings.prompt.clone());
        // What cannot be written is no reason to stop learning.
        let text = sample(&self.run, &prompt).unwrap_or_default();
        let sample = Sample { step, prompt, text };
        self.note.samples.push(sample.clone());
        self.pace.points = (self.pace.points.0 + 1, self.pace.points.1 + now() - begun);
        tell(channel, TrainEvent::Point(curve_of(&self.run), sample));
        Ok(())
    }

    async fn begin_evaluation(&mut self, channel: &Steering) -> Result<(), TrainError> {
        self.save_if_good(channel).await?;
        match self.run.held_out_windows() {
            0 => self.end(channel, Ended::Learned(None)),
            windows => {
                tell(channel, TrainEvent::Evaluating(0, windows as u64));
                self.work = Some(Work::Evaluation(self.run.begin_evaluation(windows)?));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, channel: &Steering, mut evaluation: Evaluation) -> Result<(), TrainError> {
        if let Some(loss) = self.run.evaluate(&mut evaluation)? {
            self.end(channel, Ended::Learned(Some(loss)));
            return Ok(());
        }
        if now() - self.sent >= PROGRESS_MS {
            self.sent = now();
            tell(channel, TrainEvent::Evaluating(evaluation.read() as u64, self.run.held_out_windows() as u64));
        }
        self.work = Some(Work::Evaluation(evaluation));
        Ok(())
    }

    fn end(&mut self, channel: &Steering, ended: Ended) {
        self.state = State::Ended;
        tell(channel, TrainEvent::Ended(ended));
    }

    /// Stores the run, unless something in it is no number any more. A step that is under way begins again.
    async fn save_if_good(&mut self, channel: &Steering) -> Result<(), TrainError> {
        self.work = None;
        if !self.run.is_finite()? {
            return Err(TrainError::Diverged { step: self.run.steps(), loss: f64::NAN });
        }
        self.save(channel).await;
        Ok(())
    }

    async fn save(&mut self, channel: &Steering) {
        let saved = self.store.save(&self.run, &mut self.note).await;
        if let Ok(bytes) = saved {
            self.save_every = SAVE_MS.max(bytes as f64 / HOURLY_BYTES * HOUR_MS);
        }
        self.saved = now();
        let failure = saved.err().or_else(|| self.store.obstacle());
        tell(channel, TrainEvent::Saved(self.run.steps(), failure));
    }

    /// The run goes back to what was stored last, which becomes its model. Where only another worker was lost, this one goes on
    /// from there by itself, and it is `true`.
    async fn end_badly(&mut self, channel: &Steering, error: &TrainError) -> bool {
        let was_lost = matches!(error, TrainError::Team(_));
        (self.work, self.team) = (None, None);
        let reason = sentence(error);
        match self.store.last_good(&self.text).await {
            Ok(run) => {
                let step = run.steps();
                self.run = run;
                self.note.samples.retain(|sample| sample.step <= step);
                self.tell_begun(channel);
                if was_lost {
                    self.pace = Pace::default();
                    tell(channel, TrainEvent::Alone(alone(&reason)));
                    return true;
                }
                self.end(channel, Ended::Diverged(reason, step));
            }
            Err(second) => {
                self.state = State::Ended;
                tell(channel, TrainEvent::Failed(None, format!("{reason} {second}")));
            }
        }
        false
    }

    /// Takes no more steps.
    pub async fn pause(&mut self, channel: &Steering) {
        if self.state == State::Learning {
            self.state = State::Paused;
            tell(channel, TrainEvent::Paused(true));
            self.save_now(channel).await;
        }
    }

    /// Takes steps again.
    pub fn resume(&mut self, channel: &Steering) {
        if self.state == State::Paused {
            self.state = State::Learning;
            tell(channel, TrainEvent::Paused(false));
        }
    }

    /// Ends the run.
    pub async fn stop(&mut self, channel: &Steering) {
        if self.state != State::Ended {
            let was_learned = self.run.steps() == self.run.recipe().steps;
            self.state = State::Ended;
            if self.save_now(channel).await {
                self.end(channel, if was_learned { self.learned() } else { Ended::Stopped });
            }
        }
    }

    /// Whether the run can go on.
    async fn save_now(&mut self, channel: &Steering) -> bool {
        match self.save_if_good(channel).await {
            Ok(()) => true,
            Err(error) => self.end_badly(channel, &error).await,
        }
    }

    /// The model as it is now: the file's name and its bytes.
    pub fn model(&mut self) -> Result<(String, Vec<u8>), TrainError> {
        // A team does one thing at a time.
        self.work = None;
        let name = self.note.title.clone();
        let bytes = self.run.model(None, &name)?;
        Ok((format!("{name}.gguf"), bytes))
    }
}

/// The curve as numbers and as a picture.
fn curve_of(run: &Run) -> Curve {
    let svg = match run.curve() {
        [] => String::new(),
        points => curve::svg(points, run.recipe().steps, COLOURS),
    };
    Curve { csv: curve::csv(run.curve()), svg }
}

/// Why one thread learns, as a sentence.
fn alone(reason: &str) -> String {
    format!("One thread learns from here on: {}.", reason.trim_end_matches('.'))
}

/// Posts an event to the page.
pub fn tell(channel: &Steering, event: TrainEvent) {
    channel.send(&Event::Training(event));
}

/// A few words behind a prompt, as the engine writes them; `None` if it cannot.
fn sample(run: &Run, prompt: &str) -> Option<String> {
    let file = run.model(Some(Precision::Q8_0), "sample").ok()?;
    let model = Model::open(&mut Cursor::new(file)).ok()?;
    generation::sample(&model, prompt, WORDS, SEED).ok()
}
