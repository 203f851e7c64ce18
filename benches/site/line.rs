//! A line of a fixed rate.

use std::time::{Duration, Instant};

/// 10 Mbit/s.
pub const BYTES_PER_SECOND: f64 = 10e6 / 8.0;

/// What a sender that was woken late may catch up; more idle time than this is lost.
const SLACK: Duration = Duration::from_millis(5);

/// When the line has taken all that was given to it.
pub struct Line(Instant);

impl Line {
    /// A line that is free from `now` on.
    pub fn new(now: Instant) -> Self {
        Line(now)
    }

    /// When bytes that are given to it now will all be through.
    pub fn take(&mut self, now: Instant, bytes: usize) -> Instant {
        let begin = now.checked_sub(SLACK).map_or(self.0, |earliest| self.0.max(earliest));
        self.0 = begin + Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND);
        self.0
    }
}
