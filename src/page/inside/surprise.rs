//! The text coloured by how surprising each token was.

use leptos::prelude::*;

use super::super::writing::Writing;
use super::highlight::Painter;
use crate::app::protocol::{LEVELS, Mark};

/// The switch, and what it says of the whole text.
#[component]
pub fn SurpriseSwitch(
    /// The writing whose text is coloured.
    writing: Writing,
) -> impl IntoView {
    let inside = writing.inside;
    view! {
        <label class="switch">
            <input
                type="checkbox"
                role="switch"
                data-testid="surprise"
                prop:checked=move || inside.marks_on.get()
                disabled=move || writing.summary().is_none()
                on:change:target=move |event| {
                    writing.mark(event.target().checked());
                    writing.paint_surprise();
                }
            />
            "Colour by surprise"
        </label>
        <span class="legend" hidden=move || !inside.marks_on.get() aria-hidden="true">
            "1 in "
            {[(1, "2"), (2, "8"), (3, "32"), (4, "256")]
                .map(|(level, chances)| view! { <span class=format!("legend-{level}")>{chances}</span> })
                .collect_view()}
        </span>
        <span class="help" data-testid="surprise-said" role="status">
            {move || inside.surprise.get().map(|surprise| format!(
                "{:.2} bits per character, perplexity {:.1} per token", surprise.bits_per_character, surprise.perplexity
            ))}
        </span>
    }
}

impl Writing {
    /// Shows on the text which token is looked at.
    pub fn paint_chosen(self) {
        let inside = self.inside;
        Effect::new(move |_| {
            let bytes = inside.seen.with(|seen| seen.as_ref().map(|seen| seen.place.bytes));
            let mut painter = Painter::default();
            if let Some((from, to)) = bytes.filter(|(from, to)| inside.is_open.get() && from < to)
                && let Some(range) = self.with_output(|output| output.range(from as usize, to as usize))
            {
                painter.add(("chosen", 1), range);
            }
            painter.show("chosen", 1);
        });
    }

    /// Takes the marks of what was just written.
    pub fn add_marks(self, marks: Vec<Mark>) {
        self.inside.marks.update_value(|all| all.extend(marks));
    }

    /// Colours what can be seen of the text.
    pub fn paint_surprise(self) {
        let inside = self.inside;
        let mut painter = Painter::default();
        if inside.marks_on.get_untracked() {
            let seen = self.with_output(|output| Ok(output.visible())).unwrap_or_default();
            let mut begin = inside.marked_from.get_value() as usize;
            inside.marks.with_value(|marks| {
                for mark in marks {
                    let end = begin.saturating_add(mark.bytes as usize);
                    let (from, to) = (begin.max(seen.start), end.min(seen.end));
                    if mark.level > 0
                        && from < to
                        && let Some(range) = self.with_output(|output| output.range(from, to))
                    {
                        painter.add(("surprise", mark.level), range);
                    }
                    if end > seen.end {
                        break;
                    }
                    begin = end;
                }
            });
        }
        painter.show("surprise", LEVELS as u8 - 1);
    }
}
