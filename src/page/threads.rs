//! The control that sets how many threads compute.

use leptos::prelude::*;

use super::model::ModelState;
use super::options::Mounted;
use super::release::why_one_thread;
use super::thread_choice::AUTOMATIC;
use super::writing::Writing;
use crate::app::threads::MOST;

/// The control.
#[component]
pub fn ThreadsControl(
    /// The writing whose model they compute.
    writing: Writing,
) -> impl IntoView {
    let (mounted, engine) = (Mounted::here(), writing.engine);
    let choice = engine.threads;
    let choose = move |threads| {
        choice.choose(threads);
        // Which may have said another number.
        writing.rewrite_bar();
    };
    let id = mounted.id("threads");
    let help_id = mounted.id("threads-help");
    let cores = window().navigator().hardware_concurrency() as u32;
    let value = move || choice.exactly().map_or_else(|| AUTOMATIC.to_string(), |threads| threads.to_string());
    let numbers = move || {
        let most = cores.clamp(1, MOST).max(choice.exactly().unwrap_or(1));
        (1..=most).map(|threads| threads.to_string())
    };
    // Not before the engine is there: until then nobody knows whether the page is isolated.
    let obstacle = Memo::new(move |_| engine.backend.get().map_or(String::new(), |_| why_one_thread()));
    let automatic = move || match (engine.loading.model.get(), choice.exactly()) {
        (ModelState::Loaded(summary), None) => format!("Automatic ({})", summary.threads),
        _ => "Automatic".to_string(),
    };
    view! {
        <div class="control">
            <label for=id.clone()>"Threads"</label>
            <div class="control-row">
                <select
                    id=id
                    data-testid="threads"
                    aria-describedby=help_id.clone()
                    disabled=move || !obstacle.get().is_empty()
                    prop:value=value
                    on:change:target=move |event| choose(event.target().value().parse().ok())
                >
                    <option value=AUTOMATIC selected=move || choice.exactly().is_none()>{automatic}</option>
                    {move || {
                        numbers().map(|number| {
                            let is_chosen = value() == number;
                            view! { <option value=number.clone() selected=is_chosen>{number.clone()}</option> }
                        }).collect_view()
                    }}
                </select>
            </div>
            <p class="help" id=help_id>
                {move || match obstacle.get() {
                    none if none.is_empty() => {
                        "How many cores compute. The text is the same for any number; Automatic takes what is fastest here."
                            .to_string()
                    }
                    obstacle => obstacle,
                }}
            </p>
        </div>
    }
}
