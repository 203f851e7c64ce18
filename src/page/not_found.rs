//! Where nothing is.

use leptos::prelude::*;

use super::address_bar::AddressBar;
use super::models::PEARGPT;

/// Says that nothing is here.
#[component]
pub fn NotFound(
    /// Knows what was asked for.
    bar: AddressBar,
) -> impl IntoView {
    let problems = move || bar.arrived.get().1.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    view! {
        <article class="plain">
            <h1 tabindex="-1">"Nothing here"</h1>
            <p class="lede" data-testid="error" role="alert">{problems}</p>
            <p>
                <a href="#/">"Home"</a>
                {bar.mounted.options().site.has(PEARGPT.id).then(|| view! { ", or to " <a href="#/peargpt">"pearGPT"</a> })}
                "."
            </p>
        </article>
    }
}
