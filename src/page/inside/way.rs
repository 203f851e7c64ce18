//! A token's way through the model: the drawing with its sizes, and how long the row of numbers is behind each part.

use leptos::prelude::*;

use super::super::architecture::{Sizes, drawing, parts};
use super::super::writing::Writing;
use crate::app::protocol::{ModelSummary, View};
use crate::explain::Norms;

/// The views that show the parts of the architecture, downwards.
const SHOWN_IN: [View; 7] =
    [View::Token, View::Lens, View::Attention, View::Attention, View::Lens, View::Lens, View::Token];

/// The parts in the order in which a token passes them. Each leads to what there is to see of it.
#[component]
pub fn Way(
    /// The writing whose text is looked at.
    writing: Writing,
) -> impl IntoView {
    let norms = move || {
        writing.inside.seen.with(|seen| {
            let seen = seen.as_ref()?;
            let of_lens = seen.lens.as_ref().map(|view| view.norms.clone());
            of_lens.or_else(|| seen.attention.as_ref().map(|(view, _)| view.norms.clone()))
        })
    };
    let lead = move |index: usize, name: &'static str| {
        let view = SHOWN_IN[index];
        view! { <button type="button" class="quiet" on:click=move |_| writing.show_view(view)>{name}</button> }
            .into_any()
    };
    view! {
        <div class="way" data-testid="way">
            <p class="help">
                "Attention and MLP only add to the row of numbers that a token becomes. The bars are its length (Euclidean norm) behind each."
            </p>
            <div class="inside">
                {parts(lead)}
                <figure
                    class="architecture"
                    inner_html=move || writing.summary().map(|summary| drawing(&[Sizes::of(&summary)], &norms().unwrap_or_default()))
                ></figure>
            </div>
            <ol>{move || writing.summary().map(|summary| steps(writing, summary, norms()))}</ol>
        </div>
    }
}

fn steps(writing: Writing, summary: ModelSummary, norms: Option<Norms>) -> impl IntoView {
    let ModelSummary { layers, heads, n_embd, vocabulary_size, context, .. } = summary;
    let norms = norms.unwrap_or_default();
    let longest =
        norms.mlp.iter().chain(&norms.attention).copied().fold(norms.embedding, f32::max).max(f32::MIN_POSITIVE);
    let part = move |name: String, says: String, view: Option<(View, Option<usize>)>, norm: Option<f32>| {
        let open = move |_| {
            if let Some((view, layer)) = view {
                if let Some(layer) = layer {
                    writing.inside.head.set((layer, 0));
                }
                writing.show_view(view);
            }
        };
        view! {
            <li>
                <button type="button" class="quiet" disabled=view.is_none() on:click=open>{name}</button>
                <span class="help">{says}</span>
                {norm.map(|norm| view! {
                    <progress max="1" value=(norm / longest).to_string() aria-hidden="true"></progress>
                    <span class="number">{format!("{norm:.1}")}</span>
                })}
            </li>
        }
    };
    let embedding = part(
        "Embedding and position".into(),
        format!("one of {vocabulary_size} tokens at one of {context} positions becomes {n_embd} numbers"),
        None,
        Some(norms.embedding).filter(|norm| *norm > 0.0),
    );
    let blocks = (0..layers as usize).map(|layer| {
        let of = |norms: &[f32]| norms.get(layer).copied();
        let attention = part(
            format!("Layer {}: attention", layer + 1),
            format!("{heads} heads look back at earlier tokens"),
            Some((View::Attention, Some(layer))),
            of(&norms.attention),
        );
        let mlp = part(
            format!("Layer {}: MLP", layer + 1),
            "works on the token by itself".into(),
            Some((View::Lens, None)),
            of(&norms.mlp),
        );
        (attention, mlp)
    });
    let blocks = blocks.collect_view();
    let head = part(
        "Norm and head".into(),
        format!("compares the row with {vocabulary_size} tokens: a score for each"),
        Some((View::Lens, None)),
        None,
    );
    let sampler = part("Sampler".into(), "draws one of them, by the settings".into(), Some((View::Token, None)), None);
    (embedding, blocks, head, sampler)
}
