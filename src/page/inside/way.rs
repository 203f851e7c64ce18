//! A token's way through the model: the drawing with its sizes, and how long the row of numbers is behind each part.

use leptos::prelude::*;

use super::super::architecture::{Sizes, drawing, parts};
use super::super::writing::Writing;
use crate::app::protocol::View;
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
            <ol>{move || norms().map(|norms| steps(writing, norms))}</ol>
        </div>
    }
}

/// How long the row is behind the embedding, and behind attention and MLP of each layer, which lead to their views.
fn steps(writing: Writing, norms: Norms) -> impl IntoView {
    let longest =
        norms.mlp.iter().chain(&norms.attention).copied().fold(norms.embedding, f32::max).max(f32::MIN_POSITIVE);
    let step = move |name: AnyView, norm: f32| {
        view! {
            <li>
                {name}
                <progress max="1" value=(norm / longest).to_string() aria-hidden="true"></progress>
                <span class="number">{format!("{norm:.1}")}</span>
            </li>
        }
    };
    let behind = move |layer: usize, part: &'static str, view: View, norm: f32| {
        let open = move |_| {
            writing.inside.head.set((layer, 0));
            writing.show_view(view);
        };
        let name = format!("Layer {}: {part}", layer + 1);
        step(view! { <button type="button" class="quiet" on:click=open>{name}</button> }.into_any(), norm)
    };
    let layers = norms.attention.iter().zip(&norms.mlp).enumerate().map(|(layer, (attention, mlp))| {
        (behind(layer, "attention", View::Attention, *attention), behind(layer, "MLP", View::Lens, *mlp))
    });
    (step("Embedding and position".into_any(), norms.embedding), layers.collect_view())
}
