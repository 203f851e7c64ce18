//! The page that writes: prompt and settings on one side, the text on the other.

use leptos::html;
use leptos::prelude::*;
use web_sys::{KeyboardEvent, MouseEvent, SubmitEvent};

use super::controls::Control;
use super::download::Download;
use super::export::ExportPanel;
use super::form::Field;
use super::history::History;
use super::inside::{InsidePanel, Tour};
use super::js::listen;
use super::keep::Keep;
use super::messages::Messages;
use super::model::ModelState;
use super::options::Mounted;
use super::phase::Phase;
use super::presets::{Presets, Reset};
use super::prompt::Prompt;
use super::status::{Numbers, PhoneBar, Status};
use super::stored::StoredModels;
use super::threads::ThreadsControl;
use super::toolbar::Toolbar;
use super::verify::Verify;
use super::writing::Writing;
use crate::app::protocol::At;
use crate::app::settings::Kind;

/// The whole page.
#[component]
pub fn WritingView(
    /// The writing that it shows.
    writing: Writing,
) -> impl IntoView {
    writing.open();
    on_cleanup(move || {
        writing.engine.give_up_turn(&untrack(|| writing.id()));
        // What gives way to the wish for the model's files waits on for them.
        if untrack(|| writing.model()) != ModelState::NotHere {
            writing.wait_no_longer();
        }
    });
    listen_to_keys(writing);
    pass_focus(writing);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        writing.generate();
    };
    view! {
        <div class="page-head studio-head">
            <h1 tabindex="-1">{move || writing.name()}</h1>
            <p class="lede">{writing.about.lede}</p>
        </div>
        // What takes long is said first, also where the screen is small; what does not must move nothing.
        {writing.about.is_large.then(|| view! { <DownloadOf writing /> })}
        <div class="studio">
            <div class="desk">
                <form on:submit=submit>
                    <Prompt writing />
                    <div class="pair">
                        <Control field=writing.form.field("words") />
                        <Seed writing />
                    </div>
                    <MainButtons writing />
                    <MoreSettings writing />
                </form>
                // Not in the form: Enter in a name would start a text.
                <Keep writing />
                <StoredModels engine=writing.engine />
                <ExportPanel writing />
                <Verify writing />
            </div>
            <section class="stage">
                <Tour writing />
                <Toolbar writing />
                <Messages writing />
                <Sheet writing />
                <div class="foot">
                    <div class="foot-words">
                        <Status writing />
                        {(!writing.about.is_large).then(|| view! { <DownloadOf writing /> })}
                    </div>
                    <NextButtons writing />
                </div>
                <Numbers writing />
                <InsidePanel writing />
                <History writing />
            </section>
        </div>
        <PhoneBar writing />
    }
}

#[component]
fn DownloadOf(writing: Writing) -> impl IntoView {
    view! { <Download engine=writing.engine model=Signal::derive(move || writing.model()) is_panel=writing.about.is_large /> }
}

fn listen_to_keys(writing: Writing) {
    listen(Mounted::here(), "keydown", move |event: KeyboardEvent| {
        if event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "Enter" if event.ctrl_key() || event.meta_key() => {
                event.prevent_default();
                writing.generate();
            }
            "Escape" => writing.stop(),
            _ => {}
        }
    });
}

/// Stop and Continue are disabled once they have been pressed, which would leave the focus nowhere: it goes from one to the
/// other.
fn pass_focus(writing: Writing) {
    let mounted = Mounted::here();
    let focus = move |testid: &str| {
        if let Some(button) = mounted.find(&format!("[data-testid='{testid}']")) {
            button.focus().ok();
        }
    };
    Effect::new(move |_| {
        let next = if writing.is_busy() { "stop" } else { "continue" };
        let can_be_pressed = writing.is_busy() || writing.can_continue();
        if can_be_pressed && writing.next_focus.get_value() == Some(next) {
            writing.next_focus.set_value(None);
            request_animation_frame(move || focus(next));
        }
    });
}

#[component]
fn Seed(writing: Writing) -> impl IntoView {
    let draw = move |_| writing.draw_seed();
    view! {
        <div>
        <Control field=writing.form.field("seed")>
            <button type="button" class="quiet" data-testid="draw" title="Another random seed" on:click=draw>
                "Random"
            </button>
        </Control>
        <p class="help seed-kind" data-testid="seed-kind" hidden=move || !writing.is_seed_drawn()>
            "Random: the next text gets a new one."
        </p>
        </div>
    }
}

#[component]
fn MoreSettings(writing: Writing) -> impl IntoView {
    let shown_above = ["prompt", "words", "seed"];
    // Lists have views of their own.
    let is_here =
        |field: &&Field| !shown_above.contains(&field.parameter.name) && !matches!(field.parameter.kind, Kind::List(_));
    let rest = writing.form.fields().iter().filter(is_here);
    view! {
        <details class="more" data-testid="settings">
            <summary>"Settings"</summary>
            <div class="more-grid">
                <Presets form=writing.form />
                {rest.map(|field| view! { <Control field=*field /> }).collect_view()}
                <ThreadsControl writing />
                <Reset form=writing.form />
            </div>
        </details>
    }
}

#[component]
fn MainButtons(writing: Writing) -> impl IntoView {
    view! {
        <div class="main-buttons">
            <button type="submit" class="primary" data-testid="generate">
                "Generate" <kbd aria-hidden="true">"Ctrl ↵"</kbd>
            </button>
            <button
                type="button"
                data-testid="stop"
                disabled=move || !writing.is_busy()
                on:click=move |_| {
                    writing.next_focus.set_value(Some("continue"));
                    writing.stop();
                }
            >
                "Stop" <kbd aria-hidden="true">"Esc"</kbd>
            </button>
        </div>
    }
}

/// What can follow a text.
#[component]
fn NextButtons(writing: Writing) -> impl IntoView {
    let note = Memo::new(move |_| writing.continuation_note());
    view! {
        <p class="help" data-testid="keeps-settings" role="status" hidden=move || note.get().is_none()>
            {move || note.get()}
        </p>
        <div class="next-buttons">
            <button
                type="button"
                data-testid="continue"
                disabled=move || !writing.can_continue()
                on:click=move |_| {
                    writing.next_focus.set_value(Some("stop"));
                    writing.go_on();
                }
            >
                "Continue"
            </button>
            <button
                type="button"
                data-testid="another"
                title="The same prompt and settings"
                disabled=move || !writing.has_text.get() || writing.is_busy()
                on:click=move |_| writing.another()
            >
                "Try another seed"
            </button>
        </div>
    }
}

/// Where the text is drawn. A click looks at a token, arrow keys go on from there.
#[component]
fn Sheet(writing: Writing) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        if let Some(host) = host.get() {
            writing.with_output(|output| output.attach(host.into(), writing.about.is_play));
            writing.repaint();
        }
    });
    on_cleanup(move || {
        writing.with_output(|output| {
            output.detach();
            Ok(())
        });
    });
    writing.paint_chosen();
    let choose = move |event: MouseEvent| {
        let selects = document().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
        let (x, y) = (event.client_x() as f32, event.client_y() as f32);
        let byte = writing.with_output(|output| Ok(output.byte_at(x, y))).flatten();
        if let Some(byte) = byte.filter(|_| !selects) {
            writing.look(At::Byte(byte as u32));
        }
    };
    let go_on = move |event: KeyboardEvent| {
        let is_plain = !(event.shift_key() || event.ctrl_key() || event.alt_key() || event.meta_key());
        match event.key().as_str() {
            "ArrowLeft" | "ArrowRight" if is_plain && writing.inside.is_open.get_untracked() => {
                event.prevent_default();
                writing.look_beside(event.key() == "ArrowRight");
            }
            "Enter" if is_plain => writing.look(At::Last),
            _ => {}
        }
    };
    view! {
        <div
            class="sheet"
            class:play=writing.about.is_play
            class:prose=!writing.about.is_play
            class:writing=move || writing.phase() == Phase::Generating
            data-testid="output"
            role="region"
            aria-label="The text"
            tabindex="0"
            node_ref=host
            on:click=choose
            on:keydown=go_on
            on:scroll=move |_| writing.repaint()
        ></div>
    }
}
