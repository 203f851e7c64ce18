//! How the weights come: asked for, arriving, interrupted.

use leptos::prelude::*;

use super::engine::Engine;
use super::model::ModelState;
use crate::app::transfer_rate::time_left;

/// What goes on, until the model can be asked.
pub fn sentence(model: &ModelState) -> String {
    match model {
        ModelState::Asking { total, .. } => format!("The model is not downloaded yet ({} MB).", megabytes(*total)),
        ModelState::Behind(sentence) => sentence.clone(),
        ModelState::Waiting => "Another tab is using this model. This tab continues when that is done.".to_string(),
        ModelState::Downloading { again: Some((reason, delay_ms)), .. } => {
            format!("{reason} Trying again in {:.0} s.", f64::from(*delay_ms) / 1000.0)
        }
        ModelState::Paused { .. } => "Paused. What has arrived is kept.".to_string(),
        ModelState::Opening => "Loading the model…".to_string(),
        _ => "Downloading the model…".to_string(),
    }
}

/// The whole panel; nothing where no weights are on their way.
#[component]
pub fn Download(
    /// The model that is wanted.
    engine: Engine,
    /// What has become of it.
    model: Signal<ModelState>,
    /// Whether it stands by itself, away from the status line.
    #[prop(optional)]
    is_panel: bool,
) -> impl IntoView {
    let is = move |test: fn(&ModelState) -> bool| move || test(&model.get());
    let asks = is(|model| matches!(model, ModelState::Asking { .. }));
    let runs = is(|model| matches!(model, ModelState::Downloading { .. } | ModelState::Waiting));
    let is_behind = is(|model| matches!(model, ModelState::Behind(_)));
    let rests = is(|model| matches!(model, ModelState::Paused { .. }));
    view! {
        <div class="download" class:panel=is_panel hidden=move || !(asks() || runs() || rests() || is_behind())>
            <p class="download-sentence" hidden=!is_panel>{move || sentence(&model.get())}</p>
            <p class="offer" data-testid="offer" hidden=move || !asks()>{move || offer(&model.get())}</p>
            <Progress model />
            <div class="download-buttons">
                <button
                    type="button"
                    class="quiet"
                    data-testid="load-now"
                    title="A text stops and a download pauses; both can be continued"
                    hidden=move || !is_behind()
                    on:click=move |_| engine.load_next()
                >
                    "Load it now"
                </button>
                <button type="button" class="primary" data-testid="fetch" hidden=move || !asks() on:click=move |_| engine.fetch()>
                    "Download"
                </button>
                <button type="button" class="quiet" data-testid="pause" hidden=move || !runs() on:click=move |_| engine.pause()>
                    "Pause"
                </button>
                <button type="button" class="primary" data-testid="resume" hidden=move || !rests() on:click=move |_| engine.fetch()>
                    "Resume"
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="cancel"
                    title="Stop the download and delete what has arrived"
                    hidden=move || !(runs() || rests())
                    on:click=move |_| engine.cancel()
                >
                    "Cancel"
                </button>
            </div>
        </div>
    }
}

/// What would be fetched, from where, and what becomes of it.
fn offer(model: &ModelState) -> Option<String> {
    let ModelState::Asking { host, received, total } = model else { return None };
    let size = megabytes(*total);
    let here = match received {
        0 => String::new(),
        _ => format!(" {} MB of that are here already.", megabytes(*received)),
    };
    Some(match host.as_str() {
        "" => format!("{size} MB from this site, kept in this browser for your next visit.{here}"),
        host => format!(
            "{size} MB from {host}, converted to 8 bits and kept in this browser for your next visit. What you type \
             stays here.{here}"
        ),
    })
}

/// How far the weights have come.
#[component]
fn Progress(model: Signal<ModelState>) -> impl IntoView {
    let bytes = move || match model.get() {
        ModelState::Downloading { received, total, .. } | ModelState::Paused { received, total } => {
            Some((received, total))
        }
        _ => None,
    };
    let percent = move || bytes().map(|(received, total)| percent(received, total));
    let text = move || bytes().map(|(received, total)| progress_text(received, total));
    let bar = NodeRef::<leptos::html::Div>::new();
    Effect::new(move |_| {
        if let (Some(bar), Some(percent)) = (bar.get(), percent()) {
            // Through the CSSOM, which the policy allows, unlike a `style` attribute.
            web_sys::HtmlElement::style(&bar).set_property("--progress", &format!("{percent}%")).ok();
        }
    });
    view! {
        <div class="progress" hidden=move || bytes().is_none()>
            <div
                class="progress-bar"
                role="progressbar"
                data-testid="progress"
                aria-label="Downloaded"
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=percent
                aria-valuetext=text
                data-received=move || bytes().map(|(received, _)| received)
                data-total=move || bytes().map(|(_, total)| total)
                node_ref=bar
            ></div>
            <p class="progress-text">{text} <span data-testid="pace">{move || pace_text(&model.get())}</span></p>
        </div>
    }
}

fn percent(received: u64, total: u64) -> u64 {
    (received * 100).checked_div(total).unwrap_or(0).min(100)
}

fn progress_text(received: u64, total: u64) -> String {
    match total {
        0 => "Connecting".to_string(),
        _ => format!("{} of {} MB ({} %)", megabytes(received), megabytes(total), percent(received, total)),
    }
}

/// ` · 4.1 MB/s · 31 s left`, once that can be told.
fn pace_text(model: &ModelState) -> Option<String> {
    let ModelState::Downloading { received, total, bytes_per_second: Some(speed), .. } = model else { return None };
    let left = time_left(total.saturating_sub(*received), *speed).map_or(String::new(), |left| format!(" · {left}"));
    Some(format!(" · {} MB/s{left}", megabytes(*speed as u64)))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
