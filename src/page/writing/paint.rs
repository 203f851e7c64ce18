//! What stands on the text: which token is looked at, how surprising each is, what a head looks at.

use leptos::prelude::*;

use super::super::highlight::Painter;
use super::super::seen::Inside;
use super::Writing;
use crate::app::protocol::{LEVELS, Mark, View};

/// Levels in which weights stand on the text.
const WEIGHTS: u8 = 4;
/// The share of the greatest weight from which on each level begins.
const FROM: [f32; WEIGHTS as usize] = [0.08, 0.25, 0.5, 0.8];

impl Writing {
    /// Colours the text anew in the next frame.
    pub fn repaint(self) {
        if !self.inside.marks_on.get_untracked() && !self.inside.is_open.get_untracked() {
            return;
        }
        if self.repaints.try_update_value(|repaints| std::mem::replace(repaints, true)) == Some(false) {
            request_animation_frame(move || {
                self.repaints.set_value(false);
                self.paint_surprise();
                untrack(|| self.paint_attention());
            });
        }
    }

    /// Shows on the text which token is looked at.
    pub fn paint_chosen(self) {
        let inside = self.inside;
        Effect::new(move |_| {
            let bytes = inside.seen.with(|seen| seen.as_ref().map(|seen| seen.place.bytes));
            let mut painter = Painter::default();
            if let Some((from, to)) = bytes.filter(|(from, to)| inside.is_open.get() && from < to)
                && let Some(range) = self.with_output(|output| output.range(from as usize, to as usize))
            {
                painter.add(1, range);
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
                        painter.add(mark.level, range);
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

    /// Shows the chosen head's weights on what can be seen of the text.
    pub fn paint_attention(self) {
        let Inside { seen, head, view, .. } = self.inside;
        let (layer, head) = head.get();
        let is_back = match view.get() {
            View::Attention => true,
            View::LookedAt => false,
            _ => return,
        };
        let visible = self.with_output(|output| Ok(output.visible())).unwrap_or_default();
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
                let (from, to) = ((place[0] as usize).max(visible.start), (place[1] as usize).min(visible.end));
                if level > 0
                    && from < to
                    && let Some(range) = self.with_output(|output| output.range(from, to))
                {
                    painter.add(level, range);
                }
            }
        });
        painter.show("attention", WEIGHTS);
    }

    /// Shows no head's weights.
    pub fn paint_no_attention(self) {
        Painter::default().show("attention", WEIGHTS);
    }
}
