//! The prompt: typed, or begun from an example, and checked as soon as the model's characters are known.

use leptos::prelude::*;

use super::controls::{self, Control};
use super::options::Mounted;
use super::tokens::PromptTokens;
use super::writing::Writing;
use crate::app::typed::{self, name};
use crate::tokenizer::Vocabulary;

/// The whole panel.
#[component]
pub fn Prompt(
    /// The writing that it begins.
    writing: Writing,
) -> impl IntoView {
    let (field, mounted) = (writing.form.field("prompt"), Mounted::here());
    let write = move |prompt: &str| {
        writing.focus("prompt");
        // As if it were typed, so that undo brings back what stood there.
        if !controls::type_over(mounted, "prompt", prompt) {
            field.edit(prompt.into());
        }
    };
    let example = move |(label, prompt): (&'static str, &'static str)| {
        let start = move |_| write(prompt);
        view! { <button type="button" class="chip" data-testid="example" on:click=start>{label}</button> }
    };
    let unknown = Memo::new(move |_| unknown_sentence(writing));
    let plain = Memo::new(move |_| plain_form(writing));
    let too_long = Memo::new(move |_| too_long(writing));
    view! {
        <Control field problem=unknown problem_testid="unknown" />
        <button
            type="button"
            class="quiet"
            data-testid="plain-characters"
            hidden=move || plain.get().is_none()
            on:click=move |_| write(&plain.get_untracked().unwrap_or_default())
        >
            "Use plain quotes, dashes and spaces"
        </button>
        <PromptTokens writing />
        <p class="help" role="status" data-testid="too-long" hidden=move || too_long.get().is_none()>
            {move || too_long.get()}
        </p>
        <div class="chips" role="group" aria-label="Examples to start from">
            {writing.about.examples.iter().copied().map(example).collect_view()}
        </div>
    }
}

/// What the model will not see of the prompt.
fn too_long(writing: Writing) -> Option<String> {
    let summary = writing.summary()?;
    let tokens = match summary.vocabulary {
        Vocabulary::Characters => writing.form.field("prompt").text.with(|prompt| prompt.chars().count() as u32),
        Vocabulary::BytePairs => writing.engine.count.tokens.get()?.count,
    };
    let context = summary.context;
    let sentence = || format!("The prompt has {tokens} tokens. The model will read only the last {context}.");
    (tokens > context).then(sentence)
}

/// The prompt in characters that the model knows, as far as that changes anything.
fn plain_form(writing: Writing) -> Option<String> {
    let (alphabet, prompt) = (writing.alphabet()?, writing.form.field("prompt").text.get());
    let plain = typed::plain(&prompt, &alphabet);
    (plain != prompt).then_some(plain)
}

/// Names the characters, so that they can be found even where they cannot be seen.
fn unknown_sentence(writing: Writing) -> Option<String> {
    const NAMED: usize = 8;
    let (unknown, alphabet) = (writing.unknown(), writing.alphabet()?);
    if unknown.is_empty() {
        return None;
    }
    let mut names: Vec<String> = unknown.iter().take(NAMED).map(|character| name(*character)).collect();
    if unknown.len() > NAMED {
        names.push(format!("{} more", unknown.len() - NAMED));
    }
    let knows = match writing.about.is_play {
        true => {
            let is_mark = |known: &char| !known.is_alphabetic() && !known.is_whitespace();
            let marks: String = alphabet.chars().filter(is_mark).collect();
            format!("letters without accents, spaces, line breaks and {marks}")
        }
        false => alphabet.trim().to_string(),
    };
    Some(format!("{} does not know {}: it knows {knows}", writing.name(), names.join(", ")))
}
