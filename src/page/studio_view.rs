//! The page that writes: prompt and settings on one side, the text on the other.

use leptos::html;
use leptos::prelude::*;
use web_sys::{KeyboardEvent, SubmitEvent};

use super::controls::Control;
use super::download::Download;
use super::js::listen;
use super::keep::Keep;
use super::messages::Messages;
use super::model::Model;
use super::options::Mounted;
use super::phase::Phase;
use super::prompt::Prompt;
use super::status::{Numbers, Status};
use super::stored::StoredModels;
use super::studio::Studio;
use super::take_along::TakeAlong;
use super::toolbar::Toolbar;
use super::verify::Verify;

/// The whole page.
#[component]
pub fn StudioView(
    /// The writing that it shows.
    studio: Studio,
) -> impl IntoView {
    studio.open();
    on_cleanup(move || {
        // What gives way to the wish for the model's files waits on for them.
        if untrack(|| studio.model()) != Model::NotHere {
            studio.wait_no_longer();
        }
    });
    listen_to_keys(studio);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        studio.generate();
    };
    view! {
        <div class="page-head studio-head">
            <h1 tabindex="-1">{move || studio.name()}</h1>
            <p class="lede">{studio.about.lede}</p>
        </div>
        // What takes long is said first, also where the screen is small; what does not must move nothing.
        {studio.about.is_large.then(|| view! { <DownloadOf studio /> })}
        <div class="studio">
            <form class="desk" on:submit=submit>
                <Prompt studio />
                <div class="pair">
                    <Control field=studio.form.field("words") />
                    <Seed studio />
                </div>
                <MainButtons studio />
                <MoreSettings studio />
                <Keep studio />
                <StoredModels engine=studio.engine />
                <TakeAlong studio />
                <Verify studio />
            </form>
            <section class="stage">
                <Toolbar studio />
                <Messages studio />
                <Sheet studio />
                <div class="foot">
                    <div class="foot-words">
                        <Status studio />
                        {(!studio.about.is_large).then(|| view! { <DownloadOf studio /> })}
                    </div>
                    <NextButtons studio />
                </div>
                <Numbers studio />
            </section>
        </div>
    }
}

#[component]
fn DownloadOf(studio: Studio) -> impl IntoView {
    view! { <Download engine=studio.engine model=Signal::derive(move || studio.model()) is_panel=studio.about.is_large /> }
}

fn listen_to_keys(studio: Studio) {
    listen(Mounted::here(), "keydown", move |event: KeyboardEvent| {
        if event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "Enter" if event.ctrl_key() || event.meta_key() => {
                event.prevent_default();
                studio.generate();
            }
            "Escape" => studio.stop(),
            _ => {}
        }
    });
}

#[component]
fn Seed(studio: Studio) -> impl IntoView {
    let draw = move |_| studio.draw_seed();
    view! {
        <Control field=studio.form.field("seed")>
            <button type="button" class="quiet" data-testid="draw" title="Draw another seed" on:click=draw>
                "Draw"
            </button>
        </Control>
    }
}

#[component]
fn MoreSettings(studio: Studio) -> impl IntoView {
    let shown_above = ["prompt", "words", "seed"];
    let rest = studio.form.fields().iter().filter(|field| !shown_above.contains(&field.parameter.name));
    view! {
        <details class="more" data-testid="settings">
            <summary>"Settings"</summary>
            <div class="more-grid">{rest.map(|field| view! { <Control field=*field /> }).collect_view()}</div>
        </details>
    }
}

#[component]
fn MainButtons(studio: Studio) -> impl IntoView {
    view! {
        <div class="main-buttons">
            <button type="submit" class="primary" data-testid="generate">
                "Generate" <kbd aria-hidden="true">"Ctrl ↵"</kbd>
            </button>
            <button
                type="button"
                data-testid="stop"
                disabled=move || !studio.is_busy()
                on:click=move |_| studio.stop()
            >
                "Stop" <kbd aria-hidden="true">"Esc"</kbd>
            </button>
        </div>
    }
}

/// What can follow a text.
#[component]
fn NextButtons(studio: Studio) -> impl IntoView {
    view! {
        <div class="next-buttons">
            <button
                type="button"
                data-testid="continue"
                disabled=move || !studio.can_continue.get()
                on:click=move |_| studio.go_on()
            >
                "Continue"
            </button>
            <button
                type="button"
                data-testid="another"
                title="The same prompt with another seed"
                disabled=move || !studio.has_text.get() || studio.is_busy()
                on:click=move |_| studio.another()
            >
                "Another"
            </button>
        </div>
    }
}

/// Where the text is drawn.
#[component]
fn Sheet(studio: Studio) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        if let Some(host) = host.get() {
            studio.with_manuscript(|manuscript| manuscript.attach(host.into(), studio.about.is_play));
        }
    });
    on_cleanup(move || {
        studio.with_manuscript(|manuscript| {
            manuscript.detach();
            Ok(())
        });
    });
    view! {
        <div
            class="sheet"
            class:play=studio.about.is_play
            class:prose=!studio.about.is_play
            class:writing=move || studio.phase() == Phase::Generating
            data-testid="output"
            role="region"
            aria-label="The text"
            tabindex="0"
            node_ref=host
        ></div>
    }
}
