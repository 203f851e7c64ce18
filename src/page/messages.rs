//! What the reader should know, and what went wrong.

use leptos::prelude::*;

use super::studio::Studio;

/// The whole panel.
#[component]
pub fn Messages(
    /// The writing that it tells of.
    studio: Studio,
) -> impl IntoView {
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
    notices.extend(studio.engine.loading.notices.get());
    notices.extend(studio.engine.failure.get());
    notices.extend(studio.exact_estimate());
    notices
}
