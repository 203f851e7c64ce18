//! The page that writes: prompt and settings on one side, the text on the other.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::address_bar::link;
use super::clipboard::{Copied, copy};
use super::controls::{Control, focus};
use super::engine::Model;
use super::status::{Numbers, Progress, Status};
use super::studio::{Phase, Studio};

/// Prompts to start from: what the button says, and what it writes.
const EXAMPLES: [(&str, &str); 3] = [
    ("Romeo speaks", "ROMEO:\n"),
    ("Citizens meet", "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n"),
    ("A king's night", "KING RICHARD III:\nNow is the night, and "),
];

/// The whole page.
#[component]
pub fn StudioView(
    /// The writing that it shows.
    studio: Studio,
) -> impl IntoView {
    studio.open();
    listen_to_keys(studio);
    view! {
        <div class="page-head">
            <h1 tabindex="-1">"pearGPT"</h1>
            <p class="lede">"Shakespeare, one character at a time, written by your own machine."</p>
        </div>
        <div class="studio">
            <form class="desk" on:submit=move |event| event.prevent_default()>
                <Prompt studio />
                <div class="pair">
                    <Control field=studio.form.field("words") />
                    <Seed studio />
                </div>
                <MoreSettings studio />
                <MainButtons studio />
            </form>
            <section class="stage" aria-label="Text">
                <Toolbar studio />
                <Messages studio />
                <Sheet studio />
                <div class="foot">
                    <Status studio />
                    <Progress model=studio.engine.model.into() />
                </div>
                <Numbers studio />
            </section>
        </div>
    }
}

fn listen_to_keys(studio: Studio) {
    let listener = window_event_listener(ev::keydown, move |event| {
        if event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "Enter" if event.ctrl_key() || event.meta_key() => {
                event.prevent_default();
                studio.generate();
            }
            "Escape" => studio.stop(),
            _ => {}
        }
    });
    on_cleanup(move || listener.remove());
}

#[component]
fn Prompt(studio: Studio) -> impl IntoView {
    let field = studio.form.field("prompt");
    let example = move |(label, prompt): (&'static str, &'static str)| {
        let start = move |_| {
            field.text.set(prompt.into());
            focus("prompt");
        };
        view! { <button type="button" class="chip" data-testid="example" on:click=start>{label}</button> }
    };
    view! {
        <Control field />
        <p class="problem" data-testid="unknown" aria-live="polite" hidden=move || studio.unknown().is_empty()>
            {move || unknown_sentence(&studio.unknown())}
        </p>
        <div class="chips" role="group" aria-label="Examples to start from">
            {EXAMPLES.map(example).collect_view()}
        </div>
    }
}

/// Names the characters, so that they can be found even where they cannot be seen.
fn unknown_sentence(unknown: &[char]) -> Option<String> {
    const NAMED: usize = 8;
    if unknown.is_empty() {
        return None;
    }
    let mut names: Vec<String> = unknown.iter().take(NAMED).map(|character| name(*character)).collect();
    if unknown.len() > NAMED {
        names.push(format!("{} more", unknown.len() - NAMED));
    }
    let names = names.join(", ");
    Some(format!(
        "pearGPT does not know {names}. It knows the 65 characters of its Shakespeare: letters without accents, space, line break and !$&',-.3:;?"
    ))
}

fn name(character: char) -> String {
    match character {
        '\t' => "the tab".to_string(),
        '\u{a0}' => "the no-break space".to_string(),
        _ if character.is_control() || character.is_whitespace() => format!("U+{:04X}", u32::from(character)),
        _ => format!("“{character}”"),
    }
}

#[component]
fn Seed(studio: Studio) -> impl IntoView {
    let field = studio.form.field("seed");
    let empty = move |_| {
        field.text.set(String::new());
        focus("seed");
    };
    view! {
        <Control field>
            <button type="button" class="quiet" data-testid="new-seed" title="Empty: the next run draws one" on:click=empty>
                "Empty"
            </button>
        </Control>
    }
}

#[component]
fn MoreSettings(studio: Studio) -> impl IntoView {
    let shown_above = ["prompt", "words", "seed"];
    let rest = studio.form.fields().iter().filter(|field| !shown_above.contains(&field.parameter.name));
    view! {
        <details class="more" data-testid="settings">
            <summary>"Settings"</summary>
            <div class="more-grid">{rest.map(|field| view! { <Control field=*field /> }).collect_view()}</div>
        </details>
    }
}

#[component]
fn MainButtons(studio: Studio) -> impl IntoView {
    view! {
        <div class="main-buttons">
            <button type="button" class="primary" data-testid="generate" on:click=move |_| studio.generate()>
                "Generate" <kbd aria-hidden="true">"Ctrl ↵"</kbd>
            </button>
            <button
                type="button"
                data-testid="stop"
                disabled=move || !studio.is_busy()
                on:click=move |_| studio.stop()
            >
                "Stop" <kbd aria-hidden="true">"Esc"</kbd>
            </button>
        </div>
    }
}

#[component]
fn Toolbar(studio: Studio) -> impl IntoView {
    let idle_text = move || !studio.has_text.get() || studio.is_busy();
    view! {
        <div class="toolbar" role="group" aria-label="What to do with the text">
            <button
                type="button"
                class="quiet"
                data-testid="continue"
                disabled=move || !studio.can_continue.get()
                on:click=move |_| studio.go_on()
            >
                "Continue"
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="another"
                title="The same prompt with another seed"
                disabled=idle_text
                on:click=move |_| studio.another()
            >
                "Another take"
            </button>
            <span class="spring"></span>
            <CopyButton studio />
            <ShareButton studio />
            <button
                type="button"
                class="quiet"
                data-testid="clear"
                disabled=move || !studio.has_text.get()
                on:click=move |_| studio.clear()
            >
                "Clear"
            </button>
        </div>
    }
}

#[component]
fn CopyButton(studio: Studio) -> impl IntoView {
    let copied = RwSignal::new(Copied::Not);
    let start = move |_| {
        let text = studio.with_manuscript(|manuscript| Ok(manuscript.text().to_string())).unwrap_or_default();
        let select = move || {
            studio.with_manuscript(|manuscript| manuscript.select());
        };
        copy(text, copied, select);
    };
    view! {
        <button type="button" class="quiet" data-testid="copy" disabled=move || !studio.has_text.get() on:click=start>
            {move || if copied.get() == Copied::Yes { "Copied" } else { "Copy" }}
        </button>
        <Announcement copied said="The text is copied." selected="There is no clipboard here: the text is selected, copy it with Ctrl+C." />
    }
}

#[component]
fn ShareButton(studio: Studio) -> impl IntoView {
    let copied = RwSignal::new(Copied::Not);
    let address = RwSignal::new(String::new());
    let shown = NodeRef::<html::Input>::new();
    let start = move |_| {
        address.set(link(&studio.permalink()));
        let select = move || {
            if let Some(input) = shown.get_untracked() {
                input.set_hidden(false);
                input.select();
            }
        };
        copy(address.get_untracked(), copied, select);
    };
    view! {
        <button type="button" class="quiet" data-testid="share" on:click=start>
            {move || if copied.get() == Copied::Yes { "Link copied" } else { "Share" }}
        </button>
        <input
            class="permalink"
            data-testid="permalink"
            aria-label="Link to this text"
            readonly
            hidden=move || copied.get() != Copied::Selected
            prop:value=move || address.get()
            node_ref=shown
        />
        <Announcement copied said="The link is copied." selected="There is no clipboard here: the link is selected, copy it with Ctrl+C." />
    }
}

/// Says aloud what a button has done, and shows what the reader has to do.
#[component]
fn Announcement(copied: RwSignal<Copied>, said: &'static str, selected: &'static str) -> impl IntoView {
    let text = move || match copied.get() {
        Copied::Not => "",
        Copied::Yes => said,
        Copied::Selected => selected,
    };
    view! {
        <span
            class="announcement"
            class:visually-hidden=move || copied.get() != Copied::Selected
            aria-live="polite"
        >
            {text}
        </span>
    }
}

/// What the reader should know, and what went wrong.
#[component]
fn Messages(studio: Studio) -> impl IntoView {
    let notices = Memo::new(move |_| notices(studio));
    let failure = Memo::new(move |_| studio.failure());
    view! {
        <p class="notice" data-testid="notice" role="note" hidden=move || notices.get().is_empty()>
            {move || notices.get().join(" ")}
        </p>
        <Show when=move || failure.get().is_some()>
            <div class="failure">
                <p data-testid="error" role="alert">{move || failure.get()}</p>
                <button type="button" data-testid="retry" on:click=move |_| studio.retry()>"Try again"</button>
            </div>
        </Show>
    }
}

fn notices(studio: Studio) -> Vec<String> {
    let mut notices: Vec<String> = studio.problems().iter().map(ToString::to_string).collect();
    if let (Some(asked), Some(loaded)) = (studio.asked_model.get(), studio.loaded_model())
        && asked != loaded
    {
        notices.push(format!(
            "The link was made with other weights ({asked}) than this site serves ({loaded}): the text will differ."
        ));
    }
    notices.extend(studio.remark.get());
    if studio.engine.mishaps.get() > 0 && matches!(studio.engine.model.get(), Model::Loaded(_)) {
        notices.push("What computes broke down while idle and was started again.".into());
    }
    notices.extend(studio.exact_estimate());
    notices
}

/// Where the text is drawn.
#[component]
fn Sheet(studio: Studio) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        if let Some(host) = host.get() {
            studio.with_manuscript(|manuscript| manuscript.attach(host.into()));
        }
    });
    on_cleanup(move || {
        studio.with_manuscript(|manuscript| {
            manuscript.detach();
            Ok(())
        });
    });
    view! {
        <div
            class="sheet"
            class:writing=move || studio.phase() == Phase::Generating
            data-testid="output"
            role="region"
            aria-label="The text"
            tabindex="0"
            node_ref=host
        ></div>
    }
}
