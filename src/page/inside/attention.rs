//! What a token looks back at, and what looks back at it: every head as a small picture, one of them on the text itself.

use std::fmt::Write;

use leptos::prelude::*;

use super::super::writing::Writing;
use super::highlight::Painter;
use super::{Inside, Seen};
use crate::model::Part;

/// Columns of a head's picture; of more weights the greatest of each column's is drawn.
const COLUMNS: usize = 48;
const HEIGHT: f32 = 16.0;
/// Levels in which weights stand on the text.
const LEVELS: u8 = 4;
/// The share of the greatest weight from which on each level begins.
const FROM: [f32; LEVELS as usize] = [0.08, 0.25, 0.5, 0.8];

/// All heads of all layers; `is_back` is what the token looks back at.
#[component]
pub fn Attention(writing: Writing, is_back: bool) -> impl IntoView {
    let inside = writing.inside;
    let help = match is_back {
        true => {
            "How much of each earlier token every head takes; a bar for each, the oldest on the left. Choose a head to see it on the text."
        }
        false => "How much every later token of the window takes of this one. Choose a head to see it on the text.",
    };
    Effect::new(move |_| writing.paint_attention(is_back));
    on_cleanup(|| Painter::default().show("attention", LEVELS));
    let layers = Memo::new(move |_| inside.seen.with(|seen| weights(seen.as_ref(), is_back)));
    let row = move |(layer, heads): (usize, Vec<Vec<f32>>)| {
        let heads = heads.into_iter().enumerate();
        let heads = heads.map(|(head, weights)| view! { <Head writing layer head weights /> }).collect_view();
        view! {
            <tr>
                <th scope="row">{format!("layer {}", layer + 1)}</th>
                {heads}
                <td><Switch writing part=Part::Mlp { layer: layer as u32 } /></td>
            </tr>
        }
    };
    view! {
        <div class="attention" data-testid="attention">
            <p class="help">{help}</p>
            <div class="scrolls" tabindex="0" role="region" aria-label="All heads of all layers">
                <table>
                    <tbody>{move || layers.get().into_iter().enumerate().map(row).collect_view()}</tbody>
                </table>
            </div>
            <p class="actions">
                <SwitchChosen writing />
                <span class="help" data-testid="off-said">{move || writing.off_sentence()}</span>
            </p>
        </div>
    }
}

/// The weights of all heads.
fn weights(seen: Option<&Seen>, is_back: bool) -> Vec<Vec<Vec<f32>>> {
    let layers = match (seen, is_back) {
        (Some(Seen { attention: Some((view, _)), .. }), true) => &view.layers,
        (Some(Seen { looked_at: Some((view, _)), .. }), false) => &view.layers,
        _ => return Vec::new(),
    };
    layers.clone()
}

#[component]
fn Head(writing: Writing, layer: usize, head: usize, weights: Vec<f32>) -> impl IntoView {
    let inside = writing.inside;
    let numbers = weights.iter().map(|weight| format!("{weight}")).collect::<Vec<_>>().join(",");
    let greatest = weights.iter().copied().fold(0.0, f32::max);
    let name = format!("layer {}, head {}: at most {:.0} %", layer + 1, head + 1, greatest * 100.0);
    view! {
        <td>
            <button
                type="button"
                class="head"
                data-testid="head"
                data-layer=layer
                data-head=head
                data-weights=format!("[{numbers}]")
                aria-label=name.clone()
                title=name
                aria-pressed=move || (inside.head.get() == (layer, head)).to_string()
                class:off=move || writing.is_off(Part::Head { layer: layer as u32, head: head as u32 })
                on:click=move |_| inside.head.set((layer, head))
            >
                <svg viewBox=format!("0 0 {COLUMNS} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                    <path d=bars(&weights) />
                </svg>
            </button>
        </td>
    }
}

/// The weights as bars, the greatest as high as the picture.
fn bars(weights: &[f32]) -> String {
    let columns = weights.len().clamp(1, COLUMNS);
    let greatest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let mut path = String::new();
    for column in 0..columns {
        let part = &weights[column * weights.len() / columns..(column + 1) * weights.len() / columns];
        let height = part.iter().copied().fold(0.0, f32::max) / greatest * HEIGHT;
        if height >= 0.25 {
            let width = COLUMNS as f32 / columns as f32;
            let x = column as f32 * width;
            write!(path, "M{x:.1} {HEIGHT}v-{height:.1}h{:.1}v{height:.1}z", width * 0.9).ok();
        }
    }
    path
}

/// Switches the chosen head off or on.
#[component]
fn SwitchChosen(writing: Writing) -> impl IntoView {
    let part = move || {
        let (layer, head) = writing.inside.head.get();
        Part::Head { layer: layer as u32, head: head as u32 }
    };
    let label = move || {
        let (layer, head) = writing.inside.head.get();
        let verb = if writing.is_off(part()) { "on" } else { "off" };
        format!("Switch {verb} head {} of layer {}", head + 1, layer + 1)
    };
    view! {
        <button
            type="button"
            data-testid="switch-head"
            disabled=move || writing.is_busy()
            on:click=move |_| writing.switch(untrack(part))
        >
            {label}
        </button>
    }
}

/// Switches a layer's MLP off or on.
#[component]
fn Switch(writing: Writing, part: Part) -> impl IntoView {
    view! {
        <button
            type="button"
            class="quiet mlp"
            data-testid="switch-mlp"
            aria-pressed=move || writing.is_off(part).to_string()
            title="Whether this layer's MLP is switched off"
            disabled=move || writing.is_busy()
            on:click=move |_| writing.switch(part)
        >
            {move || if writing.is_off(part) { "MLP off" } else { "MLP" }}
        </button>
    }
}

impl Writing {
    /// Shows the chosen head's weights on the text.
    fn paint_attention(self, is_back: bool) {
        let Inside { seen, head, .. } = self.inside;
        let (layer, head) = head.get();
        let mut painter = Painter::default();
        seen.with(|seen| {
            let Some(seen) = seen else { return };
            let (layers, bounds) = match (&seen.attention, &seen.looked_at, is_back) {
                (Some((view, bounds)), _, true) => (&view.layers, bounds),
                (_, Some((view, bounds)), false) => (&view.layers, bounds),
                _ => return,
            };
            let Some(weights) = layers.get(layer).and_then(|heads| heads.get(head)) else { return };
            let greatest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            for (weight, place) in weights.iter().zip(bounds.windows(2)) {
                let level = FROM.iter().take_while(|from| weight / greatest >= **from).count() as u8;
                let range = (level > 0 && place[0] < place[1])
                    .then(|| self.with_output(|output| output.range(place[0] as usize, place[1] as usize)))
                    .flatten();
                if let Some(Some(range)) = range.map(Some) {
                    painter.add(("attention", level), range);
                }
            }
        });
        painter.show("attention", LEVELS);
    }
}
