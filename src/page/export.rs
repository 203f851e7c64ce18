//! Taking a model along, as files for other programs or as a website.

use leptos::prelude::*;

use super::exported::{ExportState, write};
use super::publish::PublishForm;
use super::writing::Writing;
use crate::app::protocol::{Export, ModelSummary, Request};

/// What there is, and what the button says.
const FORMATS: [(Export, &str, &str); 3] = [
    (Export::Gguf8, "export-gguf-q8_0", "GGUF, 8 bits"),
    (Export::Gguf16, "export-gguf-f16", "GGUF, 16 bits"),
    (Export::HuggingFace, "export-huggingface", "Hugging Face folder (zip)"),
];

/// The whole panel.
#[component]
pub fn ExportPanel(
    /// The writing with the model.
    writing: Writing,
) -> impl IntoView {
    let written = RwSignal::new(ExportState::Not);
    let is_running = move || matches!(written.get(), ExportState::InPart(..));
    let is_loaded = Memo::new(move |_| writing.summary().is_some());
    let button = move |(format, testid, label): (Export, &'static str, &'static str)| {
        let disabled = move || is_running() || !is_loaded.get();
        view! {
            <button type="button" data-testid=testid disabled=disabled on:click=move |_| {
                write(writing, written, |run| Request::Export { run, format, model: None });
            }>
                {label}
            </button>
        }
    };
    let notes = move |of: fn(ModelSummary) -> Vec<String>| {
        let text = move || writing.summary().map(of).unwrap_or_default().join(" ");
        view! { <p class="help" data-testid="export-notes">{text}</p> }
    };
    let progress = move || match written.get() {
        ExportState::InPart(done, all) => Some((done, all)),
        _ => None,
    };
    let failure = move || match written.get() {
        ExportState::Failed(sentence) => Some(sentence),
        _ => None,
    };
    let told = move || match written.get() {
        ExportState::Whole(name) => format!("Saved {name}."),
        _ => String::new(),
    };
    view! {
        <details class="more" data-testid="take-along">
            <summary>"Export model"</summary>
            <div class="more-grid">
                <p class="help">"For llama.cpp, transformers and other programs that read a GPT-2."</p>
                {FORMATS[..2].iter().copied().map(button).collect_view()}
                {notes(|summary| summary.gguf_notes)}
                {button(FORMATS[2])}
                {notes(|summary| summary.huggingface_notes)}
                <PublishForm writing written disabled=Signal::derive(move || is_running() || !is_loaded.get()) />
                <progress
                    aria-label="Bytes written"
                    max=move || progress().map(|(_, all)| all)
                    value=move || progress().map(|(done, _)| done)
                    hidden=move || !is_running()
                ></progress>
                <button
                    type="button"
                    class="quiet"
                    data-testid="export-stop"
                    hidden=move || !is_running()
                    on:click=move |_| writing.engine.send(Request::StopConverting)
                >
                    "Stop"
                </button>
                <p class="problem" role="alert" data-testid="export-error">{failure}</p>
                <p class="help" role="status" data-testid="exported">{told}</p>
            </div>
        </details>
    }
}
