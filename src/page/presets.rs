//! Many settings at once: presets, and back to the defaults.

use leptos::prelude::*;

use super::form::Form;
use crate::app::presets::Preset;

/// Buttons that set all sampling settings; the one whose values stand in the controls is pressed.
#[component]
pub fn Presets(
    /// The form that they fill in.
    form: Form,
) -> impl IntoView {
    let button = move |preset: Preset| {
        let sampling = preset.sampling(form.defaults().sampling);
        let is_on = Memo::new({
            let sampling = sampling.clone();
            move |_| form.has_sampling(&sampling)
        });
        view! {
            <button
                type="button"
                class="chip"
                data-testid=format!("preset-{}", preset.name().to_lowercase())
                aria-pressed=move || is_on.get().to_string()
                on:click=move |_| form.edit_sampling(&sampling)
            >
                {preset.name()}
            </button>
        }
    };
    view! {
        <div>
            <div class="chips" role="group" aria-label="Presets">{Preset::ALL.map(button).collect_view()}</div>
            <p class="help">"Presets set temperature, top-k, top-p, min-p and repetition penalty."</p>
        </div>
    }
}

/// Brings back the defaults.
#[component]
pub fn Reset(
    /// The form that it resets.
    form: Form,
) -> impl IntoView {
    view! {
        <div>
            <button type="button" data-testid="reset-settings" on:click=move |_| form.reset()>
                "Reset settings"
            </button>
            <p class="help">"Sets all to the defaults, Words too. Prompt and seed stay."</p>
        </div>
    }
}
