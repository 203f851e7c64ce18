//! Whether the model is GPT-2: held against published figures when the reader asks for it.

use leptos::prelude::*;

use super::engine::Engine;
use super::options::Mounted;
use super::writing::Writing;
use crate::app::protocol::{Event, Request};
use crate::evaluate::verify::{Check, Greedy, SHARED, Verification};

/// What 8 bits may change.
const ROUNDED: &str = "The weights of this file are rounded, as a rule to 8 bits each; those that were published have \
    32. So a logit may be off by as much as is allowed here, and where two tokens are almost equally likely the text \
    may take another turn: it is shown, and does not count.";

/// What has become of the comparison.
#[derive(Clone, Debug, PartialEq)]
enum Compared {
    NotYet,
    /// A text is being written.
    Waiting,
    Running {
        done: u32,
        all: u32,
    },
    Stopped,
    Done(Verification),
    Failed(String),
}

/// The whole panel; nothing where nothing is published of a model of this shape.
#[component]
pub fn Verify(
    /// Knows the model.
    writing: Writing,
) -> impl IntoView {
    // Outlives the panel, which is gone while a worker that broke is replaced.
    let compared = RwSignal::new(Compared::NotYet);
    let can_be = Memo::new(move |_| writing.summary().is_some_and(|summary| summary.can_be_verified));
    move || can_be.get().then(|| view! { <Panel engine=writing.engine compared /> }.into_any())
}

#[component]
fn Panel(engine: Engine, compared: RwSignal<Compared>) -> impl IntoView {
    let progress = move || match compared.get() {
        Compared::Running { done, all } => Some((done, all)),
        _ => None,
    };
    let passed = move || match compared.get() {
        Compared::Done(Verification { passed, .. }) => Some(passed.to_string()),
        _ => None,
    };
    let failure = move || match compared.get() {
        Compared::Failed(sentence) => Some(sentence),
        _ => None,
    };
    let stop = move |_| match compared.get_untracked() {
        Compared::Waiting => compared.set(Compared::NotYet),
        _ => engine.send(Request::Stop),
    };
    let is_busy = move || matches!(compared.get(), Compared::Waiting | Compared::Running { .. });
    Effect::new(move |_| {
        if compared.get() == Compared::Waiting && !engine.is_writing() {
            verify(engine, compared);
        }
    });
    let mounted = Mounted::here();
    view! {
        <section class="verify" aria-label="Verification">
            <p class="help" id=mounted.id("verify-help")>"Compares this model with figures published for GPT-2."</p>
            <div class="verify-buttons">
                <button
                    type="button"
                    data-testid="verify"
                    aria-describedby=mounted.id("verify-help")
                    on:click=move |_| compared.set(Compared::Waiting)
                >
                    "Verify"
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="verify-stop"
                    aria-label="Stop verifying"
                    disabled=move || !is_busy()
                    on:click=stop
                >
                    "Stop"
                </button>
            </div>
            <progress
                data-testid="verify-progress"
                aria-label="Steps compared"
                max=move || progress().map(|(_, all)| all)
                value=move || progress().map(|(done, _)| done)
                hidden=move || progress().is_none()
            ></progress>
            <p class="problem" data-testid="verify-error" role="alert">{failure}</p>
            <div data-testid="verification" data-passed=passed>
                <p class="verdict" role="status">{move || sentence(&compared.get())}</p>
                {move || report(compared.get())}
            </div>
        </section>
    }
}

fn verify(engine: Engine, compared: RwSignal<Compared>) {
    compared.set(Compared::Running { done: 0, all: 1 });
    let hear = move |_, event| {
        // The reader may have gone to another page meanwhile, and with it the signal.
        compared.try_set(match event {
            Event::Verifying { done, all, .. } => Compared::Running { done, all },
            Event::Verified { verification, .. } => Compared::Done(verification),
            Event::Interrupted { .. } => Compared::Stopped,
            Event::Failed { message, .. } => Compared::Failed(message),
            _ => return,
        });
    };
    engine.begin(|run| Request::Verify { run }, hear);
}

fn sentence(compared: &Compared) -> String {
    match compared {
        Compared::NotYet | Compared::Failed(_) => String::new(),
        Compared::Waiting => "This begins when the text is done.".to_string(),
        Compared::Running { .. } => "Comparing…".to_string(),
        Compared::Stopped => "Stopped before all was compared.".to_string(),
        Compared::Done(verification) => verification.verdict(),
    }
}

/// The figures, where there are any.
fn report(compared: Compared) -> Option<AnyView> {
    let Compared::Done(Verification { checks, greedy, .. }) = compared else { return None };
    let rounded = (!greedy.required).then_some(ROUNDED);
    let rows = checks.iter().map(check_row).chain([greedy_row(&greedy)]).collect_view();
    Some(view! { <ul class="checks">{rows}</ul><p class="help" hidden=rounded.is_none()>{rounded}</p> }.into_any())
}

/// A value, what it is, and whether it is another than it must be.
type Figure = (&'static str, String, bool);

/// One prompt.
fn check_row(check: &Check) -> AnyView {
    let tokens = if check.tokens_equal { "as published" } else { "not as published" };
    let figures = [
        ("Tokens", tokens.to_string(), !check.tokens_equal),
        ("Most likely next", top1(check), !check.is_top1_equal()),
        ("Top 10", format!("{} shared, at least {SHARED} must be", check.shared_top10), !check.is_top10_shared()),
        ("Largest difference", difference(check), !check.is_within()),
    ];
    row(Some(check.passed), format!("“{}”", check.prompt), figures.into(), &check.problems)
}

/// The text at temperature 0.
fn greedy_row(greedy: &Greedy) -> AnyView {
    let counts = greedy.required || greedy.is_equal();
    let figures = [("Text", greedy.found.clone(), !greedy.passed()), ("Published", greedy.expected.clone(), false)];
    let name = format!("“{}”, greedy", greedy.prompt);
    row(counts.then_some(greedy.passed()), name, figures.into(), &[])
}

/// What was compared; `passed` is `None` where it does not count.
fn row(passed: Option<bool>, name: String, figures: Vec<Figure>, problems: &[String]) -> AnyView {
    let (mark, word) = match passed {
        Some(true) => ("✓ ", "As published: "),
        Some(false) => ("✗ ", "Not as published: "),
        None => ("", "Differs, which is allowed: "),
    };
    let problem = |problem: &String| view! { <li>{problem.clone()}</li> };
    view! {
        <li class="check" data-passed=passed.map(|passed| passed.to_string())>
            <p class="check-name" class:differs=passed == Some(false)>
                <span aria-hidden="true">{mark}</span>
                <span class="visually-hidden">{word}</span>
                {name}
            </p>
            <dl>{figures.into_iter().map(figure).collect_view()}</dl>
            <details hidden=problems.is_empty()>
                <summary>"What differs"</summary>
                <ul>{problems.iter().map(problem).collect_view()}</ul>
            </details>
        </li>
    }
    .into_any()
}

/// With a mark, not by its colour only, where it differs.
fn figure((label, value, differs): Figure) -> impl IntoView {
    let value = if differs { format!("✗ {value}") } else { value };
    view! {
        <dt>{label}</dt>
        <dd class:differs=differs>{value}</dd>
    }
}

fn top1(check: &Check) -> String {
    let found = format!("“{}”", check.found_top1.text.replace('\n', "↵"));
    match check.is_top1_equal() {
        true => found,
        false => format!("{found}, token {}, not {}", check.found_top1.id, check.expected_top1),
    }
}

fn difference(check: &Check) -> String {
    match check.largest_difference.is_nan() {
        true => "not a number".to_string(),
        false => format!("{:.2}, allowed {:.2}", check.largest_difference, check.tolerance),
    }
}
