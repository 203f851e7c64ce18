//! The prompt: typed, or begun from an example, and checked as soon as the model's characters are known.

use leptos::prelude::*;

use super::controls::Control;
use super::tokens::PromptTokens;
use super::writing::Writing;

/// The whole panel.
#[component]
pub fn Prompt(
    /// The writing that it begins.
    writing: Writing,
) -> impl IntoView {
    let field = writing.form.field("prompt");
    let example = move |(label, prompt): (&'static str, &'static str)| {
        let start = move |_| {
            field.edit(prompt.into());
            writing.focus("prompt");
        };
        view! { <button type="button" class="chip" data-testid="example" on:click=start>{label}</button> }
    };
    view! {
        <Control field />
        <p class="problem" data-testid="unknown" aria-live="polite" hidden=move || writing.unknown().is_empty()>
            {move || unknown_sentence(writing)}
        </p>
        <PromptTokens writing />
        <div class="chips" role="group" aria-label="Examples to start from">
            {writing.about.examples.iter().copied().map(example).collect_view()}
        </div>
    }
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

fn name(character: char) -> String {
    match character {
        '\t' => "the tab".to_string(),
        '\u{a0}' => "the no-break space".to_string(),
        _ if character.is_control() || character.is_whitespace() => format!("U+{:04X}", u32::from(character)),
        _ => format!("“{character}”"),
    }
}
