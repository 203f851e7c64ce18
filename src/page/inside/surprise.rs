//! The text coloured by how surprising each token was.

use leptos::prelude::*;

use super::super::writing::Writing;

/// The switch, and what it says of the whole text.
#[component]
pub fn SurpriseSwitch(
    /// The writing whose text is coloured.
    writing: Writing,
) -> impl IntoView {
    let inside = writing.inside;
    view! {
        <label class="switch">
            <input
                type="checkbox"
                role="switch"
                data-testid="surprise"
                prop:checked=move || inside.marks_on.get()
                disabled=move || writing.summary().is_none()
                on:change:target=move |event| {
                    writing.mark(event.target().checked());
                    writing.paint_surprise();
                }
            />
            "Colour by surprise"
        </label>
        <span class="legend" hidden=move || !inside.marks_on.get() aria-hidden="true">
            "1 in "
            {[(1, "2"), (2, "8"), (3, "32"), (4, "256")]
                .map(|(level, chances)| view! { <span class=format!("legend-{level}")>{chances}</span> })
                .collect_view()}
        </span>
        <span class="help" data-testid="surprise-said" role="status">
            {move || inside.surprise.get().map(|surprise| format!(
                "{:.2} bits per character, perplexity {:.1} per token", surprise.bits_per_character, surprise.perplexity
            ))}
        </span>
    }
}
