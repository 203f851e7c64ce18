//! What a token looks back at, and what looks back at it: every head as a small picture, one of them on the text itself.

use std::fmt::Write;

use leptos::prelude::*;

use super::super::saving::save_text;
use super::super::seen::Seen;
use super::super::writing::Writing;
use crate::model::Part;

/// Columns of a head's picture; of more weights the greatest of each column's is drawn.
const COLUMNS: usize = 48;
const HEIGHT: f32 = 16.0;

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
    Effect::new(move |_| writing.paint_attention());
    on_cleanup(move || writing.paint_no_attention());
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
                <button
                    type="button"
                    class="quiet"
                    data-testid="save-picture"
                    on:click=move |_| layers.with_untracked(|layers| save_text(&picture(layers), "attention.svg"))
                >
                    "Save the picture"
                </button>
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

/// All heads as a picture of their own.
fn picture(layers: &[Vec<Vec<f32>>]) -> String {
    let (across, down) = (COLUMNS as f32 + 8.0, HEIGHT + 8.0);
    let heads = layers.first().map_or(0, Vec::len);
    let (width, height) = (across * heads as f32 + 8.0, down * layers.len() as f32 + 8.0);
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\">");
    svg.push_str("<title>Attention: a row for each layer, a picture for each head</title>");
    svg.push_str("<rect width=\"100%\" height=\"100%\" fill=\"#fffefb\"/>");
    for (layer, heads) in layers.iter().enumerate() {
        for (head, weights) in heads.iter().enumerate() {
            let (x, y) = (8.0 + across * head as f32, 8.0 + down * layer as f32);
            let bars = bars(weights);
            write!(svg, "<path transform=\"translate({x} {y})\" fill=\"#4f6c1c\" d=\"M0 {HEIGHT}h{COLUMNS}{bars}\"/>")
                .ok();
        }
    }
    svg + "</svg>"
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
