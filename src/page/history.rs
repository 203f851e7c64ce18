//! The texts that were written before the one that is shown.

use leptos::prelude::*;

use super::writing::Writing;

/// Characters of a text by which it is known again.
const SHOWN: usize = 48;

/// The whole panel; nothing before there is a second text.
#[component]
pub fn History(
    /// The writing whose texts they are.
    writing: Writing,
) -> impl IntoView {
    let texts = move || {
        writing.earlier.with(|earlier| {
            let texts = earlier.iter().enumerate().rev();
            texts.map(|(index, text)| (index, beginning(&text.text), text.tokens(), text.seed())).collect::<Vec<_>>()
        })
    };
    let item = move |(index, beginning, tokens, seed): (usize, String, usize, u32)| {
        view! {
            <li>
                <button
                    type="button"
                    class="quiet"
                    data-testid="earlier"
                    disabled=move || writing.is_busy()
                    on:click=move |_| {
                        writing.recall(index);
                        writing.focus_text();
                    }
                >
                    <span class="earlier-text">{beginning}</span>
                    <span class="help">{format!("{tokens} tokens · seed {seed}")}</span>
                </button>
            </li>
        }
    };
    let count = Memo::new(move |_| writing.earlier.with(Vec::len));
    view! {
        <details class="more history" data-testid="history" hidden=move || count.get() == 0>
            <summary>{move || format!("Earlier texts ({})", count.get())}</summary>
            <ul>{move || texts().into_iter().map(item).collect_view()}</ul>
        </details>
    }
}

/// The first characters of a text, on one line.
fn beginning(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None if words.is_empty() => "(empty)".to_string(),
        None => words,
    }
}
