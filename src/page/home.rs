//! Home: what this is, what there is, how it works inside, where to learn more.

use leptos::prelude::*;

use super::architecture::{Sizes, drawing, parts};
use super::import::Import;
use super::import_panel::ImportPanel;
use super::inside::step_address;
use super::kept::Kept;
use super::writing::Writing;
use crate::app::permalink::{Address, Route};
use crate::app::speakers::names_speaker;
use crate::explain::Norms;

/// The beginning of what pearGPT writes for `#/peargpt?prompt=ROMEO%3A%0A&words=60&seed=6`, which a test holds it to.
const SAMPLE: &str = include_str!("sample.txt");

/// The steps of the tour that show the parts of the architecture, downwards.
const SHOWN_IN: [usize; 7] = [1, 6, 5, 8, 6, 2, 4];

/// Where each link leads, who made it, what it is.
const LESSONS: [(&str, &str, &str); 5] = [
    (
        "https://www.youtube.com/watch?v=wjZofJX0v4M",
        "3Blue1Brown: Transformers, the tech behind LLMs",
        "what the whole does, in pictures",
    ),
    (
        "https://www.youtube.com/watch?v=eMlx5fFNoYc",
        "3Blue1Brown: Attention in transformers",
        "how a token looks at those before it",
    ),
    ("https://www.youtube.com/watch?v=9-Jl0dxWQs8", "3Blue1Brown: How might LLMs store facts", "what the MLPs are for"),
    ("https://colah.github.io/", "Chris Olah’s blog", "neural networks, explained with care"),
    (
        "https://www.youtube.com/playlist?list=PLAqhIrjkxbuWI23v9cThsA9GvCAUhRvKZ",
        "Andrej Karpathy: Zero to Hero",
        "build all of this yourself, from an empty file",
    ),
];

/// The whole page.
#[component]
pub fn Home(
    /// Whose text the first card leads to.
    writing: Writing,
    /// What is handed over.
    import: Import,
) -> impl IntoView {
    view! {
        <section class="hero">
            <div>
                <h1 tabindex="-1">"A small GPT, in this tab"</h1>
                <p class="lede">
                    "Two language models that run in your browser. There is no server behind them: the weights come to "
                    "your machine once, and what you type never leaves it."
                </p>
                <p class="actions">
                    <a class="button primary" href=move || writing.address().to_string()>"Let pearGPT write"</a>
                    <a class="button" href="#/peargpt?prompt=ROMEO%3A&run=1">"Let Romeo speak"</a>
                    <a class="button" href="#/train">"Train one on your text"</a>
                    <a class="button" href=step_address(1)>"See inside, in eight steps"</a>
                </p>
            </div>
            <Sample />
        </section>
        <section class="cards" aria-label="The models">
            <PearGptCard writing />
            <Gpt2Card />
        </section>
        <section class="yours">
            <h2>"Bring your own"</h2>
            <p>"You trained a small GPT? It runs here too."</p>
            <KeptModels kept=writing.engine.library.kept />
            <ImportPanel import />
        </section>
        <Inside />
        <Learn />
    }
}

#[component]
fn Sample() -> impl IntoView {
    let line = |line: &'static str| view! { <span class="line" class:speaker=names_speaker(line)>{line}</span> };
    view! {
        <figure class="sample">
            <blockquote class="play">{SAMPLE.split_inclusive('\n').map(line).collect_view()}</blockquote>
            <figcaption>"Written by pearGPT after “ROMEO:”, as it came."</figcaption>
        </figure>
    }
}

#[component]
fn PearGptCard(writing: Writing) -> impl IntoView {
    view! {
        <article class="card">
            <h2><a href=move || writing.address().to_string()>"pearGPT"</a></h2>
            <p>
                "Trained on forty thousand lines of Shakespeare, one character at a time. It has learned to spell, to "
                "keep the form of a play, and to make up the rest."
            </p>
            <Facts facts=[
                ("Weights", "9,967,040"),
                ("Download", "11 MB"),
                ("Reads", "65 characters"),
                ("Context", "256 characters"),
            ] />
            <p class="card-state">"Ready: it comes with this site."</p>
        </article>
    }
}

#[component]
fn Gpt2Card() -> impl IntoView {
    view! {
        <article class="card">
            <h2><a href="#/gpt2">"GPT-2"</a></h2>
            <p>
                "OpenAI’s model of 2019, as it was published. A document completer, not a chat: begin a text, and it "
                "goes on as the web of its day would have."
            </p>
            <Facts facts=[
                ("Weights", "124,439,808"),
                ("Download", "once, then kept"),
                ("Reads", "50,257 word pieces"),
                ("Context", "1,024 tokens"),
            ] />
            <p class="card-state">"Fetched when you say so, in parts that survive any connection."</p>
        </article>
    }
}

/// The reader's own models, by name.
#[component]
fn KeptModels(kept: Kept) -> impl IntoView {
    let link = |(sha256, title): (String, String)| {
        view! { <a class="button" href=Address::of(Route::Own { sha256 }).to_string()>{title}</a> }
    };
    view! { <p class="kept-models">{move || kept.list().into_iter().map(link).collect_view()}</p> }
}

#[component]
fn Facts(facts: [(&'static str, &'static str); 4]) -> impl IntoView {
    let fact = |(label, value): (&'static str, &'static str)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> };
    view! { <dl class="facts">{facts.map(fact).collect_view()}</dl> }
}

#[component]
fn Inside() -> impl IntoView {
    let lead = |index: usize, name: &'static str| view! { <a href=step_address(SHOWN_IN[index])>{name}</a> }.into_any();
    view! {
        <section class="inside">
            <div>
                <h2>"Inside"</h2>
                <p>"Both models are the same machine in two sizes."</p>
                {parts(lead)}
            </div>
            <figure class="architecture" inner_html=drawing(&Sizes::shipped(), &Norms::default())></figure>
        </section>
    }
}

#[component]
fn Learn() -> impl IntoView {
    let lesson = |(address, title, what): (&'static str, &'static str, &'static str)| {
        view! {
            <li>
                <a href=address rel="noopener">{title}</a>
                <span>{what}</span>
            </li>
        }
    };
    view! {
        <section class="learn">
            <h2>"Where to learn more"</h2>
            <ul>{LESSONS.map(lesson).collect_view()}</ul>
        </section>
    }
}
