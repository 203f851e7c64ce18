//! Sends a run's text and numbers to the page, at most every other frame.

use super::super::channel::Channel;
use super::super::memory_bytes;
use super::super::team::Team;
use super::super::time::{FRAME_MS, now};
use super::inside::Marking;
use crate::app::protocol::{Event, Stats};
use crate::checkpoint::Model;
use crate::generation::Run;
use crate::generation::StopReason;

/// Milliseconds between two messages. To draw one takes the page up to half a frame, and the browser's compositor as much,
/// on cores that compute.
const BETWEEN_MS: f64 = 2.0 * FRAME_MS;

/// How fast a text was written.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Its tokens after the first one.
    pub tokens: u32,
    /// How fast they came; 0 where there is none.
    pub tokens_per_second: f64,
}

/// Text that has not been sent, and the times of events.
pub struct TextStream<'a> {
    channel: &'a Channel,
    team: Option<&'a Team>,
    run: u32,
    delta: String,
    requested: f64,
    first_token: Option<f64>,
    last_token: f64,
    last_sent: f64,
    tokens_before: usize,
    /// Tokens that the page knows.
    sent: usize,
    /// How surprising they are, by the model that writes them, if that is asked for.
    marking: Option<(&'a Model, Marking)>,
}

impl<'a> TextStream<'a> {
    /// For run `run`, which `team` computes too, and which was requested at `requested`. Its text has `tokens_before` tokens
    /// already.
    pub fn new(
        channel: &'a Channel,
        team: Option<&'a Team>,
        run: u32,
        (requested, tokens_before): (f64, usize),
    ) -> Self {
        let (delta, first_token, last_token, last_sent) = (String::new(), None, requested, requested);
        let sent = tokens_before;
        let marking = None;
        TextStream {
            channel,
            team,
            run,
            delta,
            requested,
            first_token,
            last_token,
            last_sent,
            tokens_before,
            sent,
            marking,
        }
    }

    /// Says from now on how surprising this model finds the tokens, or does not.
    pub fn mark(&mut self, model: Option<&'a Model>) {
        if model.is_some() != self.marking.is_some() {
            self.marking = model.map(|model| (model, Marking::default()));
        }
    }

    /// Takes the text of one token.
    pub fn token(&mut self, text: &str) {
        self.last_token = now();
        self.first_token.get_or_insert(self.last_token);
        self.delta.push_str(text);
    }

    /// Takes text of earlier tokens that was held back.
    pub fn held_back(&mut self, text: &str) {
        self.delta.push_str(text);
    }

    /// Sends the text so far, if the last message was long enough ago.
    pub fn frame(&mut self, run: &Run) {
        if now() - self.last_sent >= BETWEEN_MS {
            self.flush(run);
        }
    }

    /// Sends the rest, and that the run has ended. Returns how fast it was written.
    pub fn done(mut self, run: &Run, reason: StopReason) -> Speed {
        if !self.delta.is_empty() || self.sent < run.tokens() {
            self.flush(run);
        }
        self.channel.send(&Event::Done { run: self.run, reason, stats: self.stats(run) });
        self.speed(run)
    }

    fn flush(&mut self, run: &Run) {
        self.last_sent = now();
        let (delta, ids) = (std::mem::take(&mut self.delta), run.drawn(self.sent).to_vec());
        let marks = self.marking.as_mut().map(|(model, marking)| marking.of(model, run, self.sent));
        self.sent = run.tokens();
        let marks = marks.unwrap_or_default();
        self.channel.send(&Event::Text { run: self.run, delta, ids, marks, stats: self.stats(run) });
    }

    fn speed(&self, run: &Run) -> Speed {
        let tokens = run.tokens().saturating_sub(self.tokens_before + 1);
        let seconds = (self.last_token - self.first_token.unwrap_or(self.last_token)) / 1000.0;
        Speed { tokens: tokens as u32, tokens_per_second: if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 } }
    }

    fn stats(&self, run: &Run) -> Stats {
        let decoding = run.decoding();
        Stats {
            tokens: run.tokens() as u32,
            words: run.words(),
            tokens_per_second: self.speed(run).tokens_per_second,
            first_token_ms: self.first_token.map(|first| first - self.requested),
            prefilled: decoding.cached() as u32,
            forwarded_rows: decoding.forwarded_rows(),
            window_crossings: decoding.crossings(),
            wasm_memory_bytes: memory_bytes() + self.team.map_or(0, Team::memory_bytes),
        }
    }
}
