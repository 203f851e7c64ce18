//! The pages on which nothing is written: what comes next, and where nothing is.

use leptos::prelude::*;

use super::address_bar::AddressBar;

/// What GPT-2 will be here.
#[component]
pub fn Gpt2() -> impl IntoView {
    view! {
        <article class="plain">
            <h1 tabindex="-1">"GPT-2"</h1>
            <p class="lede">"It comes next: 124,439,808 weights, fetched once and kept in this browser."</p>
            <p>
                "GPT-2 is a document completer, not a chat. It was trained, in 2019, to guess how a web page goes on. "
                "Ask it a question and it may well go on with a second question, as a list of questions would. "
                "Begin a recipe, a news report or a fairy tale, and it goes on in that manner."
            </p>
            <p>
                "Inside, it is the same stack of blocks as pearGPT, only larger, and it reads pieces of words instead "
                "of characters. Until it is here, "
                <a href="#/peargpt">"pearGPT writes"</a>
                "."
            </p>
        </article>
    }
}

/// What a model of the reader's own will be here.
#[component]
pub fn Own() -> impl IntoView {
    view! {
        <article class="plain">
            <h1 tabindex="-1">"Your own model"</h1>
            <p class="lede">"Opening a small GPT that you trained yourself comes later."</p>
            <p><a href="#/">"Back to the beginning"</a></p>
        </article>
    }
}

/// Says that nothing is here.
#[component]
pub fn Lost(
    /// Knows what was asked for.
    bar: AddressBar,
) -> impl IntoView {
    let problems = move || bar.arrived.get().1.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    view! {
        <article class="plain">
            <h1 tabindex="-1">"Nothing here"</h1>
            <p class="lede" data-testid="error" role="alert">{problems}</p>
            <p>
                <a href="#/">"Back to the beginning"</a>
                ", or to "
                <a href="#/peargpt">"pearGPT"</a>
                "."
            </p>
        </article>
    }
}
