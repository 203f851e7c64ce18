//! A tour of the inside in eight steps, on a text of pearGPT's. Each step is an address.

use leptos::prelude::*;

use super::super::writing::Writing;
use crate::app::protocol::View;

/// The text that the tour is about.
const TEXT: &str = "#/peargpt?prompt=ROMEO%3A%0A&words=20&seed=3&run=1";

/// A step: its title, what it says, the token that it looks at, and how.
type Step = (&'static str, &'static str, u32, View);

/// All of it.
pub const STEPS: [Step; 8] = [
    (
        "A text is tokens",
        "pearGPT wrote what stands behind “ROMEO:”, one token after another. Its tokens are characters: it knows 65 of them \
         and nothing else. Choose any with a click; ← and → go on from there.",
        12,
        View::Token,
    ),
    (
        "It says how likely each token is",
        "For the next token the model gives every one of its 65 a probability. The table has the ten likeliest. Where one is \
         far ahead the model is sure; where many are alike it is not: that is the number of bits.",
        13,
        View::Token,
    ),
    (
        "The settings change the odds",
        "Temperature makes likely tokens likelier or less so; top-k, top-p and min-p drop the unlikely ones. The columns show \
         the chances after each of them.",
        14,
        View::Token,
    ),
    (
        "One is drawn",
        "A random number from 0 to 1 decides; every token has a stretch of that length. The same seed draws the same numbers, \
         so the same text comes out on every machine.",
        15,
        View::Token,
    ),
    (
        "Attention looks back",
        "To predict, each token looks back at those before it. 5 heads in each of 8 layers look for different things: some at \
         the letter before, some at the beginning of the word, some at the speaker’s name. Choose a head to see it on the text.",
        24,
        View::Attention,
    ),
    (
        "The answer takes shape",
        "Each layer adds to a row of 320 numbers. Read out after each layer, they show what the model would have said so far: \
         at first nothing sensible, then letters that can follow, then the one that fits.",
        24,
        View::Lens,
    ),
    (
        "Take another",
        "Nothing had to come out as it did. Press “Take” at another token, and the text goes on from there, with the same \
         random numbers. Both versions stay.",
        30,
        View::Token,
    ),
    (
        "Switch parts off",
        "What does a head do, or a layer’s MLP? Switch it off, and the text is written anew with that part missing. The MLP of \
         the first layer is hard to do without; many heads are hardly missed.",
        30,
        View::Attention,
    ),
];

/// The address of a step, counted from 1.
pub fn step_address(step: usize) -> String {
    let look = STEPS.get(step.wrapping_sub(1)).map_or(0, |step| step.2);
    format!("{TEXT}&look={look}&tour={step}")
}

/// The step that the address names; nothing without one.
#[component]
pub fn Tour(
    /// The writing whose text it is about.
    writing: Writing,
) -> impl IntoView {
    let number = move || writing.tour.get().filter(|step| (1..=STEPS.len()).contains(step));
    Effect::new(move |_| {
        if let Some(step) = number() {
            writing.show_view(STEPS[step - 1].3);
        }
    });
    let link = |step: usize, name: &'static str, label: &'static str| {
        (1..=STEPS.len()).contains(&step).then(|| {
            view! { <a class="button" data-testid=name href=step_address(step)>{label}</a> }
        })
    };
    move || {
        number().map(|step| {
            let (title, text, ..) = STEPS[step - 1];
            view! {
                <aside class="tour" data-testid="tour" aria-label="A tour of the inside">
                    <h2>{format!("{step}. {title}")}</h2>
                    <p>{text}</p>
                    <p class="actions">
                        {link(step.wrapping_sub(1), "tour-back", "Back")}
                        {link(step + 1, "tour-on", "Next")}
                        <a class="button" data-testid="tour-end" href="#/peargpt">"End the tour"</a>
                        <span class="help">{format!("step {step} of {}", STEPS.len())}</span>
                    </p>
                </aside>
            }
        })
    }
}
