//! A run: its curve, what the model writes, and what can be done with it.

use js_sys::JSON;
use leptos::prelude::*;

use super::clipboard::{Copied, copy};
use super::saving::save_text;
use super::training::Training;
use crate::app::numbers::{duration, grouped};
use crate::app::protocol::{Ended, RunFacts, Sample, TrainRequest};
use crate::app::training::{Phase, Session};

/// Something that the reader can do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Pause,
    Stop,
    Write,
    Save,
    Again,
    Csv,
    Share,
}

/// All of it, with the `data-testid` of each button.
const ACTIONS: [(Action, &str); 7] = [
    (Action::Pause, "train-pause"),
    (Action::Stop, "train-stop"),
    (Action::Write, "train-write"),
    (Action::Save, "train-save"),
    (Action::Csv, "train-csv"),
    (Action::Share, "train-share"),
    (Action::Again, "train-again"),
];

impl Action {
    fn label(self, phase: &Phase, copied: Copied) -> &'static str {
        match self {
            Action::Pause if *phase == Phase::Paused => "Resume",
            Action::Pause => "Pause",
            Action::Stop => "Stop",
            Action::Write => "Write with it",
            Action::Save => "Save the model",
            Action::Again => "Train another",
            Action::Csv => "Save the curve (CSV)",
            Action::Share if copied == Copied::Yes => "Copied",
            Action::Share => "Copy the recipe’s address",
        }
    }

    fn is_hidden(self, session: &Session) -> bool {
        match self {
            Action::Pause | Action::Stop => !session.is_under_way(),
            Action::Again => session.is_under_way(),
            _ => false,
        }
    }

    fn take(self, training: Training, copied: RwSignal<Copied>) {
        let run = training.session.with_untracked(|session| session.run.clone());
        match self {
            Action::Pause => training.pause_or_resume(),
            Action::Stop => training.steer(TrainRequest::Stop),
            Action::Write => training.write_with_it(),
            Action::Save => training.save_model(),
            Action::Again => training.start_over(),
            Action::Csv => {
                run.inspect(|run| save_text(&run.curve.csv, &format!("{}.csv", run.title)));
            }
            Action::Share => copy(training.link(), copied, || ()),
        }
    }
}

/// The whole panel.
#[component]
pub fn Run(training: Training) -> impl IntoView {
    let session = training.session;
    let copied = RwSignal::new(Copied::Not);
    let button = move |(action, testid): (Action, &'static str)| {
        view! {
            <button
                type="button"
                data-testid=testid
                class=if action == Action::Write { "primary" } else { "" }
                hidden=move || session.with(|session| action.is_hidden(session))
                on:click=move |_| action.take(training, copied)
            >
                {move || session.with(|session| action.label(&session.phase, copied.get()))}
            </button>
        }
    };
    // A sentence that is not always there.
    let line = move |class: &'static str, testid: &'static str, of: fn(&Session) -> Option<String>| {
        let text = move || session.with(of);
        view! { <p class=class role="status" data-testid=testid hidden=move || text().is_none()>{text}</p> }
    };
    let saved = move || session.with(|session| session.saved.map(|step| step.to_string()));
    let json = move || session.with(|session| session.run.as_ref().and_then(json).unwrap_or_default());
    view! {
        <section class="train-run">
            <p
                class="status"
                role="status"
                data-testid="train-status"
                data-state=move || session.with(Session::state)
                data-saved=saved
            >
                {move || session.with(sentence)}
            </p>
            <Stats training />
            <div class="actions">{ACTIONS.map(button).collect_view()}</div>
            {line("notice", "train-unsaved", |session| session.unsaved.clone())}
            {line("help", "train-alone", |session| session.alone.clone())}
            {line("help", "train-saved", saved_sentence)}
            <Curve training />
            <Samples training />
            <details class="more">
                <summary>"The run as numbers"</summary>
                <pre class="json" data-testid="train-json" tabindex="0">{json}</pre>
            </details>
        </section>
    }
}

/// What of the run is stored, as a sentence.
fn saved_sentence(session: &Session) -> Option<String> {
    let step = session.saved.filter(|_| session.unsaved.is_none())?;
    Some(match step < steps(session).0 {
        true => format!("Stored as it was after step {}; what came since would be lost.", grouped(step)),
        false => "Stored as it is now.".to_string(),
    })
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
        Phase::Evaluating(read, all) => {
            format!("Measuring on all that is held out: {} of {} windows.", grouped(*read), grouped(*all))
        }
        Phase::Ended(Ended::Learned(Some(loss))) => {
            format!("Learned {what}. On all that is held out: {loss:.4} nats per token.")
        }
        Phase::Ended(Ended::Learned(None)) => format!("Learned {what}."),
        Phase::Ended(Ended::Stopped) => format!("Stopped after step {} of {}.", grouped(step), grouped(steps)),
        Phase::Ended(Ended::Diverged(..)) | Phase::Failed(_) => "The run has ended.".to_string(),
    }
}

/// Steps taken, and steps there are.
fn steps(session: &Session) -> (u64, u64) {
    let Some(run) = &session.run else { return (0, 0) };
    (session.progress.map_or(run.step, |progress| progress.step), run.steps)
}

/// A number of the run, as it is shown, and as an attribute has it.
type Number = (&'static str, fn(&Session) -> Option<String>);

const NUMBERS: [Number; 5] = [
    ("Loss, learned", |session| Some(session.losses()?.0.to_string())),
    ("Loss, held out", |session| Some(session.losses()?.1.to_string()).filter(|loss| !loss.is_empty())),
    ("Tokens per second", |session| Some(grouped(session.progress?.tokens_per_second as u64))),
    ("Time left", |session| {
        let progress = session.progress.filter(|_| session.state() == "training")?;
        Some(duration(progress.seconds_left))
    }),
    ("Memory", |session| Some(format!("{} MB", session.progress?.wasm_memory_bytes / 1_000_000))),
];

#[component]
fn Stats(training: Training) -> impl IntoView {
    let session = training.session;
    let taken = move || session.with(steps);
    let attribute = move |of: fn(&Session) -> Option<String>| move || session.with(of);
    let shown = move |(label, of): Number| {
        let text = move || session.with(of).unwrap_or_else(|| "–".to_string());
        view! { <div><dt>{label}</dt><dd>{text}</dd></div> }
    };
    view! {
        <progress
            class="train-progress"
            aria-label="Steps taken"
            max=move || Some(taken().1.max(1))
            value=move || Some(taken().0)
        ></progress>
        <dl
            class="facts train-stats"
            data-testid="train-stats"
            data-step=attribute(|session| Some(steps(session).0.to_string()))
            data-steps=attribute(|session| Some(steps(session).1.to_string()))
            data-train-loss=attribute(NUMBERS[0].1)
            data-held-out-loss=attribute(NUMBERS[1].1)
            data-tokens-per-second=attribute(|session| Some(session.progress?.tokens_per_second.to_string()))
            data-seconds-left=attribute(|session| Some(session.progress?.seconds_left.to_string()))
            data-memory=attribute(|session| Some(session.progress?.wasm_memory_bytes.to_string()))
        >
            {NUMBERS.map(shown).collect_view()}
        </dl>
    }
}

/// Both losses, drawn from the CSV.
#[component]
fn Curve(training: Training) -> impl IntoView {
    let svg = |run: &RunFacts| run.curve.svg.clone();
    let drawn = Memo::new(move |_| training.session.with(|session| session.run.as_ref().map(svg).unwrap_or_default()));
    view! { <figure class="train-curve" data-testid="train-curve" inner_html=move || drawn.get()></figure> }
}

/// What the model wrote, by steps.
#[component]
fn Samples(training: Training) -> impl IntoView {
    let session = training.session;
    let count = move || session.with(|session| session.run.as_ref().map_or(0, |run| run.samples.len()));
    // The newest, until the reader chooses another.
    let chosen = RwSignal::new(None::<usize>);
    let index = move || chosen.get().unwrap_or(usize::MAX).min(count().saturating_sub(1));
    let sample = move || session.with(|session| session.run.as_ref()?.samples.get(index()).cloned());
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
                    max=move || Some(count().saturating_sub(1).to_string())
                    aria-label="Samples, from the first step to the newest"
                    aria-valuetext=label
                    prop:value=move || index().to_string()
                    on:input:target=move |event| slide(event.target().value())
                />
            </label>
            <blockquote class="play train-sample" data-testid="train-sample" data-step=move || sample().map(|sample| sample.step.to_string())>
                <span class="given">{move || sample().map(|sample| sample.prompt)}</span>
                {move || sample().map(|sample| sample.text)}
            </blockquote>
        </section>
    }
}

/// The run as JSON.
fn json(run: &RunFacts) -> Option<String> {
    let quoted = |text: &str| JSON::stringify(&text.into()).ok().map(String::from);
    let settings = quoted(&String::from(run.settings.clone()))?;
    let samples = run.samples.iter().map(|sample| {
        let (prompt, text) = (quoted(&sample.prompt)?, quoted(&sample.text)?);
        Some(format!("{{\"step\": {}, \"prompt\": {prompt}, \"text\": {text}}}", sample.step))
    });
    let samples = samples.collect::<Option<Vec<_>>>()?.join(",\n    ");
    let (title, csv, parameters, steps) = (quoted(&run.title)?, quoted(&run.curve.csv)?, run.parameters, run.steps);
    Some(format!(
        "{{\n  \"title\": {title},\n  \"settings\": {settings},\n  \"parameters\": {parameters},\n  \"steps\": {steps},\n  \
         \"csv\": {csv},\n  \"samples\": [{samples}]\n}}"
    ))
}
