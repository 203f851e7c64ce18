//! A run: its curve, what the model writes, and what can be done with it.

use leptos::prelude::*;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;

use super::clipboard::{Copied, copy};
use super::saving::save_text;
use super::training::Training;
use crate::app::numbers::{duration, grouped};
use crate::app::protocol::{Ended, RunFacts, Sample, TrainRequest};
use crate::app::training::{Phase, Session};
use crate::train::curve::{self, Colours};

/// The curve's colours: those of the page.
const COLOURS: Colours =
    Colours { paper: "none", ink: "var(--muted)", train: "var(--accent)", held_out: "var(--danger)" };

/// The whole panel.
#[component]
pub fn Run(training: Training) -> impl IntoView {
    let session = training.session;
    let phase = Memo::new(move |_| session.with(|session| session.phase.clone()));
    let is_over = move || matches!(phase.get(), Phase::Ended(_) | Phase::Failed(_));
    let failure = move || match phase.get() {
        Phase::Failed(sentence) => Some(sentence),
        Phase::Ended(Ended::Diverged { reason, step }) => {
            Some(format!("{reason} The model is that of the last good state, after step {step}."))
        }
        _ => None,
    };
    let unsaved = move || session.with(|session| session.unsaved.clone());
    let saved = move || {
        session.with(|session| match (session.saved, &session.unsaved) {
            (Some(step), None) => {
                format!("Stored as it was after step {}; what came since would be lost.", grouped(step))
            }
            _ => String::new(),
        })
    };
    view! {
        <section class="train-run">
            <p
                class="status"
                role="status"
                data-testid="train-status"
                data-state=move || session.with(Session::state)
            >
                {move || session.with(sentence)}
            </p>
            <div class="failure" hidden=move || failure().is_none()><p role="alert" data-testid="error">{failure}</p></div>
            <Stats training />
            <div class="actions">
                <button
                    type="button"
                    data-testid="train-pause"
                    hidden=is_over
                    disabled=move || !matches!(phase.get(), Phase::Learning | Phase::Paused)
                    on:click=move |_| training.steer(match phase.get_untracked() {
                        Phase::Paused => TrainRequest::Resume,
                        _ => TrainRequest::Pause,
                    })
                >
                    {move || if phase.get() == Phase::Paused { "Resume" } else { "Pause" }}
                </button>
                <button type="button" data-testid="train-stop" hidden=is_over on:click=move |_| training.steer(TrainRequest::Stop)>
                    "Stop"
                </button>
                <button type="button" class="primary" data-testid="train-write" on:click=move |_| training.write_with_it()>
                    "Write with it"
                </button>
                <button type="button" data-testid="train-save" on:click=move |_| training.save_model()>
                    "Save the model"
                </button>
                <button type="button" data-testid="train-again" hidden=move || !is_over() on:click=move |_| training.start_over()>
                    "Train another"
                </button>
            </div>
            <p class="notice" role="status" data-testid="train-unsaved" hidden=move || unsaved().is_none()>{unsaved}</p>
            <p class="help" data-testid="train-alone" hidden=move || session.with(|session| session.alone.is_none())>
                {move || session.with(|session| session.alone.clone())}
            </p>
            <p class="help" data-testid="train-saved" data-step=move || session.with(|session| session.saved)>{saved}</p>
            <Curve training />
            <Samples training />
            <Take training />
        </section>
    }
}

/// What goes on, as a sentence.
fn sentence(session: &Session) -> String {
    let (step, steps) = steps(session);
    let title = session.run.as_ref().map(|run| run.title.clone()).filter(|title| !title.is_empty());
    let what = title.map_or_else(|| "the text".to_string(), |title| format!("“{title}”"));
    match &session.phase {
        Phase::Idle => String::new(),
        Phase::Beginning => "Beginning…".to_string(),
        Phase::Learning => format!("Learning {what}: step {} of {}.", grouped(step), grouped(steps)),
        Phase::Paused => format!("Paused after step {} of {}.", grouped(step), grouped(steps)),
        Phase::Evaluating => "Measuring on all that is held out…".to_string(),
        Phase::Ended(Ended::Learned { held_out: Some(loss) }) => {
            format!("Learned {what}. On all that is held out: {loss:.4} nats per token.")
        }
        Phase::Ended(Ended::Learned { held_out: None }) => format!("Learned {what}."),
        Phase::Ended(Ended::Stopped) => format!("Stopped after step {} of {}.", grouped(step), grouped(steps)),
        Phase::Ended(Ended::Diverged { .. }) | Phase::Failed(_) => "The run has ended.".to_string(),
    }
}

/// Steps taken, and steps there are.
fn steps(session: &Session) -> (u64, u64) {
    let Some(run) = &session.run else { return (0, 0) };
    (session.progress.map_or(run.step, |progress| progress.step), run.steps)
}

#[component]
fn Stats(training: Training) -> impl IntoView {
    let session = training.session;
    let progress = move || session.with(|session| session.progress);
    let losses = Memo::new(move |_| session.with(Session::losses));
    let (train, held_out) =
        (move || losses.get().map(|losses| losses.0), move || losses.get().and_then(|losses| losses.1));
    let number = |number: Option<f64>| number.map_or("–".to_string(), |number| format!("{number:.4}"));
    let left = move || match (progress(), session.with(Session::state)) {
        (Some(progress), "training") => duration(progress.seconds_left),
        _ => "–".to_string(),
    };
    let speed = move || progress().map_or("–".to_string(), |progress| grouped(progress.tokens_per_second as u64));
    let taken = move || session.with(steps);
    view! {
        <progress
            class="train-progress"
            aria-label="Steps taken"
            max=move || taken().1.max(1)
            value=move || taken().0
        ></progress>
        <dl
            class="facts train-stats"
            data-testid="train-stats"
            data-step=move || taken().0
            data-steps=move || taken().1
            data-train-loss=train
            data-held-out-loss=held_out
            data-tokens-per-second=move || progress().map(|progress| progress.tokens_per_second)
            data-seconds-left=move || progress().map(|progress| progress.seconds_left)
        >
            <div><dt>"Loss, learned"</dt><dd>{move || number(train())}</dd></div>
            <div><dt>"Loss, held out"</dt><dd>{move || number(held_out())}</dd></div>
            <div><dt>"Tokens per second"</dt><dd>{speed}</dd></div>
            <div><dt>"Time left"</dt><dd>{left}</dd></div>
        </dl>
    }
}

/// Both losses, drawn from the CSV.
#[component]
fn Curve(training: Training) -> impl IntoView {
    let session = training.session;
    let csv =
        Memo::new(move |_| session.with(|session| session.run.as_ref().map(|run| run.csv.clone()).unwrap_or_default()));
    let drawn = move || {
        let points = curve::read(&csv.get());
        if points.is_empty() {
            String::new()
        } else {
            curve::svg(&points, session.with(|session| steps(session).1), COLOURS)
        }
    };
    view! { <figure class="train-curve" data-testid="train-curve" inner_html=drawn></figure> }
}

/// What the model wrote, by steps.
#[component]
fn Samples(training: Training) -> impl IntoView {
    let session = training.session;
    let samples = Memo::new(move |_| {
        session.with(|session| session.run.as_ref().map(|run| run.samples.clone()).unwrap_or_default())
    });
    let count = move || samples.with(Vec::len);
    // The newest, until the reader chooses another.
    let chosen = RwSignal::new(None::<usize>);
    let index = move || chosen.get().unwrap_or(usize::MAX).min(count().saturating_sub(1));
    let sample = move || samples.with(|samples| samples.get(index()).cloned());
    let slide = move |value: String| {
        let at = value.parse().unwrap_or(usize::MAX);
        chosen.set(Some(at).filter(|at| at + 1 < count()));
    };
    let label = move || sample().map_or(String::new(), |Sample { step, .. }| format!("After step {}", grouped(step)));
    view! {
        <section class="train-samples" hidden=move || count() == 0>
            <h2>"What it writes"</h2>
            <label class="slider-label">
                <span data-testid="train-sample-label">{label}</span>
                <input
                    type="range"
                    data-testid="train-slider"
                    min="0"
                    max=move || count().saturating_sub(1)
                    aria-label="Samples, from the first step to the newest"
                    aria-valuetext=label
                    prop:value=move || index().to_string()
                    on:input:target=move |event| slide(event.target().value())
                />
            </label>
            <blockquote class="play train-sample" data-testid="train-sample" data-step=move || sample().map(|sample| sample.step)>
                <span class="given">{move || sample().map(|sample| sample.prompt)}</span>
                {move || sample().map(|sample| sample.text)}
            </blockquote>
        </section>
    }
}

/// What can be taken along.
#[component]
fn Take(training: Training) -> impl IntoView {
    let session = training.session;
    let copied = RwSignal::new(Copied::Not);
    let title =
        move || session.with_untracked(|session| session.run.as_ref().map(|run| run.title.clone()).unwrap_or_default());
    let csv = move |_| {
        let csv = session.with_untracked(|session| session.run.as_ref().map(|run| run.csv.clone()));
        save_text(&csv.unwrap_or_default(), &format!("{}.csv", title()));
    };
    let json = move || session.with(|session| session.run.as_ref().and_then(json).unwrap_or_default());
    let share = move |_| copy(training.link(), copied, || ());
    view! {
        <div class="actions">
            <button type="button" data-testid="train-csv" on:click=csv>"Save the curve (CSV)"</button>
            <button type="button" data-testid="train-share" on:click=share>
                {move || if copied.get() == Copied::Yes { "Copied" } else { "Copy the recipe’s address" }}
            </button>
        </div>
        <details class="more">
            <summary>"The run as numbers"</summary>
            <pre class="json" data-testid="train-json" tabindex="0">{json}</pre>
        </details>
    }
}

/// By the browser's own writer.
fn json(run: &RunFacts) -> Option<String> {
    let value = run.serialize(&Serializer::json_compatible()).ok()?;
    let text = js_sys::JSON::stringify_with_replacer_and_space(&value, &leptos::wasm_bindgen::JsValue::NULL, &2.into());
    text.ok().map(String::from)
}
