//! Measures how fast bytes arrive. It averages over seconds, so that single packets do not show.

use std::collections::VecDeque;

/// Milliseconds over which the rate is averaged.
const WINDOW_MS: f64 = 6000.0;
/// Milliseconds before the first rate is given.
const LEAST_MS: f64 = 700.0;

/// Bytes that have arrived, over time.
#[derive(Clone, Debug, Default)]
pub struct TransferRate {
    /// Times in milliseconds, with the bytes that had arrived by then.
    marks: VecDeque<(f64, u64)>,
}

impl TransferRate {
    /// Notes that `bytes` have arrived in all by `now_ms`.
    pub fn mark(&mut self, now_ms: f64, bytes: u64) {
        // The count falls when a part is fetched again from its start.
        if self.marks.back().is_some_and(|(_, before)| *before > bytes) {
            self.marks.clear();
        }
        self.marks.push_back((now_ms, bytes));
        while self.marks.get(1).is_some_and(|(time, _)| now_ms - time >= WINDOW_MS) {
            self.marks.pop_front();
        }
    }

    /// Bytes per second; `None` during the first moments.
    pub fn bytes_per_second(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.marks.front()?, self.marks.back()?);
        (last - first >= LEAST_MS).then(|| (after - before) as f64 / (last - first) * 1000.0)
    }
}

/// The time that is left, in words; `None` if nothing arrives.
pub fn time_left(bytes: u64, bytes_per_second: f64) -> Option<String> {
    let seconds = bytes as f64 / bytes_per_second;
    Some(match seconds {
        _ if !seconds.is_finite() => return None,
        ..60.0 => format!("{:.0} s left", seconds.ceil()),
        60.0..5400.0 => format!("{:.0} min left", (seconds / 60.0).ceil()),
        _ => format!("{:.1} h left", seconds / 3600.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_too_early() {
        let mut rate = TransferRate::default();
        rate.mark(0.0, 0);
        rate.mark(600.0, 1000);
        assert_eq!(rate.bytes_per_second(), None);
        rate.mark(1000.0, 2000);
        assert_eq!(rate.bytes_per_second(), Some(2000.0));
    }

    #[test]
    fn the_pace_follows_the_last_seconds() {
        let mut rate = TransferRate::default();
        for second in 0..=20 {
            // 1000 bytes per second at first, 5000 from the tenth second on.
            let bytes = 1000 * second + 4000 * u64::saturating_sub(second, 10);
            rate.mark(1000.0 * second as f64, bytes);
        }
        assert_eq!(rate.bytes_per_second(), Some(5000.0));
        rate.mark(30_000.0, 70_000);
        assert_eq!(rate.bytes_per_second(), Some((70_000.0 - 60_000.0) / 10.0));
    }

    #[test]
    fn bytes_taken_back_start_it_anew() {
        let mut rate = TransferRate::default();
        for (time, bytes) in [(0.0, 0), (1000.0, 9000), (2000.0, 4000), (3000.0, 6000)] {
            rate.mark(time, bytes);
        }
        assert_eq!(rate.bytes_per_second(), Some(2000.0));
    }

    #[test]
    fn time_left_is_in_words() {
        let left = |bytes, speed| time_left(bytes, speed).unwrap_or_default();
        assert_eq!(left(100, 10.0), "10 s left");
        assert_eq!(left(549_603_790, 1e6), "10 min left");
        assert_eq!(left(549_603_790, 5e4), "3.1 h left");
        assert_eq!(left(5, 0.0), "");
    }
}
