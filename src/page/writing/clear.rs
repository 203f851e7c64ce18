//! The text is removed, and brought back.

use leptos::prelude::*;

use super::super::phase::RunState;
use super::{Begun, Writing};
use crate::app::protocol::Stats;
use crate::generation::StopReason;

/// A text that was cleared, with all that was known of it.
#[derive(Clone, Debug)]
pub(super) struct Cleared {
    contents: (String, usize),
    run: RunState,
    stats: Option<Stats>,
    text: Option<Begun>,
    remark: Option<String>,
    can_continue: bool,
}

impl Writing {
    /// Removes the text that was written. It can be brought back until another is begun.
    pub fn clear(self) {
        let can_continue = self.can_continue.get_untracked();
        self.stop();
        let run = match self.run.get_untracked() {
            RunState::Writing => RunState::Ended(StopReason::Stopped),
            run => run,
        };
        self.cleared.set(self.has_text.get_untracked().then(|| Cleared {
            contents: self.with_output(|output| Ok(output.contents())).unwrap_or_default(),
            run,
            stats: self.stats.get_untracked(),
            text: self.text.get_untracked(),
            remark: self.remark.get_untracked(),
            can_continue,
        }));
        self.number.set_value(0);
        self.rewrite("");
        self.run.set(RunState::None);
        self.stats.set(None);
        self.remark.set(None);
        self.can_continue.set(false);
        self.text.set(None);
    }

    /// A text that was cleared cannot be gone on with any more, once it is brought back.
    pub(super) fn forget_continuation(self) {
        self.cleared.update_untracked(|cleared| {
            if let Some(cleared) = cleared {
                cleared.can_continue = false;
            }
        });
    }

    /// Whether a text that was cleared can be brought back.
    pub fn can_restore(self) -> bool {
        self.cleared.with(Option::is_some)
    }

    /// Brings back the text that was cleared last.
    pub fn restore(self) {
        let Some(cleared) = self.cleared.try_update(Option::take).flatten() else { return };
        self.with_output(|output| output.put_back(cleared.contents));
        self.has_text.set(true);
        self.run.set(cleared.run);
        self.stats.set(cleared.stats);
        self.text.set(cleared.text);
        self.remark.set(cleared.remark);
        self.can_continue.set(cleared.can_continue);
    }
}
