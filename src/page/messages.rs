//! What the reader should know, and what went wrong.

use leptos::prelude::*;

use super::js::bring_into_view_soon;
use super::options::Mounted;
use super::writing::Writing;

/// The whole panel.
#[component]
pub fn Messages(
    /// The writing that it tells of.
    writing: Writing,
) -> impl IntoView {
    let notices = Memo::new(move |_| notices(writing));
    let failure = Memo::new(move |_| writing.failure());
    let mounted = Mounted::here();
    Effect::new(move |_| {
        if failure.get().is_some() {
            bring_into_view_soon(mounted, ".failure");
        }
    });
    view! {
        // Always there, so that what comes into it is read aloud.
        <div role="status">
            <p class="notice" data-testid="notice" hidden=move || notices.get().is_empty()>
                {move || notices.get().join(" ")}
            </p>
        </div>
        <Show when=move || failure.get().is_some()>
            <div class="failure">
                <p data-testid="error" role="alert">{move || failure.get()}</p>
                <button type="button" data-testid="retry" on:click=move |_| writing.retry()>"Try again"</button>
            </div>
        </Show>
    }
}

fn notices(writing: Writing) -> Vec<String> {
    let mut notices: Vec<String> = writing.problems().iter().map(ToString::to_string).collect();
    if let (Some(asked), Some(loaded)) = (writing.asked_model.get(), writing.loaded_model())
        && asked != loaded
    {
        notices.push(format!(
            "The link was made with other weights ({asked}) than this site serves ({loaded}): the text will differ."
        ));
    }
    notices.extend(writing.remark.get());
    notices.extend(writing.engine.loading.notices.get());
    notices.extend(writing.engine.failure.get());
    notices.extend(writing.exact_estimate());
    notices
}
