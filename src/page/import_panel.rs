//! Where files are handed over: what can be, what they turned out to be, what is missing.

use leptos::ev;
use leptos::prelude::*;
use web_sys::{DataTransfer, DragEvent, HtmlInputElement};

use super::import::Import;
use super::js::{bring_into_view_soon, listen};
use super::options::Mounted;
use super::training::Training;
use crate::app::own::Stage;
use crate::app::protocol::{Asked, Description, Question};

/// The two buttons: their inputs take the focus, their labels are seen. `{}` is what ids begin with.
const DROP_ZONE: &str = "<input type=file multiple id={}own-files class=visually-hidden data-testid=files>\
    <label class=button for={}own-files>Choose files</label>\
    <input type=file webkitdirectory id={}own-folder class=visually-hidden data-testid=folder>\
    <label class=button for={}own-folder>Choose a folder</label>\
    <span>or drop files or a folder anywhere. They stay on this machine: nothing is uploaded.</span>";

/// What can be handed over.
const KINDS: &str = "<li><b>Hugging Face GPT-2</b>: model.safetensors or pytorch_model.bin, with config.json, vocab.json \
    and merges.txt or tokenizer.json</li><li><b>nanoGPT</b>: ckpt.pt, with meta.pkl for characters</li><li><b>The \
    lecture’s GPT</b>: nanoGPT.pth</li><li><b>llama.cpp</b>: a GGUF file of a GPT-2</li><li><b>Exports of this page</b>: \
    the GGUF or zip file</li>";

/// The whole panel.
#[component]
pub fn ImportPanel(
    /// What has been handed over.
    import: Import,
) -> impl IntoView {
    // Numbers of the progress draw nothing anew.
    let stage = Memo::new(move |_| match import.stage() {
        Stage::Opening { .. } => Stage::Opening { done: 0, all: 0 },
        stage => stage,
    });
    let mounted = Mounted::here();
    Effect::new(move |is_change: Option<bool>| {
        stage.track();
        if is_change.is_some() {
            bring_into_view_soon(mounted, ".import [aria-live]");
        }
        true
    });
    let picked = move |event: ev::Event| {
        let input: HtmlInputElement = event_target(&event);
        import.add(input.files());
        // The same files may be picked again.
        input.set_value("");
    };
    view! {
        <section class="import" data-testid="import" aria-label="Your own model">
            <div class="drop-zone" inner_html=DROP_ZONE.replace("{}", &Mounted::here().id("")) on:change=picked></div>
            <div aria-live="polite">{move || stage_view(import, stage.get())}</div>
        </section>
    }
}

fn stage_view(import: Import, stage: Stage) -> AnyView {
    let start_over = view! {
        <button type="button" class="quiet" data-testid="start-over" on:click=move |_| import.start_over()>
            "Start over"
        </button>
    };
    match stage {
        Stage::Empty => view! { <ul class="kinds" inner_html=KINDS></ul> }.into_any(),
        Stage::Identifying => view! { <p>"Reading "{import.names()}"…"</p> }.into_any(),
        Stage::Asking(questions) => view! { <Questions import questions />{start_over} }.into_any(),
        Stage::Ready(description) => view! { <Found import description />{start_over} }.into_any(),
        Stage::Opening { .. } => view! { <Opening import /> }.into_any(),
        Stage::Failed(sentence) => {
            view! { <p class="problem" role="alert" data-testid="import-error">{sentence}</p>{start_over} }.into_any()
        }
    }
}

#[component]
fn Questions(import: Import, questions: Vec<Question>) -> impl IntoView {
    let is_typed =
        questions.iter().any(|question| matches!(question.asks, Asked::Heads { .. } | Asked::Alphabet { .. }));
    let ask = move |Question { sentence, asks }: Question| {
        view! { <p data-testid="question">{sentence}</p>{answer(import, &asks)} }
    };
    view! {
        <p>"Files: "{import.names()}</p>
        {questions.into_iter().map(ask).collect_view()}
        <button type="button" class="primary" data-testid="go-on" hidden=!is_typed on:click=move |_| import.identify()>
            "Go on"
        </button>
    }
}

/// The control in which the answer is typed.
fn answer(import: Import, asks: &Asked) -> Option<AnyView> {
    let answers = import.answers();
    Some(match asks {
        Asked::File => return None,
        Asked::Model { models } => models_view(import, models.clone()),
        Asked::Heads { .. } => view! {
            <input
                inputmode="numeric"
                aria-label="Attention heads"
                data-testid="heads"
                prop:value=answers.heads.map(|heads| heads.to_string())
                on:input:target=move |event| import.answer(|answers| answers.heads = event.target().value().parse().ok())
            />
        }
        .into_any(),
        Asked::Alphabet { .. } => view! {
            <textarea
                rows="3"
                aria-label="The characters"
                data-testid="alphabet"
                spellcheck="false"
                prop:value=answers.alphabet
                on:input:target=move |event| import.answer(|answers| answers.alphabet = Some(event.target().value()))
            ></textarea>
        }
        .into_any(),
    })
}

/// A button for each model.
fn models_view(import: Import, models: Vec<String>) -> AnyView {
    let button = move |model: String| {
        let chosen = model.clone();
        let choose = move |_| {
            import.answer(|answers| answers.model = Some(chosen.clone()));
            import.identify();
        };
        view! { <button type="button" data-testid="choose-model" on:click=choose>{model}</button> }
    };
    view! {
        <div class="choices" role="group" aria-label="Models">{models.into_iter().map(button).collect_view()}</div>
    }
    .into_any()
}

#[component]
fn Found(import: Import, description: Description) -> impl IntoView {
    let fact = |(label, value): (String, String)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> };
    let choose = move |event: ev::Event| {
        import.answer(|answers| answers.as_they_are = Some(event_target_checked(&event)));
        import.identify();
    };
    view! {
        <h2>{description.name}</h2>
        <dl class="facts" data-testid="summary">{description.facts.into_iter().map(fact).collect_view()}</dl>
        <label class="check-label">
            <input type="checkbox" data-testid="as-they-are" prop:checked=description.as_they_are on:change=choose />
            " Keep the precision of the files. Otherwise the weights are rounded to 8 bits (Q8_0)."
        </label>
        <p class="help" data-testid="stops-others" hidden=move || !import.stops_others()>
            "This stops what another model writes or downloads. Both can be continued afterwards."
        </p>
        <button type="button" class="primary" data-testid="run-it" on:click=move |_| import.run()>"Run it"</button>
    }
}

#[component]
fn Opening(import: Import) -> impl IntoView {
    let progress = move || match import.stage() {
        Stage::Opening { done, all } if all > 0 => (Some(done), Some(all)),
        _ => (None, None),
    };
    view! {
        <p>"Converting and loading the model…"</p>
        <progress
            aria-label="Progress"
            data-testid="import-progress"
            max=move || progress().1
            value=move || progress().0
        ></progress>
        <button type="button" class="quiet" data-testid="import-stop" on:click=move |_| import.stop()>"Stop"</button>
    }
}

/// Takes files that are dropped anywhere on the page, and shows that it would.
pub fn take_drops(import: Import, training: Training, mounted: Mounted) {
    let show = move |is_over: bool| {
        let shown = if mounted.has_address_bar() { document().body() } else { Some(mounted.root()) };
        shown.map(|element| element.class_list().toggle_with_force("dropping", is_over));
    };
    listen(mounted, "dragover", move |event: DragEvent| {
        if has_files(event.data_transfer().as_ref()) {
            event.prevent_default();
            show(true);
        }
    });
    listen(mounted, "dragleave", move |event: DragEvent| {
        if event.related_target().is_none() {
            show(false);
        }
    });
    listen(mounted, "drop", move |event: DragEvent| {
        let transfer = event.data_transfer();
        if has_files(transfer.as_ref()) {
            event.prevent_default();
            show(false);
            let text = transfer.as_ref().filter(|_| mounted.find(".train-choice").is_some());
            if let Some(file) = text.and_then(|transfer| transfer.files()).and_then(|files| files.get(0)) {
                return training.take_file(file);
            }
            transfer.inspect(|transfer| import.add_dropped(transfer));
            if mounted.find(".import").is_none() {
                import.show();
            }
        }
    });
}

/// Text that is dragged goes where it is dropped, as ever.
fn has_files(transfer: Option<&DataTransfer>) -> bool {
    transfer.is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
}
