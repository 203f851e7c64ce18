//! The prompt as a model with byte pairs reads it: how many tokens it is, and which.

use std::time::Duration;

use leptos::prelude::*;

use super::engine::Tokens;
use super::writing::Writing;
use crate::tokenizer::Vocabulary;
use crate::tokenizer::{SHOWN_TOKENS, TokenSpan};

/// How long nothing is typed before the tokens are counted.
const PAUSE: Duration = Duration::from_millis(100);

/// Colours that neighbouring tokens take in turn, as in the style sheets.
const COLOURS: usize = 5;

/// The whole panel; nothing for a model of characters. It is there before the model is, so that nothing moves then.
#[component]
pub fn PromptTokens(
    /// The writing that the prompt begins.
    writing: Writing,
) -> impl IntoView {
    let engine = writing.engine;
    let has_pairs = move || writing.summary().is_some_and(|summary| summary.vocabulary == Vocabulary::BytePairs);
    let has_pairs = Memo::new(move |_| has_pairs());
    count_while_typed(writing, has_pairs);
    let tokens = Signal::derive(move || engine.count.tokens.get().filter(|_| has_pairs.get()));
    view! {
        <div class="prompt-tokens" hidden=move || !(writing.about.is_large || has_pairs.get())>
            <p class="token-count" data-testid="token-count">
                {move || tokens.get().map_or("– tokens".to_string(), |tokens| counted(tokens.count))}
            </p>
            <TokenList tokens />
        </div>
    }
}

/// Asks for the tokens when the prompt or the model is another, and has come to rest.
fn count_while_typed(writing: Writing, has_pairs: Memo<bool>) {
    let (engine, prompt) = (writing.engine, writing.form.field("prompt").text);
    let mut count = debounce(PAUSE, move |()| {
        if has_pairs.get_untracked() {
            engine.tokenize(prompt.get_untracked());
        }
    });
    Effect::new(move |_| {
        prompt.track();
        if has_pairs.get() {
            count(());
        } else {
            engine.count.tokens.set(None); // another model's
        }
    });
}

fn counted(count: u32) -> String {
    match count {
        1 => "1 token".to_string(),
        _ => format!("{count} tokens"),
    }
}

/// The tokens one by one, drawn while they are unfolded.
#[component]
fn TokenList(tokens: Signal<Option<Tokens>>) -> impl IntoView {
    let is_open = RwSignal::new(false);
    let has_ids = RwSignal::new(false);
    let shown = move || tokens.get().filter(|_| is_open.get());
    let drawn = move || shown().map(|tokens| tokens.first.into_iter().enumerate().map(draw).collect_view());
    let rest = move || shown().map_or(0, |tokens| tokens.count - tokens.first.len() as u32);
    view! {
        <details class="tokens" data-testid="prompt-tokens" on:toggle:target=move |event| is_open.set(event.target().open())>
            <summary>"Show tokens"</summary>
            <div class="token-list" class:with-ids=move || has_ids.get() data-testid="token-list">
                {drawn}
            </div>
            <p class="help" data-testid="tokens-more" hidden=move || rest() == 0>
                {move || format!("These are the first {SHOWN_TOKENS}; there are {} more.", rest())}
            </p>
            <button
                type="button"
                class="quiet"
                data-testid="token-ids"
                on:click=move |_| has_ids.update(|has| *has = !*has)
            >
                {move || if has_ids.get() { "Hide ids" } else { "Show ids" }}
            </button>
        </details>
    }
}

/// One token. A line end at its end comes after its box: in it, the box would have an empty rest on the next line.
fn draw((index, token): (usize, TokenSpan)) -> impl IntoView {
    let class = format!("token token-{}", index % COLOURS);
    let (text, line_end) = match token.text.strip_suffix('\n') {
        Some(text) => (text, Some((line_end_mark(), "\n"))),
        None => (&*token.text, None),
    };
    let (mark, line_end) = line_end.unzip();
    view! {
        <span class=class title=token.id.to_string() data-id=token.id>
            <span class="piece">{pieces(text)} {mark}</span>
        </span>
        {line_end}
    }
}

fn line_end_mark() -> AnyView {
    view! { <span class="mark">"↵"</span> }.into_any()
}

/// The text, with spaces, tabs and line ends that can be seen.
fn pieces(text: &str) -> Vec<AnyView> {
    let is_blank = |character: char| matches!(character, ' ' | '\t' | '\n');
    let draw = |part: &str| match part.strip_suffix(is_blank) {
        None => part.to_string().into_any(),
        Some(before) => (before.to_string(), blank(&part[before.len()..])).into_any(),
    };
    text.split_inclusive(is_blank).map(draw).collect()
}

fn blank(character: &str) -> AnyView {
    match character {
        "\n" => (line_end_mark(), "\n").into_any(),
        "\t" => (view! { <span class="mark">"⇥"</span> }, "\t").into_any(),
        _ => view! { <span class="space">" "</span> }.into_any(),
    }
}
