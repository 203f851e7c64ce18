//! The drawing of the architecture, with the sizes of the models that it is about, and what each part is for.

use std::fmt::Write;

use leptos::prelude::*;

use crate::app::numbers::grouped;
use crate::app::protocol::ModelSummary;
use crate::explain::Norms;
use crate::tokenizer::Vocabulary;

/// What the drawing has in common for all models: parts and arrows, in its left column. It takes its colours from the style
/// sheet, for both colour schemes.
const COMMON: &str = include_str!("architecture.svg");
const HEIGHT: u32 = 632;
/// Where the first model's column begins, how wide one is, and how far it is to the next.
const FIRST: u32 = 152;
const COLUMN: u32 = 102;
const NEXT: u32 = 106;
/// The middles of the residual sums behind attention and MLP, and how high a bar beside them can be.
const SUMS: [(u32, &str); 2] = [(261, "attention"), (393, "MLP")];
const BAR: f32 = 24.0;

/// The parts of the drawing, downwards, and what each is for.
const PARTS: [(&str, &str); 7] = [
    ("Tokens", "The text, cut into pieces that the model knows: characters, or parts of words."),
    ("Embedding and positions", "Each token becomes a row of numbers: what it is, plus where it stands."),
    (
        "Attention",
        "Each token looks back at those before it and takes what it needs; every head looks for something else.",
    ),
    ("MLP", "Each token, by itself, is worked on with what the model has learned."),
    (
        "Residual sums",
        "Attention and MLP only add to the row, so nothing is lost; layer norms keep the numbers in bounds.",
    ),
    ("Head", "The last row is compared with every token’s embedding: a score for each that could come next."),
    ("Sampler", "One of them is drawn and appended, and everything begins again."),
];

/// A model's name and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// Its name.
    pub title: String,
    /// Its vocabulary.
    pub vocabulary: Vocabulary,
    /// Tokens there are.
    pub vocabulary_size: u32,
    /// The longest window, in tokens.
    pub context: u32,
    /// Blocks.
    pub layers: u32,
    /// Attention heads in each.
    pub heads: u32,
    /// Length of a token's row.
    pub n_embd: u32,
    /// Width of the MLP's hidden layer.
    pub n_inner: u32,
    /// Weights in all.
    pub parameters: u64,
}

impl Sizes {
    /// pearGPT's and GPT-2's.
    pub fn shipped() -> [Sizes; 2] {
        [
            Sizes {
                title: "pearGPT".into(),
                vocabulary: Vocabulary::Characters,
                vocabulary_size: 65,
                context: 256,
                layers: 8,
                heads: 5,
                n_embd: 320,
                n_inner: 1280,
                parameters: 9_967_040,
            },
            Sizes {
                title: "GPT-2".into(),
                vocabulary: Vocabulary::BytePairs,
                vocabulary_size: 50_257,
                context: 1024,
                layers: 12,
                heads: 12,
                n_embd: 768,
                n_inner: 3072,
                parameters: 124_439_808,
            },
        ]
    }

    /// An open model's.
    pub fn of(summary: &ModelSummary) -> Self {
        let ModelSummary { ref title, vocabulary, vocabulary_size, context, layers, heads, n_embd, parameters, .. } =
            *summary;
        // The shape has it behind the layers and the width: `8x320x1280x5x65`.
        let n_inner = summary.shape.split('x').nth(2).and_then(|width| width.parse().ok()).unwrap_or(4 * n_embd);
        Sizes { title: title.clone(), vocabulary, vocabulary_size, context, layers, heads, n_embd, n_inner, parameters }
    }

    fn unit(&self) -> &'static str {
        match self.vocabulary {
            Vocabulary::Characters => "character",
            Vocabulary::BytePairs => "piece",
        }
    }

    /// What stands beside the parts: the height of each line, its class, and the line.
    fn lines(&self) -> [(f32, &'static str, String); 11] {
        let [vocabulary, context, width, inner] =
            [self.vocabulary_size, self.context, self.n_embd, self.n_inner].map(|size| grouped(u64::from(size)));
        [
            (57.5, "", format!("{vocabulary} {}s", self.unit())),
            (101.0, "", format!("{vocabulary} × {width}")),
            (117.0, "", format!("{context} × {width}")),
            (162.0, "arch-strong", format!("{} blocks", self.layers)),
            (214.0, "", format!("{} heads", self.heads)),
            (230.0, "", format!("{} wide", self.n_embd / self.heads.max(1))),
            (348.5, "", format!("{width} → {inner}")),
            (364.5, "", format!("→ {width}")),
            (492.5, "", format!("{vocabulary} scores")),
            (544.5, "", format!("1 {}", self.unit())),
            (597.0, "arch-strong", grouped(self.parameters)),
        ]
    }

    fn sentence(&self) -> String {
        let Sizes { vocabulary_size, context, layers, heads, n_embd, parameters, .. } = self;
        let unit = self.unit();
        format!(
            "{layers} blocks, {heads} heads, {n_embd} wide, {vocabulary_size} {unit}s, context {context}, {parameters} weights. "
        )
    }
}

/// The drawing as SVG. Titles are readers' words: they are escaped. Bars beside the sums show `norms`, layer by layer.
pub fn drawing(models: &[Sizes], norms: &Norms) -> String {
    let width = FIRST + NEXT * models.len() as u32 - (NEXT - COLUMN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-labelledby=\"arch-title arch-desc\">\
         <title id=\"arch-title\">The architecture</title><desc id=\"arch-desc\">Tokens are embedded and added to their positions; \
         then come blocks of layer norm, attention, residual sum, layer norm, MLP and residual sum; then a last layer norm, the \
         head, and the sampler, whose token is appended to the text. "
    );
    for model in models {
        svg.extend([&escaped(&model.title), ": ", &model.sentence()]);
    }
    svg.push_str("</desc>");
    for column in 0..models.len() as u32 {
        let x = FIRST + NEXT * column;
        write!(svg, "<rect class=\"arch-band\" x=\"{x}\" y=\"0\" width=\"{COLUMN}\" height=\"{HEIGHT}\" rx=\"8\"/>")
            .ok();
    }
    svg.push_str(COMMON);
    for (column, model) in models.iter().enumerate() {
        add_column(&mut svg, FIRST + NEXT * column as u32 + COLUMN / 2, model);
    }
    add_norms(&mut svg, norms);
    svg + "</svg>"
}

fn add_column(svg: &mut String, middle: u32, model: &Sizes) {
    let title = escaped(&model.title.chars().take(14).collect::<String>());
    write!(svg, "<g class=\"arch-size\"><text class=\"arch-name\" x=\"{middle}\" y=\"23\">{title}</text>").ok();
    for (y, class, line) in model.lines() {
        write!(svg, "<text class=\"{class}\" x=\"{middle}\" y=\"{y}\">{line}</text>").ok();
    }
    write!(svg, "<text x=\"{middle}\" y=\"613\">weights</text></g>").ok();
}

/// The bars of the first model's column.
fn add_norms(svg: &mut String, norms: &Norms) {
    let longest = norms.mlp.iter().chain(&norms.attention).copied().fold(f32::MIN_POSITIVE, f32::max);
    for ((middle, name), norms) in SUMS.into_iter().zip([&norms.attention, &norms.mlp]) {
        let (step, bottom) = ((COLUMN - 14) as f32 / norms.len().max(1) as f32, middle as f32 + BAR / 2.0);
        for (layer, norm) in norms.iter().enumerate() {
            let (x, height) = ((FIRST + 7) as f32 + step * layer as f32, norm / longest * BAR);
            let (y, width, layer) = (bottom - height, step * 0.7, layer + 1);
            write!(
                svg,
                "<rect class=\"arch-bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
                 <title>behind {name} of layer {layer}: {norm:.1}</title></rect>"
            )
            .ok();
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// What each part is for; `lead` makes a way to what there is to see of it out of its name and its number, downwards.
pub fn parts(lead: impl Fn(usize, &'static str) -> AnyView) -> impl IntoView {
    let part = |(index, (name, what)): (usize, (&'static str, &'static str))| {
        view! { <div><dt>{lead(index, name)}</dt><dd>{what}</dd></div> }
    };
    view! { <dl class="parts">{PARTS.into_iter().enumerate().map(part).collect_view()}</dl> }
}
