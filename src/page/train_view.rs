//! Train: a text, what is to learn it, and the run.

use leptos::ev;
use leptos::prelude::*;
use web_sys::HtmlInputElement;

use super::controls::Control;
use super::options::Mounted;
use super::release::why_one_thread;
use super::train_run::Run;
use super::training::Training;
use crate::app::numbers::{duration, grouped};
use crate::app::permalink::AddressError;
use crate::app::protocol::{Estimate, StoredRun, TextFacts};
use crate::app::training::{Answer, Session, TEXT_DIGITS};

/// Kinds of characters that are shown.
const SHOWN_KINDS: usize = 120;
/// The controls that stand there at once; the others are folded away.
const FIRST: [&str; 3] = ["size", "steps", "prompt"];

/// The whole page.
#[component]
pub fn TrainView(
    /// What is chosen, and the run.
    training: Training,
    /// What is wrong with the address.
    #[prop(into)]
    problems: Signal<Vec<AddressError>>,
) -> impl IntoView {
    let session = training.session;
    let has_run = Memo::new(move |_| session.with(|session| session.run.is_some()));
    let failure = move || session.with(Session::failure);
    view! {
        <article class="train">
            <h1 tabindex="-1">"Train a GPT"</h1>
            <p class="lede">"It learns your text in this tab. Nothing is uploaded."</p>
            <p class="notice" role="status" data-testid="notice" hidden=move || problems.get().is_empty()>
                {move || problems.get().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")}
            </p>
            <div class="failure" hidden=move || failure().is_none()>
                <p role="alert" data-testid="error">{failure}</p>
            </div>
            {move || {
                let stored = session.with(|session| session.stored.clone()).filter(|_| session.with(Session::can_be_gone_on_with));
                stored.map(|run| view! { <Stored training run /> }.into_any())
            }}
            <div class="train-grid">
                <div class="train-choice" hidden=move || has_run.get()>
                    <TextChoice training />
                    <ModelChoice training />
                    <Begin training />
                </div>
                {move || has_run.get().then(|| view! { <Run training /> }.into_any())}
            </div>
        </article>
    }
}

/// A run that was left.
#[component]
fn Stored(training: Training, run: StoredRun) -> impl IntoView {
    let StoredRun { title, step, steps, .. } = run;
    let sentence = match step >= steps {
        true => format!("A model that has learned “{title}” in {steps} steps is stored here."),
        false => format!("A run on “{title}” is stored here, as it was after step {step} of {steps}."),
    };
    view! {
        <div class="notice stored-run" data-testid="train-stored" data-step=step.to_string()>
            <p>{sentence}</p>
            <button type="button" class="primary" data-testid="train-restore" on:click=move |_| training.restore()>
                {if step >= steps { "Open it" } else { "Go on" }}
            </button>
            <button type="button" data-testid="train-discard" on:click=move |_| training.discard()>"Remove it"</button>
        </div>
    }
}

/// Where a text comes from, and what it is.
#[component]
fn TextChoice(training: Training) -> impl IntoView {
    let session = training.session;
    let mounted = Mounted::here();
    let typed = RwSignal::new(String::new());
    let pick = move |event: ev::Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            typed.set(String::new());
            training.take_file(file);
        }
        // The same file can be chosen again.
        input.set_value("");
    };
    let shakespeare = move |_| {
        typed.set(String::new());
        training.fetch_shakespeare();
    };
    let facts = move || session.with(|session| session.text.here().cloned());
    let failure = move || session.with(|session| session.text.failure().map(str::to_string));
    let wanted = move || {
        let wanted = training.wanted_text.get()?;
        let here = facts().map(|facts| facts.sha256[..TEXT_DIGITS].to_string());
        match here {
            None => Some(format!(
                "This address is of a run on a text that begins its SHA-256 with {wanted}: choose that text."
            )),
            Some(here) if here != wanted => Some(format!(
                "This is another text than the address says: its SHA-256 begins with {here}, not with {wanted}."
            )),
            Some(_) => None,
        }
    };
    view! {
        <section class="train-text">
            <h2>"Text"</h2>
            <p class="notice" role="status" data-testid="train-wanted" hidden=move || wanted().is_none()>{wanted}</p>
            <div class="control">
                <label for=mounted.id("train-text")>"Paste a text, or drop a file"</label>
                <textarea
                    id=mounted.id("train-text")
                    data-testid="train-text"
                    rows="6"
                    spellcheck="false"
                    placeholder="Letters, poems, code, recipes: 10,000 characters or more."
                    prop:value=move || typed.get()
                    on:input:target=move |event| {
                        typed.set(event.target().value());
                        training.type_text(event.target().value());
                    }
                ></textarea>
            </div>
            <div class="actions">
                <input
                    type="file"
                    class="visually-hidden"
                    id=mounted.id("train-file")
                    data-testid="train-file"
                    accept="text/*,.txt,.md,.csv,.json,.html"
                    on:change=pick
                />
                <label class="button" for=mounted.id("train-file")>"Choose a file"</label>
                <button type="button" data-testid="train-shakespeare" on:click=shakespeare title="1.1 MB, from this site">
                    "Shakespeare"
                </button>
            </div>
            <div aria-live="polite">
                <p class="problem" data-testid="train-text-problem">{failure}</p>
                <p class="help" hidden=move || session.with(|session| session.text != Answer::Asked)>"Reading the text…"</p>
                {move || facts().map(|facts| facts_view(training, facts))}
            </div>
        </section>
    }
}

/// What the text is, in sentences.
fn facts_view(training: Training, facts: TextFacts) -> AnyView {
    let count = facts.alphabet.chars().count();
    let seen = |characters: &str| characters.chars().take(SHOWN_KINDS).map(shown).collect::<String>();
    let more = if count > SHOWN_KINDS { "…" } else { "" };
    let said = move || {
        let learned = ((1.0 - training.settings().plan.held_out) * facts.characters as f64) as u64;
        let title = training.title.get();
        let [characters, learned, held_out] = [facts.characters, learned, facts.characters - learned].map(grouped);
        format!(
            "“{title}” has {characters} characters of {count} kinds. {learned} are learned, the last {held_out} are held \
             out to measure on."
        )
    };
    let added = seen(&facts.added);
    let has_none_added = added.is_empty();
    view! {
        <p data-testid="train-facts">{said}</p>
        <p class="kinds-shown">{seen(&facts.alphabet)}{more}</p>
        <p hidden=has_none_added>"New to the model: "<span class="kinds-shown" data-testid="train-added">{added}</span></p>
    }
    .into_any()
}

/// A character as it can be seen.
fn shown(character: char) -> char {
    match character {
        '\n' => '⏎',
        '\t' => '⇥',
        ' ' => '␣',
        character if character.is_control() => '·',
        character => character,
    }
}

/// What is to learn it.
#[component]
fn ModelChoice(training: Training) -> impl IntoView {
    let mounted = Mounted::here();
    let fields = move |is_meant: fn(&str) -> bool| {
        let fields = training.fields().into_iter().filter(move |field| is_meant(field.parameter.name));
        fields.map(|field| view! { <Control field /> }).collect_view()
    };
    let is_shape = |name: &str| ["n_layer", "n_head", "n_embd", "block_size", "size"].contains(&name);
    let shape_hidden = move || !training.from.get().is_empty();
    let choose_base = move |id: String| {
        training.from.set(id);
        training.read();
    };
    // What is chosen is also the address, and decides how long it takes.
    Effect::new(move |previous: Option<()>| {
        training.settings();
        training.write_bar();
        if previous.is_some() && training.has_text() {
            training.measure();
        }
    });
    let option = move |(id, name): (String, String)| {
        let value = id.clone();
        view! { <option value=value selected=move || training.from.get() == id>{name}</option> }
    };
    view! {
        <section class="train-model">
            <h2>"Model"</h2>
            <div class="control">
                <label for=mounted.id("train-from")>"Begin with"</label>
                <select
                    id=mounted.id("train-from")
                    data-testid="train-from"
                    prop:value=move || training.from.get()
                    on:change:target=move |event| choose_base(event.target().value())
                >
                    <option value="" selected=move || training.from.get().is_empty()>"a new model"</option>
                    {move || training.bases().into_iter().map(option).collect_view()}
                </select>
                <p class="help">"A model that has learned already needs fewer steps: it is fine-tuned."</p>
            </div>
            <div hidden=shape_hidden>{fields(|name| name == FIRST[0])}</div>
            {fields(|name| FIRST[1..].contains(&name))}
            <details class="more" data-testid="train-more">
                <summary>"More settings"</summary>
                <div class="more-grid">
                    {fields(|name| ["seed", "batch_size", "dropout", "learning_rate", "held_out"].contains(&name))}
                    <div class="shape" hidden=shape_hidden>
                        {training
                            .fields()
                            .into_iter()
                            .filter(move |field| is_shape(field.parameter.name) && field.parameter.name != FIRST[0])
                            .map(|field| view! { <Control field /> })
                            .collect_view()}
                    </div>
                </div>
            </details>
        </section>
    }
}

/// How long it takes, and the button.
#[component]
fn Begin(training: Training) -> impl IntoView {
    let session = training.session;
    let estimate = move || session.with(|session| session.estimate.clone());
    let sentence = move || match estimate() {
        Answer::None => "Choose a text first.".to_string(),
        Answer::Asked => "Measuring how long it takes here…".to_string(),
        Answer::Here(estimate) => estimate_sentence(&estimate),
        Answer::Failed(_) => String::new(),
    };
    let failure = move || estimate().failure().map(str::to_string);
    let is_wrong = move || {
        let fields = training.fields();
        fields.iter().any(|field| field.problem.get().is_some())
    };
    let can_start = move || session.with(|session| session.text.here().is_some()) && failure().is_none() && !is_wrong();
    let seconds = move || estimate().here().map(|estimate| estimate.seconds.to_string());
    let chip = move |(label, minutes): (&'static str, f64)| {
        let set = move |_| {
            if let (Some(estimate), Some(field)) = (untrack(estimate).here(), training.field("steps")) {
                let steps = untrack(|| training.settings()).plan.steps;
                let steps = steps.unwrap_or_else(|| untrack(|| training.settings()).plan.size.steps());
                // What is not steps grows with them.
                let step = estimate.seconds / steps as f64;
                field.edit(((minutes * 60.0 / step) as u64).max(1).to_string());
            }
        };
        view! {
            <button
                type="button"
                class="chip"
                data-testid=format!("train-minutes-{minutes}")
                disabled=move || estimate().here().is_none()
                on:click=set
            >
                {label}
            </button>
        }
    };
    view! {
        <section class="train-begin">
            <p class="train-estimate" aria-live="polite" data-testid="train-estimate" data-seconds=seconds>{sentence}</p>
            <p class="problem" role="alert" data-testid="train-estimate-problem">{failure}</p>
            <div class="chips" role="group" aria-label="As many steps as take">
                {[("30 s", 0.5), ("2 min", 2.0), ("10 min", 10.0), ("1 h", 60.0)].map(chip).collect_view()}
            </div>
            <p class="help">{why_one_thread()}</p>
            <p class="help" hidden=move || session.with(|session| session.obstacle.is_none())>
                {move || session.with(|session| session.obstacle.clone())}
            </p>
            <button
                type="button"
                class="primary"
                data-testid="train-start"
                disabled=move || !can_start()
                on:click=move |_| training.start()
            >
                "Start"
            </button>
        </section>
    }
}

fn estimate_sentence(estimate: &Estimate) -> String {
    let millions = estimate.parameters as f64 / 1e6;
    let (time, speed) = (duration(estimate.seconds), grouped(estimate.tokens_per_second as u64));
    let threads = if estimate.threads == 1 { "1 thread".to_string() } else { format!("{} threads", estimate.threads) };
    format!("{millions:.1} million weights. About {time} here, at {speed} tokens per second with {threads}.")
}
