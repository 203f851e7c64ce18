//! The seed: drawn anew for each text, unless the reader typed it or an address gave it.

use leptos::prelude::*;

use super::Writing;

impl Writing {
    /// Draws another seed.
    pub fn draw_seed(self) {
        let seed = drawn_seed();
        self.drawn.set((seed.clone(), false));
        self.form.field("seed").edit(seed);
    }

    /// Whether the seed was drawn, and the next text gets another.
    pub fn is_seed_drawn(self) -> bool {
        let seed = self.form.field("seed").text.get();
        self.drawn.with(|(drawn, is_used)| *drawn == seed && *is_used)
    }

    /// Draws a seed where there is none, or one that was drawn for an earlier text. One that was typed, or came with an
    /// address, stays.
    pub(super) fn have_seed(self) {
        let seed = self.form.field("seed").text;
        if seed.get_untracked().trim().is_empty() || untrack(|| self.is_seed_drawn()) {
            let drawn = drawn_seed();
            self.drawn.set((drawn.clone(), false));
            seed.set(drawn);
        }
    }
}

/// A seed at random. The system's random numbers may fail; then 0 is as good as any.
fn drawn_seed() -> String {
    getrandom::u32().unwrap_or_default().to_string()
}
