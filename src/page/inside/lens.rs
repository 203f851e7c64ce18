//! What the model would have said after each layer.

use leptos::prelude::*;

use super::super::writing::Writing;
use super::words::{percent, shown};
use crate::explain::{LensView, Likely};

/// The five likeliest after the embedding and after each layer, the last layer first.
#[component]
pub fn Lens(writing: Writing) -> impl IntoView {
    let lens = move || writing.inside.seen.with(|seen| seen.as_ref().and_then(|seen| seen.lens.clone()));
    view! {
        <div class="lens" data-testid="lens">
            <p class="help">
                "The head, applied after each layer: how the next token takes shape on its way up (logit lens, nostalgebraist 2020)."
            </p>
            {move || lens().map(table)}
        </div>
    }
}

fn table(lens: LensView) -> impl IntoView {
    let likely = |likely: &Likely| {
        view! {
            <td>
                <span class="token-text">{shown(&likely.text)}</span>
                <progress max="1" value=likely.probability.to_string() aria-hidden="true"></progress>
                <span class="number">{percent(likely.probability)}</span>
            </td>
        }
    };
    let row = |(layer, row): (usize, &Vec<Likely>)| {
        let name = if layer == 0 { "embedding".to_string() } else { format!("layer {layer}") };
        let list = |of: fn(&Likely) -> String| format!("[{}]", row.iter().map(of).collect::<Vec<_>>().join(","));
        view! {
            <tr
                data-testid="layer"
                data-layer=layer
                data-ids=list(|likely| likely.id.to_string())
                data-probabilities=list(|likely| likely.probability.to_string())
            >
                <th scope="row">{name}</th>
                {row.iter().map(likely).collect_view()}
            </tr>
        }
    };
    let rows = lens.layers.iter().enumerate().rev().map(row).collect_view();
    view! {
        <div class="scrolls" tabindex="0" role="region" aria-label="The five likeliest tokens after each layer">
            <table>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
