//! The panel of the token that is looked at.

use leptos::prelude::*;
use web_sys::SubmitEvent;

use super::super::saving::save_text;
use super::super::seen::Seen;
use super::super::writing::Writing;
use super::attention::Attention;
use super::lens::Lens;
use super::surprise::SurpriseSwitch;
use super::versions::Versions;
use super::way::Way;
use super::words::{percent, shown};
use crate::app::protocol::{At, View};
use crate::explain::{Alternative, TokenView};
use crate::sampler::Chances;

/// A setting, and what is left of a chance after it.
type Stage = (&'static str, fn(&Chances) -> f64);

/// The settings in their order.
const STAGES: [Stage; 5] = [
    ("penalty", |chances| chances.repetition_penalty),
    ("temperature", |chances| chances.temperature),
    ("top-k", |chances| chances.top_k),
    ("top-p", |chances| chances.top_p),
    ("min-p", |chances| chances.min_p),
];

/// The views beside the alternatives.
const VIEWS: [(View, &str, &str); 5] = [
    (View::Token, "view-token", "Alternatives"),
    (View::Attention, "view-attention", "Looks back at"),
    (View::LookedAt, "view-looked-at", "Is looked at by"),
    (View::Lens, "view-lens", "Layer by layer"),
    (View::Way, "view-way", "Its way through"),
];

/// The whole panel, and the button that opens it.
#[component]
pub fn InsidePanel(
    /// The writing whose text is looked at.
    writing: Writing,
) -> impl IntoView {
    let inside = writing.inside;
    let attribute =
        move |of: fn(&TokenView) -> String| move || inside.seen.with(|seen| seen.as_ref()?.token.as_ref().map(of));
    let place = move |of: fn(&Seen) -> u32| move || inside.seen.with(|seen| seen.as_ref().map(of));
    let open = move |_| match inside.is_open.get_untracked() {
        true => inside.is_open.set(false),
        false => writing.look(At::Last),
    };
    view! {
        <div class="inside-bar">
            <button
                type="button"
                data-testid="look"
                aria-expanded=move || inside.is_open.get().to_string()
                disabled=move || !writing.has_text.get() || writing.summary().is_none()
                on:click=open
            >
                {move || if inside.is_open.get() { "Close the inside" } else { "Look inside" }}
            </button>
            <button
                type="button"
                data-testid="read-prompt"
                title="Put the prompt there as a text to look into, and write nothing"
                disabled=move || writing.summary().is_none() || writing.is_busy() || writing.is_prompt_empty()
                on:click=move |_| writing.read_prompt()
            >
                "Read the prompt only"
            </button>
            <SurpriseSwitch writing />
        </div>
        <p class="help" role="status" data-testid="inside-progress">
            {move || inside.progress.get().map(|(done, total)| format!("Reading: {} %", u64::from(done) * 100 / u64::from(total.max(1))))}
        </p>
        <p class="problem" role="alert" data-testid="inside-problem" hidden=move || inside.problem.get().is_none()>
            {move || inside.problem.get()}
        </p>
        <section
            class="looked-inside"
            aria-label="Inside"
            data-testid="token-panel"
            hidden=move || !inside.is_open.get()
            data-position=place(|seen| seen.place.position)
            data-id=attribute(|token| token.id.to_string())
            data-probability=attribute(|token| token.probability.to_string())
            data-rank=attribute(|token| token.rank.to_string())
            data-entropy-bits=attribute(|token| token.entropy_bits.to_string())
        >
            <Head writing />
            <p class="inside-said" data-testid="token-said" role="status">
                {move || inside.seen.with(|seen| seen.as_ref().map(said))}
            </p>
            <div class="inside-views" role="group" aria-label="What of it">
                {VIEWS.map(|view| view! { <ViewButton writing view /> }).collect_view()}
            </div>
            {move || match inside.view.get() {
                View::Token => view! { <Alternatives writing /> }.into_any(),
                View::Lens => view! { <Lens writing /> }.into_any(),
                View::Way => view! { <Way writing /> }.into_any(),
                View::Attention => view! { <Attention writing is_back=true /> }.into_any(),
                View::LookedAt => view! { <Attention writing is_back=false /> }.into_any(),
            }}
            <Versions writing />
            <TakeAlong writing />
        </section>
    }
}

#[component]
fn Head(writing: Writing) -> impl IntoView {
    let inside = writing.inside;
    let place = move || inside.seen.with(|seen| seen.as_ref().map(|seen| (seen.place.position, seen.place.tokens)));
    let is_at = move |end: fn(u32, u32) -> bool| move || place().is_none_or(|(position, tokens)| end(position, tokens));
    let button = move |name, label, sign, forwards, is_end: fn(u32, u32) -> bool| {
        view! {
            <button
                type="button"
                class="quiet"
                data-testid=name
                aria-label=label
                disabled=is_at(is_end)
                on:click=move |_| writing.look_beside(forwards)
            >
                {sign}
            </button>
        }
    };
    view! {
        <div class="inside-head">
            {button("token-before", "The token before", "←", false, |position, _| position == 0)}
            <h2>
                {move || inside.seen.with(|seen| match seen.as_ref().and_then(|seen| seen.token.as_ref()) {
                    Some(token) => view! { <span class="token-text">{shown(&token.text)}</span> }.into_any(),
                    None => "The first token".into_any(),
                })}
            </h2>
            {button("token-after", "The token after", "→", true, |position, tokens| position + 1 >= tokens)}
            <span class="help">
                {move || place().map(|(position, tokens)| format!("token {} of {tokens}", position + 1))}
            </span>
        </div>
    }
}

/// How a token came to stand there, in sentences.
fn said(seen: &Seen) -> String {
    let Some(token) = &seen.token else {
        return "Nothing stands before it, so the model did not predict it.".to_string();
    };
    let TokenView { probability, rank, entropy_bits, draw, is_prompt, is_taken, chances, .. } = token;
    let likely = percent(*probability);
    let model = match entropy_bits.exp2().round() {
        ..=1.0 => format!("The model gave it {likely} (rank {rank}); it was sure, within {entropy_bits:.1} bits."),
        equal => format!(
            "The model gave it {likely} (rank {rank}); it was unsure by {entropy_bits:.1} bits, as between {equal} equally likely \
             tokens."
        ),
    };
    let drawn = match draw {
        _ if *is_prompt => " It is of the prompt.".to_string(),
        _ if *is_taken => " It was taken instead of one that is drawn.".to_string(),
        Some(draw) => format!(
            " After the settings its chance was {}; the drawn number {:.3} fell between {:.3} and {:.3}.",
            percent(chances.min_p),
            draw.fraction,
            draw.from,
            draw.to
        ),
        None => " At temperature 0 the likeliest is taken.".to_string(),
    };
    model + &drawn
}

#[component]
fn ViewButton(writing: Writing, view: (View, &'static str, &'static str)) -> impl IntoView {
    let (view, name, label) = view;
    view! {
        <button
            type="button"
            class="quiet"
            data-testid=name
            aria-pressed=move || (writing.inside.view.get() == view).to_string()
            on:click=move |_| writing.show_view(view)
        >
            {label}
        </button>
    }
}

/// The ten likeliest tokens, with their chances after each setting.
#[component]
fn Alternatives(writing: Writing) -> impl IntoView {
    let token = move || writing.inside.seen.with(|seen| seen.as_ref().and_then(|seen| seen.token.clone()));
    move || {
        token().map(|token| {
            let (position, id, can_take) = (token.position, token.id, !token.is_prompt);
            let row = move |alternative: Alternative| {
                view! { <Row writing position alternative is_own_of=id can_take /> }
            };
            view! {
                <div class="scrolls" tabindex="0" role="region" aria-label="The ten likeliest tokens">
                    <table class="alternatives">
                        <thead>
                            <tr>
                                <th scope="col">"token"</th>
                                <th scope="col">"model"</th>
                                {STAGES.map(|(name, _)| view! { <th scope="col">{name}</th> }).collect_view()}
                                <th scope="col"><span class="hidden-label">"Take it"</span></th>
                            </tr>
                        </thead>
                        <tbody>{token.alternatives.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
                {can_take.then(|| view! { <TakeText writing position /> })}
            }
        })
    }
}

#[component]
fn Row(writing: Writing, position: u32, alternative: Alternative, is_own_of: u32, can_take: bool) -> impl IntoView {
    let Alternative { id, text, probability, chances } = alternative;
    let cell = |number: f64| {
        view! {
            <td>
                <progress max="1" value=number.to_string() aria-hidden="true"></progress>
                <span class="number">{percent(number)}</span>
            </td>
        }
    };
    let take = move |_| writing.take(position, vec![id]);
    let name = format!("Take {} and go on from there", shown(&text));
    view! {
        <tr
            class:own=id == is_own_of
            data-testid="alternative"
            data-id=id
            data-probability=probability.to_string()
            data-chance=chances.min_p.to_string()
        >
            <th scope="row"><span class="token-text">{shown(&text)}</span></th>
            {cell(probability)}
            {STAGES.map(|(_, of)| cell(of(&chances))).collect_view()}
            <td>
                {(can_take && id != is_own_of).then(|| view! {
                    <button type="button" class="quiet" data-testid="take" aria-label=name disabled=move || writing.is_busy() on:click=take>
                        "Take"
                    </button>
                })}
            </td>
        </tr>
    }
}

/// Another text in the place of the token.
#[component]
fn TakeText(writing: Writing, position: u32) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let take = move |event: SubmitEvent| {
        event.prevent_default();
        if !text.with_untracked(String::is_empty) {
            writing.take_text(position, text.get_untracked());
        }
    };
    view! {
        <form class="take-text" on:submit=take>
            <label for="take-text">"Or write something else there"</label>
            <input
                id="take-text"
                data-testid="take-text"
                autocomplete="off"
                bind:value=text
            />
            <button type="submit" data-testid="take-typed" disabled=move || writing.is_busy()>"Go on from it"</button>
        </form>
    }
}

/// The numbers as a file.
#[component]
fn TakeAlong(writing: Writing) -> impl IntoView {
    let inside = writing.inside;
    let is_unfolded = RwSignal::new(false);
    let json = move || is_unfolded.get().then(|| inside.seen.with(|seen| seen.as_ref().map(json_of)));
    view! {
        <details class="more" data-testid="numbers" on:toggle:target=move |event| is_unfolded.set(event.target().open())>
            <summary>"The numbers as JSON"</summary>
            <button
                type="button"
                class="quiet"
                data-testid="save-numbers"
                on:click=move |_| {
                    let json = inside.seen.with_untracked(|seen| seen.as_ref().map(json_of)).unwrap_or_default();
                    save_text(&json, "inside.jsonl");
                }
            >
                "Save"
            </button>
            <pre class="json" data-testid="explain-json" tabindex="0">{json}</pre>
        </details>
    }
}

/// What is seen as JSON, one view a line, as `generate --explain --look` prints it.
fn json_of(seen: &Seen) -> String {
    let views = [View::Token, View::Lens, View::Attention, View::LookedAt];
    let lines = views.iter().filter_map(|view| seen.json.iter().find(|(of, _)| of == view));
    lines.map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
}
