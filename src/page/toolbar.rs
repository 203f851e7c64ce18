//! What can be done with the text: copied, shared, cleared.

use leptos::prelude::*;

use super::clipboard::{Copied, copy};
use super::copy_button::{Announcement, CopyButton};
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
            <CopyText writing />
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
fn CopyText(writing: Writing) -> impl IntoView {
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
    view! {
        <CopyButton
            testid="share"
            labels=["Share", "Link copied"]
            what="The link"
            field=["permalink", "Link to this text"]
            text=Callback::new(move |()| writing.link())
        />
    }
}
