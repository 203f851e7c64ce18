//! Questions about the text that stands there: about a token, and about all of them.

use leptos::prelude::*;

use super::super::seen::MARKS;
use super::Writing;
use crate::app::protocol::{At, Request, View};

/// What a view asks for.
fn asked_by(view: View) -> View {
    if view == View::Way { View::Lens } else { view }
}

impl Writing {
    /// Looks at a token: what it is asked about it depends on the view that is open.
    pub fn look(self, at: At) {
        let inside = self.inside;
        if !self.has_text.get_untracked() || !untrack(|| self.hold()) {
            return;
        }
        inside.is_open.set(true);
        inside.problem.set(None);
        self.ask(at, View::Token);
        let view = asked_by(inside.view.get_untracked());
        if view != View::Token {
            self.ask(at, view);
        }
    }

    /// Opens a view of the token that is looked at.
    pub fn show_view(self, view: View) {
        self.inside.view.set(view);
        let Some(seen) = self.inside.seen.get_untracked() else { return };
        let is_there = match view {
            View::Token => true,
            View::Way => seen.lens.is_some(),
            View::Lens => seen.lens.is_some(),
            View::Attention => seen.attention.is_some(),
            View::LookedAt => seen.looked_at.is_some(),
        };
        if !is_there && untrack(|| self.hold()) {
            self.ask(At::Position(seen.place.position), asked_by(view));
        }
    }

    /// Looks at the next token, or the one before.
    pub fn look_beside(self, forwards: bool) {
        let place =
            self.inside.seen.with_untracked(|seen| seen.as_ref().map(|seen| (seen.place.position, seen.place.tokens)));
        let beside = match place {
            Some((position, tokens)) if forwards && position + 1 < tokens => position + 1,
            Some((position, _)) if !forwards && position > 0 => position - 1,
            _ => return,
        };
        self.look(At::Position(beside));
    }

    fn ask(self, at: At, view: View) {
        let inside = self.inside;
        let run = self.engine.begin(
            move |run| Request::Look { run, at, view },
            move |run, event| {
                if inside.is_newest(view as usize, run) {
                    inside.hear(view, event);
                }
            },
        );
        inside.newest.update_value(|newest| newest[view as usize] = run);
    }

    /// Marks the text by surprise, or no more.
    pub fn mark(self, on: bool) {
        self.inside.marks_on.set(on);
        self.inside.surprise.set(None);
        if on && self.has_text.get_untracked() && !untrack(|| self.is_busy()) && untrack(|| self.hold()) {
            return self.mark_whole();
        }
        self.inside.marks.set_value(Vec::new());
        self.inside.marked_from.set_value(u32::MAX);
        self.engine.send(Request::Mark { run: 0, on });
    }

    /// Marks all of the text that stands there.
    pub(super) fn mark_whole(self) {
        let inside = self.inside;
        let run = self.engine.begin(
            move |run| Request::Mark { run, on: true },
            move |run, event| {
                if inside.is_newest(MARKS, run) {
                    inside.hear_marks(event);
                    self.repaint();
                }
            },
        );
        inside.newest.update_value(|newest| newest[MARKS] = run);
    }
}
