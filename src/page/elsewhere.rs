//! The pages on which nothing is written: what comes next, and where nothing is.

use leptos::prelude::*;

use super::address_bar::AddressBar;

/// What a model of the reader's own will be here.
#[component]
pub fn Own() -> impl IntoView {
    view! {
        <article class="plain">
            <h1 tabindex="-1">"Your own model"</h1>
            <p class="lede">"Opening a small GPT that you trained yourself comes later."</p>
            <p><a href="#/">"Back to the beginning"</a></p>
        </article>
    }
}

/// Says that nothing is here.
#[component]
pub fn Lost(
    /// Knows what was asked for.
    bar: AddressBar,
) -> impl IntoView {
    let problems = move || bar.arrived.get().1.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    view! {
        <article class="plain">
            <h1 tabindex="-1">"Nothing here"</h1>
            <p class="lede" data-testid="error" role="alert">{problems}</p>
            <p>
                <a href="#/">"Back to the beginning"</a>
                ", or to "
                <a href="#/peargpt">"pearGPT"</a>
                "."
            </p>
        </article>
    }
}
