//! The bench: loads a model, measures it once, and leaves the numbers as JSON.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;

use super::download::{self, Download};
use super::engine::Engine;
use super::model::ModelState;
use super::models::{GPT2, PEARGPT};
use super::options::Mounted;
use super::release::why_one_thread;
use crate::app::protocol::{BenchReport, Event, Request};

/// What has become of the measurement.
#[derive(Clone, Debug, PartialEq)]
enum Measured {
    NotYet,
    Running,
    Done(BenchReport),
    Failed(String),
}

/// The whole page.
#[component]
pub fn Bench(
    /// The model.
    engine: Engine,
    /// The id of the one that is measured.
    model: String,
    /// Length of the prompt, in tokens.
    prompt_tokens: u32,
    /// Tokens to decode after it.
    tokens: u32,
) -> impl IntoView {
    let (measured, site) = (RwSignal::new(Measured::NotYet), Mounted::here().options().site.clone());
    let id = StoredValue::new(model.clone());
    engine.want(&model);
    on_cleanup(move || engine.give_up_turn(&id.try_get_value().unwrap_or_default()));
    Effect::new(move |_| {
        let is_here = matches!(engine.model_of(&id.get_value()), ModelState::Loaded(_));
        if is_here && measured.get() == Measured::NotYet && !engine.is_writing() {
            measure(engine, measured, prompt_tokens, tokens);
        }
    });
    let model_now = move || engine.model_of(&id.get_value());
    let again = move |_| {
        measured.set(Measured::NotYet);
        engine.want(&id.get_value());
    };
    // It stays where it is while it cannot be pressed, so that the focus stays too.
    let was_measured = Memo::new(move |before| before == Some(&true) || matches!(measured.get(), Measured::Done(_)));
    let is_done = move || matches!(measured.get(), Measured::Done(_));
    let failure = move || match (measured.get(), engine.model_of(&id.get_value())) {
        (Measured::Failed(sentence), _) | (_, ModelState::Failed(sentence)) => Some(sentence),
        (_, ModelState::NotHere) => Some("That model is not in this browser.".to_string()),
        _ => None,
    };
    let report = move || match measured.get() {
        Measured::Done(report) => Some(report),
        _ => None,
    };
    view! {
        <article class="plain bench">
            <h1 tabindex="-1">"Bench"</h1>
            <p class="lede">
                {move || {
                    let id = id.get_value();
                    let home = || if site.is_home(&id) { site.title.clone() } else { id.clone() };
                    let name = engine.title(&id).unwrap_or_else(home);
                    format!("How fast this machine reads {prompt_tokens} tokens with {name}, and writes {tokens} more.")
                }}
            </p>
            <p class="chips">{choices(engine)}</p>
            <p class="status" role="status" data-testid="status" data-state=move || state(&measured.get(), &model_now())>
                {move || sentence(&measured.get(), &model_now(), engine.is_writing())}
            </p>
            <Download engine model=Signal::derive(move || engine.model_of(&id.get_value())) />
            <Show when=move || failure().is_some()>
                <div class="failure">
                    <p data-testid="error" role="alert">{failure}</p>
                    <button type="button" data-testid="retry" on:click=again>"Try again"</button>
                </div>
            </Show>
            <button
                type="button"
                data-testid="run-again"
                aria-disabled=move || (!is_done()).then_some("true")
                hidden=move || !was_measured.get()
                on:click=move |event| {
                    if untrack(is_done) {
                        again(event);
                    }
                }
            >
                "Run again"
            </button>
            {move || report().map(|report| view! { <Report report /> })}
        </article>
    }
}

/// What can be measured: the site's models, and the reader's own.
fn choices(engine: Engine) -> impl IntoView {
    let link = |(id, title): (String, String)| {
        view! { <a class="button chip" href=format!("#/bench?model={id}")>{title}</a> }
    };
    let own = engine.own();
    let site = Mounted::here().options().site.clone();
    let models = [PEARGPT.id, GPT2.id].into_iter().zip([PEARGPT.name, GPT2.name]);
    models
        .filter(|(id, _)| site.has(id))
        .map(|(id, title)| (id.to_string(), title.to_string()))
        .chain(own)
        .map(link)
        .collect_view()
}

fn measure(engine: Engine, measured: RwSignal<Measured>, prompt_tokens: u32, tokens: u32) {
    measured.set(Measured::Running);
    let hear = move |_, event| {
        // The reader may have gone to another page meanwhile, and with it the signal.
        let outcome = match event {
            Event::Benched { report, .. } => {
                let model = engine.loading.id.get_untracked().unwrap_or_default();
                Measured::Done(BenchReport { model, user_agent: user_agent(), ..report })
            }
            Event::Failed { message, .. } => Measured::Failed(message),
            _ => return,
        };
        measured.try_set(outcome);
    };
    engine.begin(|run| Request::Bench { run, prompt_tokens, tokens }, hear);
}

fn user_agent() -> String {
    window().navigator().user_agent().unwrap_or_default()
}

fn state(measured: &Measured, model: &ModelState) -> &'static str {
    match (measured, model) {
        (Measured::Failed(_), _) | (_, ModelState::Failed(_) | ModelState::NotHere) => "failed",
        (Measured::Done(_), _) => "done",
        (Measured::Running, _) => "generating",
        (_, ModelState::Opening | ModelState::Loaded(_)) => "loading",
        (_, ModelState::Behind(_)) => "idle",
        (_, ModelState::Asking { .. }) => "asking",
        (_, ModelState::Paused { .. }) => "paused",
        _ => "downloading",
    }
}

fn sentence(measured: &Measured, model: &ModelState, is_writing: bool) -> String {
    match (measured, model) {
        (Measured::Failed(_), _) | (_, ModelState::Failed(_) | ModelState::NotHere) => "That did not work.".to_string(),
        (Measured::Done(_), _) => "Done.".to_string(),
        (Measured::Running, _) => "Measuring…".to_string(),
        (Measured::NotYet, ModelState::Loaded(_)) if is_writing => "This begins when the text is done.".to_string(),
        (Measured::NotYet, model) => download::sentence(model),
    }
}

#[component]
fn Report(report: BenchReport) -> impl IntoView {
    let json = json(&report).unwrap_or_default();
    let row = |(label, value): (&'static str, String)| view! { <tr><th scope="row">{label}</th><td>{value}</td></tr> };
    view! {
        <table>
            <caption class="visually-hidden">"What was measured"</caption>
            <tbody>{rows(&report).map(row).collect_view()}</tbody>
        </table>
        <h2>"JSON"</h2>
        <pre class="json" data-testid="bench-json" tabindex="0">{json}</pre>
    }
}

/// By the browser's own writer, two spaces deep.
fn json(report: &BenchReport) -> Option<String> {
    let value = report.serialize(&Serializer::json_compatible()).ok()?;
    js_sys::JSON::stringify_with_replacer_and_space(&value, &JsValue::NULL, &2.into()).ok().map(String::from)
}

fn rows(report: &BenchReport) -> [(&'static str, String); 8] {
    let floor = report.read_gb_per_second * 1e9 / report.weight_bytes.max(1) as f64;
    [
        ("Engine", [report.backend.clone(), why_one_thread()].join(" ").trim().to_string()),
        (
            "Weights",
            format!("{:.2} million, {:.1} MB", report.parameters as f64 / 1e6, report.weight_bytes as f64 / 1e6),
        ),
        ("Load", format!("{:.0} ms", report.load_ms)),
        ("Prompt", format!("{} tokens in {:.1} ms", report.prefill_tokens, report.prefill_ms)),
        ("Decoding", format!("{:.1} tokens per second", report.decode_tokens_per_second)),
        ("One token", format!("median {:.2} ms, 95 % under {:.2} ms", report.decode_ms_p50, report.decode_ms_p95)),
        (
            "Memory bandwidth",
            format!("{:.1} GB per second, enough for {floor:.0} tokens per second", report.read_gb_per_second),
        ),
        ("Memory", format!("{:.1} MB", report.wasm_memory_bytes as f64 / 1e6)),
    ]
}
