//! A button that copies, and what it says of that.

use leptos::html;
use leptos::prelude::*;

use super::clipboard::{Copied, copy};

/// A button that copies a text. Where there is no clipboard the text is shown in a field, selected.
#[component]
pub fn CopyButton(
    /// The button's name in tests.
    testid: &'static str,
    /// What the button says, and what it says once that is done.
    labels: [&'static str; 2],
    /// What is copied, at the beginning of a sentence.
    what: &'static str,
    /// The field's name in tests, and for those who do not see it.
    field: [&'static str; 2],
    /// The text.
    text: Callback<(), String>,
) -> impl IntoView {
    let copied = RwSignal::new(Copied::Not);
    let copying = RwSignal::new(String::new());
    let shown = NodeRef::<html::Input>::new();
    let start = move |_| {
        copying.set(text.run(()));
        let select = move || {
            if let Some(input) = shown.get_untracked() {
                input.set_hidden(false);
                input.select();
            }
        };
        copy(copying.get_untracked(), copied, select);
    };
    view! {
        <button type="button" class="quiet" data-testid=testid on:click=start>
            {move || labels[usize::from(copied.get() == Copied::Yes)]}
        </button>
        <input
            class="permalink"
            data-testid=field[0]
            aria-label=field[1]
            readonly
            hidden=move || copied.get() != Copied::Selected
            prop:value=move || copying.get()
            node_ref=shown
        />
        <Announcement copied what />
    }
}

/// Says aloud what a button has done, and shows what the reader has to do.
#[component]
pub fn Announcement(
    /// What has become of the copy.
    copied: RwSignal<Copied>,
    /// What is copied, at the beginning of a sentence.
    what: &'static str,
) -> impl IntoView {
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
