//! The page's frame: which view stands there, its title, its way through.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::address_bar::AddressBar;
use super::bench::Bench;
use super::elsewhere::Lost;
use super::engine::Engine;
use super::home::Home;
use super::import::Import;
use super::import_panel::take_drops;
use super::model::Model;
use super::models::{GPT2, OWN, PEARGPT};
use super::own::Own;
use super::studio::Studio;
use super::studio_view::StudioView;
use super::theme::ThemeSwitch;
use crate::app::permalink::Route;

/// The icon, drawn into the page.
const PEAR: &str = include_str!("../../styles/icon.svg");

/// Draws the page where the document says that it is starting.
pub fn start() {
    console_error_panic_hook::set_once();
    let place = document().get_element_by_id("app");
    let Some(place) = place.and_then(|element| element.dyn_into::<HtmlElement>().ok()) else {
        return leptos::logging::error!("the document has no element #app");
    };
    place.set_text_content(None);
    mount_to(place, App).forget();
}

#[component]
fn App() -> impl IntoView {
    let bar = AddressBar::new();
    let engine = Engine::new();
    let [studio, gpt2, own] = [&PEARGPT, &GPT2, &OWN].map(|about| Studio::new(engine, bar, about));
    let import = Import::new(engine);
    take_drops(import);
    let route = Memo::new(move |_| bar.arrived.get().0.route);
    Effect::new(move |previous: Option<()>| {
        document().set_title(title(&route.get()));
        if previous.is_some() {
            focus_heading();
        }
    });
    view! {
        <a class="skip" href="#main" on:click=skip>"Skip to the content"</a>
        <Header studio gpt2 route />
        <main id="main" tabindex="-1">
            {move || match route.get() {
                Route::Home => view! { <Home studio import /> }.into_any(),
                Route::PearGpt => view! { <StudioView studio /> }.into_any(),
                Route::Gpt2 => view! { <StudioView studio=gpt2 /> }.into_any(),
                route @ Route::Own { .. } => own_view(own, import, route),
                Route::Bench { model, prompt_tokens, tokens } => {
                    view! { <Bench engine model prompt_tokens tokens /> }.into_any()
                }
                Route::Unknown { .. } => view! { <Lost bar /> }.into_any(),
            }}
        </main>
        <footer class="site-foot">
            <p>"No server, no account, no tracking: what you type and what is written stay on this machine."</p>
        </footer>
    }
}

/// The writing with a model of the reader's own, or what leads to one.
fn own_view(own: Studio, import: Import, route: Route) -> AnyView {
    let engine = own.engine;
    if route == OWN.route() {
        return view! { <Own import engine is_missing=false /> }.into_any();
    }
    own.turn_to(route);
    // While files are being opened nobody knows which model they are: what stands there stays.
    let is_here = Memo::new(move |before: Option<&bool>| match own.model() {
        Model::NotHere => false,
        Model::Absent => before.copied().unwrap_or(true),
        _ => true,
    });
    (move || match is_here.get() {
        true => view! { <StudioView studio=own /> }.into_any(),
        false => {
            on_cleanup(move || {
                if untrack(|| own.summary()).is_none() {
                    own.wait_no_longer();
                }
            });
            view! { <Own import engine is_missing=true /> }.into_any()
        }
    })
    .into_any()
}

fn title(route: &Route) -> &'static str {
    match route {
        Route::Home => "peargpt: small GPTs in a browser tab",
        Route::PearGpt => "pearGPT writes Shakespeare · peargpt",
        Route::Gpt2 => "GPT-2 completes documents · peargpt",
        Route::Own { .. } => "Your own model · peargpt",
        Route::Bench { .. } => "Bench · peargpt",
        Route::Unknown { .. } => "No such page · peargpt",
    }
}

/// A new view begins at its heading, for eyes and for screen readers.
fn focus_heading() {
    request_animation_frame(|| {
        window().scroll_to_with_x_and_y(0.0, 0.0);
        focus_first("h1");
    });
}

/// The address bar is the router's, so that the skip link moves the focus by itself.
fn skip(event: leptos::ev::MouseEvent) {
    event.prevent_default();
    focus_first("#main");
}

fn focus_first(selector: &str) {
    let element = document().query_selector(selector).ok().flatten();
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        element.focus().ok();
    }
}

#[component]
fn Header(studio: Studio, gpt2: Studio, route: Memo<Route>) -> impl IntoView {
    let current = move |path: &'static str| move || (route.get().path() == path).then_some("page");
    view! {
        <header class="site-head">
            <a class="brand" href="#/">
                <span class="pear" aria-hidden="true" inner_html=PEAR></span>
                "peargpt"
            </a>
            <nav aria-label="Pages">
                <a href=move || studio.address().to_string() aria-current=current("/peargpt")>"pearGPT"</a>
                <a href=move || gpt2.address().to_string() aria-current=current("/gpt2")>"GPT-2"</a>
                <a href="#/model" aria-current=current("/model")>"Yours"</a>
                <a href="#/bench" aria-current=current("/bench")>"Bench"</a>
            </nav>
            <ThemeSwitch />
        </header>
    }
}
