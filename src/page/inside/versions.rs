//! The versions of a text: each takes other tokens than the one that it was made of.

use leptos::prelude::*;

use super::super::writing::{Version, Writing};

/// The versions as a tree; nothing before there is a second one.
#[component]
pub fn Versions(
    /// The writing whose text it is.
    writing: Writing,
) -> impl IntoView {
    let versions = Memo::new(move |_| writing.versions());
    let item = move |version: Version| {
        let Version { depth, name, index } = version;
        view! {
            <li class=format!("depth-{}", depth.min(4))>
                <button
                    type="button"
                    class="quiet"
                    data-testid="version"
                    aria-pressed=index.is_none().to_string()
                    disabled=move || writing.is_busy()
                    on:click=move |_| {
                        if let Some(index) = index {
                            writing.recall(index);
                        }
                    }
                >
                    {name}
                </button>
                {index.map(|index| view! {
                    <button
                        type="button"
                        class="quiet"
                        data-testid="delete-version"
                        aria-label="Delete this version"
                        on:click=move |_| writing.delete(index)
                    >
                        "✕"
                    </button>
                })}
            </li>
        }
    };
    view! {
        <div class="versions" hidden=move || versions.with(|versions| versions.len() < 2)>
            <h3>"Versions"</h3>
            <ul data-testid="versions">{move || versions.get().into_iter().map(item).collect_view()}</ul>
        </div>
    }
}
