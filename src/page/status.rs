//! What goes on, in words and in numbers.

use leptos::prelude::*;

use super::download;
use super::model::ModelState;
use super::phase::{Phase, RunState};
use super::release::why_one_thread;
use super::writing::Writing;
use crate::generation::StopReason;
use crate::generation::Window;

/// Tokens of a prompt whose reading is worth a word.
const LONG: u32 = 256;

/// The sentence on what goes on. It changes with the phase only, so that it can be read aloud.
#[component]
pub fn Status(
    /// The writing that it tells of.
    writing: Writing,
) -> impl IntoView {
    let phase = Memo::new(move |_| writing.phase());
    let sentence = Memo::new(move |_| sentence(writing, phase.get()));
    view! {
        <p class="status" role="status" data-testid="status" data-state=move || phase.get().name()>
            {sentence}
        </p>
        <progress
            class="reading"
            data-testid="reading"
            aria-label="Tokens read"
            hidden=move || long_reading(writing).is_none()
            max=move || long_reading(writing)
            value=move || writing.stats.get().map_or(0, |stats| stats.prefilled)
        ></progress>
    }
}

/// How many tokens are being read, where they are so many that it takes a while.
fn long_reading(writing: Writing) -> Option<u32> {
    writing.reading.get().filter(|tokens| *tokens >= LONG && writing.phase() == Phase::Generating)
}

/// A bar at the lower edge of a small screen while there is something to stop: the text is long, and the buttons are far
/// above it. Screen readers have the status line.
#[component]
pub fn PhoneBar(
    /// The writing that it stops.
    writing: Writing,
) -> impl IntoView {
    let text = move || {
        let speed = speed(writing).map_or(String::new(), |speed| format!(" {speed} tokens/s"));
        format!("{}{speed}", sentence(writing, writing.phase()))
    };
    view! {
        <div class="phone-bar" class:busy=move || writing.is_busy()>
            <span aria-hidden="true">{text}</span>
            <button type="button" data-testid="stop-below" on:click=move |_| writing.stop()>
                "Stop"
            </button>
        </div>
    }
}

fn sentence(writing: Writing, phase: Phase) -> String {
    let waiting = writing.run.get() == RunState::Waiting;
    let then = if waiting { " Writing starts when the model is ready." } else { "" };
    match (phase, writing.run.get()) {
        (Phase::Idle, _) => match writing.model() {
            model @ ModelState::Behind(_) => format!("{}{then}", download::sentence(&model)),
            _ => "No model is loaded.".to_string(),
        },
        (Phase::Asking | Phase::Downloading | Phase::Paused, _) => {
            format!("{}{then}", download::sentence(&writing.model()))
        }
        (Phase::Loading, _) => format!("{}{then}", download::sentence(&writing.model())),
        (Phase::Ready, _) => "Ready.".to_string(),
        (Phase::Generating, _) => match long_reading(writing) {
            Some(tokens) => format!("Reading {tokens} tokens…"),
            None => "Writing…".to_string(),
        },
        (Phase::Failed, _) => "That did not work.".to_string(),
        (_, RunState::Ended(reason)) => ending(reason).to_string(),
        (Phase::Done | Phase::Stopped, _) => "Done.".to_string(),
    }
}

fn ending(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Words => "Done.",
        StopReason::Tail => "Done. The paragraph did not end within 300 more tokens.",
        StopReason::EndOfText => "Done. The model ended the text; Continue writes on.",
        StopReason::Runaway => "Stopped: the model writes hardly any spaces, so its words cannot be counted.",
        StopReason::Tokens => "Done.",
        StopReason::Sequence => "Done. A stop sequence came; Continue writes on behind it.",
        StopReason::Stopped => "Stopped.",
    }
}

fn reason_name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Words => "words",
        StopReason::Tail => "tail",
        StopReason::EndOfText => "end_of_text",
        StopReason::Runaway => "runaway",
        StopReason::Tokens => "tokens",
        StopReason::Sequence => "stop",
        StopReason::Stopped => "stopped",
    }
}

/// The numbers of the run, for people and, as attributes, for tests.
#[component]
pub fn Numbers(
    /// The writing that they measure.
    writing: Writing,
) -> impl IntoView {
    let stats = writing.stats;
    // The service worker is there by the time that the engine is, if at all.
    let engine_note = move || writing.engine.backend.get().map_or(String::new(), |_| why_one_thread());
    let reason = move || match writing.run.get() {
        RunState::Ended(reason) => Some(reason_name(reason)),
        _ => None,
    };
    view! {
        <dl
            class="stats"
            data-testid="stats"
            data-tokens=move || stats.get().map(|stats| stats.tokens)
            data-words=move || stats.get().map(|stats| stats.words)
            data-tokens-per-second=move || stats.get().map(|stats| format!("{:.2}", stats.tokens_per_second))
            data-first-token-ms=move || stats.get().and_then(|stats| stats.first_token_ms).map(|ms| format!("{ms:.1}"))
            data-backend=move || writing.engine.backend.get()
            data-window=move || writing.window().name()
            data-forwarded-rows=move || stats.get().map(|stats| stats.forwarded_rows)
            data-window-crossings=move || stats.get().map(|stats| stats.window_crossings)
            data-wasm-memory-bytes=move || stats.get().map(|stats| stats.wasm_memory_bytes)
            data-reason=reason
        >
            <Number label="Tokens" value=Signal::derive(move || stats.get().map(|stats| stats.tokens.to_string())) />
            <Number label="Words" value=Signal::derive(move || stats.get().map(|stats| stats.words.to_string())) />
            <Number label="Tokens / s" value=Signal::derive(move || speed(writing)) />
            <Number label="First token" value=Signal::derive(move || first_token(writing)) />
            <Number label="Engine" value=writing.engine.backend.into() />
            <Number label="Context" value=Signal::derive(move || Some(window_text(writing))) />
        </dl>
        <p class="hint" data-testid="engine-note" hidden=move || engine_note().is_empty()>
            {engine_note}
        </p>
    }
}

#[component]
fn Number(label: &'static str, value: Signal<Option<String>>) -> impl IntoView {
    view! {
        <div class="stat">
            <dt>{label}</dt>
            <dd>{move || value.get().unwrap_or_else(|| "–".into())}</dd>
        </div>
    }
}

fn speed(writing: Writing) -> Option<String> {
    let speed = writing.stats.get()?.tokens_per_second;
    (speed > 0.0).then(|| format!("{speed:.0}"))
}

fn first_token(writing: Writing) -> Option<String> {
    Some(format!("{:.0} ms", writing.stats.get()?.first_token_ms?))
}

fn window_text(writing: Writing) -> String {
    let crossings = writing.stats.get().map_or(0, |stats| stats.window_crossings);
    match (writing.window(), crossings) {
        (Window::Rolling, 0) => "not full yet".to_string(),
        (Window::Rolling, 1) => "full once (kept the newer half)".to_string(),
        (Window::Rolling, times) => format!("full {times} times (kept the newer half)"),
        (Window::Exact, _) => "recomputed for every token".to_string(),
    }
}
