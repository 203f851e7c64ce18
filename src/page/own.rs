//! The page of the reader's own models: files are handed over here, and what is kept is listed.

use leptos::prelude::*;

use super::engine::Engine;
use super::import::Import;
use super::import_panel::ImportPanel;
use super::stored::StoredModels;
use crate::app::permalink::AddressError;

/// The whole page.
#[component]
pub fn Own(
    /// What is handed over.
    import: Import,
    /// Knows what is kept.
    engine: Engine,
    /// Whether the address names a model that is not here.
    is_missing: bool,
    /// What the model is called that is the site's home, and its address with what is asked for.
    #[prop(optional_no_strip)]
    home: Option<(&'static str, String)>,
    /// What is wrong with the address.
    #[prop(into)]
    problems: Signal<Vec<AddressError>>,
) -> impl IntoView {
    view! {
        <article class="own">
            <h1 tabindex="-1">"Your own models"</h1>
            <p class="lede">"You trained a small GPT? It runs here too."</p>
            <p class="notice" role="status" data-testid="not-here" hidden=!is_missing>
                "The model of this address is not in this browser. If you have its files, drop them here: they lead to the \
                 same address."
            </p>
            {home.map(|(name, address)| view! {
                <p class="notice" data-testid="home-changed">
                    "If the address led to this site’s own model: it has changed since. Go on with " <a href=address>{name}</a> "."
                </p>
            })}
            <p class="notice" role="status" data-testid="notice" hidden=move || problems.get().is_empty()>
                {move || problems.get().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")}
            </p>
            <p class="notice" role="alert" data-testid="mishap" hidden=move || engine.failure.get().is_none()>
                {move || engine.failure.get()}
            </p>
            <ImportPanel import />
            <StoredModels engine is_open=true />
        </article>
    }
}
