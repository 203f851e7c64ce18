//! Estimates what the `exact` window costs, before the run.

use super::numbers::duration;
use crate::generation::{Settings, Window};
use crate::tokenizer::Vocabulary;

/// The cost of a run with the `exact` window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Rows that go through the model, as a multiple of those that `rolling` needs.
    pub times_slower: f64,
    /// Rows that go through the model.
    pub rows: f64,
}

/// The cost; `None` if the run has another window, or stays within the context. `prompt_tokens` may be an estimate.
pub fn exact(settings: &Settings, prompt_tokens: u32, context: u32, vocabulary: Vocabulary) -> Option<Estimate> {
    // Tiny Shakespeare has 5.5 characters per word, with its spaces; English has 1.3 byte pairs per word.
    let tokens_per_word = match vocabulary {
        Vocabulary::Characters => 5.5,
        Vocabulary::BytePairs => 1.3,
    };
    let tokens = settings.tokens.map_or(f64::from(settings.words) * tokens_per_word, f64::from);
    let past = f64::from(prompt_tokens) + tokens - f64::from(context);
    if settings.window != Window::Exact || past <= 0.0 {
        return None;
    }
    let past = past.min(tokens);
    let within = tokens - past;
    let rows = within + past * f64::from(context);
    // After every half context that is written, `rolling` computes half a context again: one more row per token.
    let rolling_rows = within + past * 2.0;
    Some(Estimate { times_slower: rows / rolling_rows, rows })
}

impl Estimate {
    /// The cost as a sentence; `rows_per_second` is the speed that was measured, if any. Prefill is faster than
    /// decoding, so the time is an upper bound.
    pub fn sentence(&self, context: u32, rows_per_second: Option<f64>) -> String {
        let work = format!(
            "The exact window computes the last {context} tokens anew for each one: about {:.0} times the work of rolling",
            self.times_slower
        );
        match rows_per_second.filter(|speed| *speed > 0.0) {
            Some(speed) => format!("{work}, at most {} at the speed of the last run.", duration(self.rows / speed)),
            None => format!("{work}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: u32, window: Window) -> Settings {
        Settings { words, window, ..Settings::defaults(Vocabulary::Characters) }
    }

    #[test]
    fn nothing_is_said_where_nothing_is_recomputed() {
        assert_eq!(exact(&settings(200, Window::Rolling), 0, 256, Vocabulary::Characters), None);
        assert_eq!(exact(&settings(40, Window::Exact), 36, 256, Vocabulary::Characters), None);
        assert!(exact(&settings(40, Window::Exact), 37, 256, Vocabulary::Characters).is_some());
        assert_eq!(exact(&settings(500, Window::Exact), 0, 1024, Vocabulary::BytePairs), None);
    }

    #[test]
    fn the_price_counts_rows() {
        // 200 words are 1100 characters. 100 of them fill the rest of the context. The other 1000 cost 256 rows each,
        // or 2 with `rolling`.
        let estimate = exact(&settings(200, Window::Exact), 156, 256, Vocabulary::Characters).unwrap();
        assert_eq!(estimate.rows, 100.0 + 256_000.0);
        assert_eq!(estimate.times_slower, 256_100.0 / 2_100.0);
        // With a prompt longer than the context, each token is recomputed, but not more than once.
        let estimate = exact(&settings(2, Window::Exact), 9999, 256, Vocabulary::Characters).unwrap();
        assert_eq!(estimate.rows, 11.0 * 256.0);
    }

    #[test]
    fn an_exact_number_of_tokens_counts_instead_of_words() {
        let settings = Settings { tokens: Some(1100), ..settings(1, Window::Exact) };
        let estimate = exact(&settings, 156, 256, Vocabulary::Characters).unwrap();
        assert_eq!(estimate.rows, 100.0 + 256_000.0);
    }

    #[test]
    fn the_price_is_a_sentence() {
        let estimate = Estimate { times_slower: 121.95, rows: 256_100.0 };
        let work =
            "The exact window computes the last 256 tokens anew for each one: about 122 times the work of rolling";
        assert_eq!(estimate.sentence(256, None), format!("{work}."));
        for (speed, time) in [(1000.0, "4 minutes"), (10_000.0, "26 s"), (1e9, "1 s"), (10.0, "7.1 hours")] {
            let expected = format!("{work}, at most {time} at the speed of the last run.");
            assert_eq!(estimate.sentence(256, Some(speed)), expected);
        }
    }
}
