//! What the browser keeps of the models, and how it is removed.

use leptos::ev;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;

use super::engine::Engine;
use super::model::ModelState;
use super::options::Mounted;
use crate::app::own::is_own;
use crate::app::permalink::{Address, Route};
use crate::app::protocol::{Request, Stored, StoredModel};

/// The whole panel; it asks for what is stored when it is opened.
#[component]
pub fn StoredModels(
    /// Knows the storage.
    engine: Engine,
    /// Whether it is open from the beginning.
    #[prop(optional)]
    is_open: bool,
) -> impl IntoView {
    let begins_open = is_open;
    let is_open = RwSignal::new(is_open);
    let toggled = move |event: ev::Event| is_open.set(event_target::<web_sys::Element>(&event).has_attribute("open"));
    // Asked again when something new may be stored.
    let settled =
        Memo::new(move |_| matches!(engine.loading.model.get(), ModelState::Loaded(_) | ModelState::Paused { .. }));
    Effect::new(move |_| {
        settled.get();
        if is_open.get() {
            engine.send(Request::ListStored);
        }
    });
    let deleted = StoredValue::new(None);
    pass_focus(engine, deleted);
    view! {
        <details class="stored" data-testid="stored" open=begins_open on:toggle=toggled>
            <summary>"Stored models"</summary>
            {move || match engine.library.stored.get() {
                None => view! { <p class="help">"Looking…"</p> }.into_any(),
                Some(stored) => view! { <List engine stored deleted /> }.into_any(),
            }}
        </details>
    }
}

/// The list is drawn anew once a model is deleted, which would leave the focus nowhere: it goes to what stands in the
/// model's place, or to the panel's heading.
fn pass_focus(engine: Engine, deleted: StoredValue<Option<usize>>) {
    let mounted = Mounted::here();
    let focus = move |place: usize| {
        let button = format!(".stored tbody:nth-of-type({}) [data-testid=delete]", place + 1);
        let is_lost = document().active_element().is_none_or(|element| element.tag_name() == "BODY");
        if let Some(next) = mounted.find(&button).or_else(|| mounted.find(".stored summary")).filter(|_| is_lost) {
            next.focus().ok();
        }
    };
    Effect::new(move |_| {
        engine.library.stored.track();
        if let Some(place) = deleted.try_update_value(Option::take).flatten() {
            request_animation_frame(move || focus(place));
        }
    });
}

#[component]
fn List(
    engine: Engine,
    stored: Stored,
    /// The place of the model that was deleted last.
    deleted: StoredValue<Option<usize>>,
) -> impl IntoView {
    let (room, is_empty) = (room(&stored), stored.models.is_empty());
    let row = move |(place, model): (usize, StoredModel)| {
        let (id, name) = (model.id.clone(), model.title.clone().unwrap_or_else(|| format!("{} (in part)", model.id)));
        let label = format!("Delete {name}");
        let delete = move |_| {
            engine.failure.set(None);
            deleted.set_value(Some(place));
            engine.send(Request::Discard { id: id.clone() });
        };
        view! {
            <tbody data-model=model.id.clone()>
                <tr>
                    <th scope="rowgroup" colspan="3">
                        <div class="stored-name">{model_name(engine, &model, name)}</div>
                    </th>
                </tr>
                <tr>
                    <td>{size(model.bytes)}</td>
                    <td>{date(model.modified_ms)}</td>
                    <td>
                        <button type="button" class="quiet" data-testid="delete" aria-label=label on:click=delete>
                            "Delete"
                        </button>
                    </td>
                </tr>
            </tbody>
        }
    };
    view! {
        <table hidden=is_empty>
            <thead>
                <tr>
                    <th scope="col">"Size"</th>
                    <th scope="col">"Since"</th>
                    <th scope="col">
                        <span class="visually-hidden">"Delete"</span>
                    </th>
                </tr>
            </thead>
            {stored.models.into_iter().enumerate().map(row).collect_view()}
        </table>
        <p class="help" data-testid="room">{room}</p>
    }
}

/// A model of the reader's own has a link and another name if they like.
fn model_name(engine: Engine, model: &StoredModel, name: String) -> AnyView {
    let id = model.id.clone();
    if !is_own(&id) {
        return name.into_any();
    }
    let address = Address::of(Route::Own { sha256: id.clone() }).to_string();
    view! {
        <input
            aria-label=format!("Name of {name}")
            data-testid="rename"
            prop:value=name
            on:change:target=move |event| engine.rename(&id, event.target().value())
        />
        <a href=address>"Open"</a>
    }
    .into_any()
}

fn size(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 1000.0 { format!("{megabytes:.1} MB") } else { format!("{:.1} GB", megabytes / 1000.0) }
}

/// A day as the reader writes it.
fn date(ms: f64) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(ms));
    String::from(date.to_locale_date_string("default", &JsValue::UNDEFINED))
}

fn room(stored: &Stored) -> String {
    if let Some(obstacle) = &stored.obstacle {
        return format!("Nothing is kept in this browser: {}.", obstacle.trim_end_matches('.'));
    }
    let nothing = if stored.models.is_empty() { "Nothing is stored. " } else { "" };
    match (stored.usage, stored.quota) {
        (Some(usage), Some(quota)) => {
            let (usage, quota) = (size(usage), size(quota));
            format!("{nothing}This site uses {usage} of the {quota} that the browser allows it.")
        }
        _ => nothing.trim_end().to_string(),
    }
}
