//! Home: what this is, what there is, how it works inside, where to learn more.

use leptos::prelude::*;

use super::studio::Studio;

/// Drawn for both colour schemes: its parts take their colours from the style sheet.
const ARCHITECTURE: &str = include_str!("architecture.svg");

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
    studio: Studio,
) -> impl IntoView {
    view! {
        <section class="hero">
            <h1 tabindex="-1">"A small GPT, in this tab"</h1>
            <p class="lede">
                "Two language models that run in your browser. There is no server behind them: the weights come to "
                "your machine once, and what you type never leaves it."
            </p>
            <p class="actions">
                <a class="button primary" href=move || studio.address().to_string()>"Let pearGPT write"</a>
                <a class="button" href="#/peargpt?prompt=ROMEO%3A%0A&seed=7&run=1">"See Romeo speak"</a>
            </p>
        </section>
        <section class="cards" aria-label="The models">
            <PearGptCard studio />
            <Gpt2Card />
        </section>
        <Inside />
        <Learn />
    }
}

#[component]
fn PearGptCard(studio: Studio) -> impl IntoView {
    view! {
        <article class="card">
            <h2><a href=move || studio.address().to_string()>"pearGPT"</a></h2>
            <p>
                "Learned one book by heart’s neighbour: forty thousand lines of Shakespeare, character by character. "
                "It spells, it rhymes by accident, it invents words that sound as if they were his."
            </p>
            <Facts facts=[("Weights", "9,967,040"), ("Download", "11 MB"), ("Reads", "65 characters"), ("Sees back", "256 characters")] />
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
                ("Sees back", "1,024 pieces"),
            ] />
            <p class="card-state later">"Comes next."</p>
        </article>
    }
}

#[component]
fn Facts(facts: [(&'static str, &'static str); 4]) -> impl IntoView {
    let fact = |(label, value): (&'static str, &'static str)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> };
    view! { <dl class="facts">{facts.map(fact).collect_view()}</dl> }
}

#[component]
fn Inside() -> impl IntoView {
    view! {
        <section class="inside">
            <h2>"Inside"</h2>
            <p>
                "Both models are the same machine in two sizes. Text becomes numbers, the numbers pass through a stack "
                "of equal blocks, and out comes a probability for each possible next token. One is drawn, appended, and "
                "the whole begins again."
            </p>
            // Our own file, not a model's text.
            <figure class="architecture" inner_html=ARCHITECTURE></figure>
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
