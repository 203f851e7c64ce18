//! The page's frame: which view stands there, its title, its way through.

use leptos::mount::UnmountHandle;
use leptos::prelude::*;
use leptos::tachys::view::Mountable;
use web_sys::HtmlElement;

use super::about::About;
use super::address_bar::AddressBar;
use super::bench::Bench;
use super::engine::Engine;
use super::home::Home;
use super::import::Import;
use super::import_panel::take_drops;
use super::model::ModelState;
use super::models::{GPT2, OWN, PEARGPT};
use super::not_found::NotFound;
use super::options::{Mounted, Options};
use super::own::Own;
use super::theme::ThemeSwitch;
use super::train_view::TrainView;
use super::training::Training;
use super::writing::Writing;
use super::writing_view::WritingView;
use crate::app::own::is_own;
use crate::app::permalink::{Address, Route};
use crate::app::site::{Site, route_of};
use crate::app::training::TrainSettings;

/// Where all models of the reader's own stand.
const OWN_PATH: &str = "/model";

/// The icon, drawn into the page.
const PEAR: &str = include_str!("../../styles/icon.svg");

/// Draws the page into an element, in the place of what stands there; dropping what is returned removes it.
pub fn mount(root: HtmlElement, options: Options) -> UnmountHandle<impl Mountable> {
    root.set_text_content(None);
    mount_to(root.clone(), move || {
        Mounted::provide(options, root);
        App()
    })
}

#[component]
fn App() -> impl IntoView {
    let mounted = Mounted::here();
    let bar = AddressBar::new(mounted);
    let engine = Engine::new(mounted);
    let take_threads = move |threads: Option<u32>| {
        if let Some(threads) = threads {
            engine.threads.set_address(threads);
        }
    };
    // Before any view asks for a model.
    take_threads(bar.arrived.with_untracked(|(address, _)| address.threads));
    Effect::new(move |_| take_threads(bar.arrived.with(|(address, _)| address.threads)));
    let options = mounted.options();
    let [writing, gpt2, own] =
        [PEARGPT.on(&options.site), GPT2.on(&options.site), &OWN].map(|about| Writing::new(engine, bar, about));
    // A model that is only known by its hash.
    let own_home = options.site.home.as_ref().filter(|id| is_own(id));
    let own_home = own_home.map(|_| Writing::new(engine, bar, OWN.on(&options.site)));
    let home = own_home.or_else(|| [writing, gpt2].into_iter().find(|writing| options.site.is_home(writing.about.id)));
    let import = Import::new(engine, bar);
    let training = Training::new(engine, bar);
    take_drops(import, training, mounted);
    let route = Memo::new(move |_| bar.arrived.get().0.route);
    Effect::new(move |previous: Option<()>| {
        if mounted.has_address_bar() {
            document().set_title(&title(&route.get(), &mounted.options().site));
        }
        if previous.is_some() {
            focus_heading(mounted);
        }
    });
    let main = mounted.id("main");
    // The address bar is the router's, so that the link moves the focus by itself.
    let skip = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        focus_first(mounted, "main");
    };
    view! {
        <a class="skip" href=format!("#{main}") on:click=skip>"Skip to the content"</a>
        <Header writing gpt2 home route />
        <main id=main.clone() tabindex="-1">
            {move || match route.get() {
                Route::Home => view! { <Home writing import /> }.into_any(),
                Route::PearGpt => view! { <WritingView writing /> }.into_any(),
                Route::Gpt2 => view! { <WritingView writing=gpt2 /> }.into_any(),
                route @ Route::Own { .. } => match own_home.filter(|home| home.about.route() == route) {
                    Some(writing) => view! { <WritingView writing /> }.into_any(),
                    None => own_view(own, import, route, home, bar),
                },
                Route::Bench { model, prompt_tokens, tokens } => {
                    view! { <Bench engine model prompt_tokens tokens /> }.into_any()
                }
                Route::Train(settings) => train_view(training, bar, &settings),
                Route::About { result } => view! { <About writing bar shared=result /> }.into_any(),
                Route::Unknown { .. } => view! { <NotFound bar /> }.into_any(),
            }}
        </main>
        <footer class="site-foot">
            <p>
                "No server, no account, no tracking: your text stays on this device. peargpt has the MIT licence. "
                <a href="#/about">"About"</a>
            </p>
        </footer>
    }
}

/// The writing with a model of the reader's own, or what leads to one: to the site's home as well, where it has one.
fn own_view(own: Writing, import: Import, route: Route, home: Option<Writing>, bar: AddressBar) -> AnyView {
    let engine = own.engine;
    let problems = Signal::derive(move || own.problems());
    if route == OWN.route() {
        return view! { <Own import engine is_missing=false problems /> }.into_any();
    }
    own.turn_to(route);
    // While files are being opened nobody knows which model they are: what stands there stays.
    let is_here = Memo::new(move |before: Option<&bool>| match own.model() {
        ModelState::NotHere => false,
        ModelState::Absent => before.copied().unwrap_or(true),
        _ => true,
    });
    (move || match is_here.get() {
        true => view! { <WritingView writing=own /> }.into_any(),
        false => {
            on_cleanup(move || {
                if untrack(|| own.summary()).is_none() {
                    own.wait_no_longer();
                }
            });
            let asked = |route| Address { route, model: None, ..bar.read().0 }.to_string();
            let home = home.map(|home| (home.about.name, asked(home.about.route())));
            view! { <Own import engine is_missing=true home problems /> }.into_any()
        }
    })
    .into_any()
}

/// Where a model learns a text.
fn train_view(training: Training, bar: AddressBar, settings: &TrainSettings) -> AnyView {
    training.open(settings);
    let problems = Signal::derive(move || bar.arrived.with(|(_, problems)| problems.clone()));
    view! { <TrainView training problems /> }.into_any()
}

fn title(route: &Route, site: &Site) -> String {
    let home = site.home.as_ref().map_or(Some(Route::Home), |id| route_of(id));
    let title = match route {
        route if home.as_ref() == Some(route) => return site.title.clone(),
        Route::Home => return "peargpt".to_string(),
        Route::PearGpt => "pearGPT writes Shakespeare",
        Route::Gpt2 => "GPT-2 completes documents",
        Route::Own { .. } => "Your own model",
        Route::Bench { .. } => "Bench",
        Route::Train(_) => "Train a GPT",
        Route::About { .. } => "About",
        Route::Unknown { .. } => "No such page",
    };
    format!("{title} · {}", if site.home.is_some() { &site.title } else { "peargpt" })
}

/// A new view begins at its heading, for eyes and for screen readers.
fn focus_heading(mounted: Mounted) {
    request_animation_frame(move || {
        if mounted.has_address_bar() {
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
        focus_first(mounted, "h1");
    });
}

fn focus_first(mounted: Mounted, selector: &str) {
    if let Some(element) = mounted.find(selector) {
        element.focus().ok();
    }
}

#[component]
fn Header(
    writing: Writing,
    gpt2: Writing,
    /// Of a site whose home is a model.
    home: Option<Writing>,
    route: Memo<Route>,
) -> impl IntoView {
    let is_at_home = move || home.is_some_and(|home| home.about.route() == route.get());
    let current = move |path: &'static str| {
        let is_there = move || route.get().path() == path && (path != OWN_PATH || !is_at_home());
        move || is_there().then_some("page")
    };
    let home_address = move || home.map_or_else(|| "#/".to_string(), |home| home.address().to_string());
    let site = Mounted::here().options().site.clone();
    // A site that offers only its home has nowhere to lead.
    let is_alone = site.offers.is_empty();
    let is_here = |id: &str| (!is_alone && site.has(id)).then_some(());
    view! {
        <header class="site-head">
            <a class="brand" href=home_address>
                <span class="pear" aria-hidden="true" inner_html=PEAR></span>
                "peargpt"
            </a>
            <nav aria-label="Pages" hidden=is_alone>
                {home.filter(|home| is_own(home.about.id)).map(|home| view! {
                    <a class="nav-home" href=home_address aria-current=move || is_at_home().then_some("page")>
                        {home.about.name}
                    </a>
                })}
                {is_here(PEARGPT.id).map(|()| view! {
                    <a href=move || writing.address().to_string() aria-current=current("/peargpt")>"pearGPT"</a>
                })}
                {is_here(GPT2.id).map(|()| view! {
                    <a href=move || gpt2.address().to_string() aria-current=current("/gpt2")>"GPT-2"</a>
                })}
                <a href="#/model" aria-current=current(OWN_PATH)>"Yours"</a>
                <a href="#/train" aria-current=current("/train")>"Train"</a>
                <a href="#/bench" aria-current=current("/bench")>"Bench"</a>
            </nav>
            <ThemeSwitch />
        </header>
    }
}
