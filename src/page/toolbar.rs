//! What can be done with the text: copied, shared, cleared.

use leptos::html;
use leptos::prelude::*;

use super::clipboard::{Copied, copy};
use super::saving::save_text;
use super::writing::Writing;

/// The whole panel.
#[component]
pub fn Toolbar(
    /// The writing whose text it is.
    writing: Writing,
) -> impl IntoView {
    view! {
        <div class="toolbar" role="group" aria-label="What to do with the text">
            <CopyButton writing />
            <ShareButton writing />
            <button
                type="button"
                class="quiet"
                data-testid="save"
                title="Save as a text file"
                disabled=move || !writing.has_text.get()
                on:click=move |_| save(writing)
            >
                "Save"
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="clear"
                disabled=move || !(writing.has_text.get() || writing.can_restore())
                on:click=move |_| if writing.has_text.get_untracked() { writing.clear() } else { writing.restore() }
            >
                {move || if !writing.has_text.get() && writing.can_restore() { "Undo clear" } else { "Clear" }}
            </button>
        </div>
    }
}

/// Saves the text as a file, named after the model.
fn save(writing: Writing) {
    let text = writing.with_output(|output| Ok(output.text().to_string())).unwrap_or_default();
    save_text(&text, &format!("{}.txt", untrack(|| writing.name())));
}

#[component]
fn CopyButton(writing: Writing) -> impl IntoView {
    let copied = RwSignal::new(Copied::Not);
    let start = move |_| {
        let text = writing.with_output(|output| Ok(output.text().to_string())).unwrap_or_default();
        let select = move || {
            writing.with_output(|output| output.select());
        };
        copy(text, copied, select);
    };
    view! {
        <button type="button" class="quiet" data-testid="copy" disabled=move || !writing.has_text.get() on:click=start>
            {move || if copied.get() == Copied::Yes { "Copied" } else { "Copy" }}
        </button>
        <Announcement copied what="The text" />
    }
}

#[component]
fn ShareButton(writing: Writing) -> impl IntoView {
    let copied = RwSignal::new(Copied::Not);
    let address = RwSignal::new(String::new());
    let shown = NodeRef::<html::Input>::new();
    let start = move |_| {
        address.set(writing.link());
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
        <Announcement copied what="The link" />
    }
}

/// Says aloud what a button has done, and shows what the reader has to do.
#[component]
fn Announcement(copied: RwSignal<Copied>, what: &'static str) -> impl IntoView {
    let text = move || match copied.get() {
        Copied::Not => String::new(),
        Copied::Yes => format!("{what} is copied."),
        Copied::Selected => {
            format!("{what} is selected for you to copy: browsers give a clipboard to https pages only.")
        }
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
