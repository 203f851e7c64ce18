//! What can be done with a model of the reader's own: named, kept.

use leptos::prelude::*;

use super::kept::ask_to_keep;
use super::options::Mounted;
use super::writing::Writing;
use crate::app::own::is_own;
use crate::app::protocol::Request;

/// The whole panel; nothing for the models that come with the site.
#[component]
pub fn Keep(
    /// The writing with the model.
    writing: Writing,
) -> impl IntoView {
    let (mounted, engine) = (Mounted::here(), writing.engine);
    let is_own = move |id: &String| is_own(id) && !mounted.options().site.is_home(id);
    let id = Memo::new(move |_| writing.summary().map(|summary| summary.id).filter(is_own));
    let is_kept = Memo::new(move |_| id.get().is_some_and(|id| engine.library.kept.title(&id).is_some()));
    let rename = move |title: String| {
        if let Some(id) = id.get_untracked() {
            engine.rename(&id, title);
        }
    };
    let keep = move |_| {
        ask_to_keep();
        engine.failure.set(None);
        engine.send(Request::Keep { title: untrack(|| writing.name()), model: None });
    };
    move || {
        id.get().map(|_| {
            view! {
                <section class="keep">
                    <label for=mounted.id("model-name")>"Model name"</label>
                    <input
                        id=mounted.id("model-name")
                        data-testid="model-name"
                        prop:value=move || writing.name()
                        on:change:target=move |event| rename(event.target().value())
                    />
                    <button
                        type="button"
                        data-testid="keep"
                        title="For your next visit"
                        disabled=is_kept on:click=keep>
                        {move || if is_kept.get() { "Kept" } else { "Keep in this browser" }}
                    </button>
                </section>
            }
            .into_any()
        })
    }
}
