//! Sends a run's text and numbers to the page, at most once per frame.

use super::super::channel::Channel;
use super::super::memory_bytes;
use super::super::time::{FRAME_MS, now};
use crate::app::protocol::{Event, Stats};
use crate::generation::Run;
use crate::generation::StopReason;

/// Text that has not been sent, and the times of events.
pub struct TextStream<'a> {
    channel: &'a Channel,
    run: u32,
    delta: String,
    requested: f64,
    first_token: Option<f64>,
    last_token: f64,
    last_sent: f64,
    tokens_before: usize,
    /// Tokens that the page knows.
    sent: usize,
}

impl<'a> TextStream<'a> {
    /// For run `run`, which was requested at `requested`. Its text has `tokens_before` tokens already.
    pub fn new(channel: &'a Channel, run: u32, requested: f64, tokens_before: usize) -> Self {
        let (delta, first_token, last_token, last_sent) = (String::new(), None, requested, requested);
        let sent = tokens_before;
        TextStream { channel, run, delta, requested, first_token, last_token, last_sent, tokens_before, sent }
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

    /// Sends the text so far, if a frame has passed since the last message.
    pub fn frame(&mut self, run: &Run) {
        if now() - self.last_sent >= FRAME_MS {
            self.flush(run);
        }
    }

    /// Sends the rest, and that the run has ended.
    pub fn done(mut self, run: &Run, reason: StopReason) {
        if !self.delta.is_empty() || self.sent < run.tokens() {
            self.flush(run);
        }
        self.channel.send(&Event::Done { run: self.run, reason, stats: self.stats(run) });
    }

    fn flush(&mut self, run: &Run) {
        self.last_sent = now();
        let (delta, ids) = (std::mem::take(&mut self.delta), run.drawn(self.sent).to_vec());
        self.sent = run.tokens();
        self.channel.send(&Event::Text { run: self.run, delta, ids, stats: self.stats(run) });
    }

    fn stats(&self, run: &Run) -> Stats {
        let decoding = run.decoding();
        let since_first = run.tokens().saturating_sub(self.tokens_before + 1);
        let seconds = (self.last_token - self.first_token.unwrap_or(self.last_token)) / 1000.0;
        Stats {
            tokens: run.tokens() as u32,
            words: run.words(),
            tokens_per_second: if seconds > 0.0 { since_first as f64 / seconds } else { 0.0 },
            first_token_ms: self.first_token.map(|first| first - self.requested),
            prefilled: decoding.cached() as u32,
            forwarded_rows: decoding.forwarded_rows(),
            window_crossings: decoding.crossings(),
            wasm_memory_bytes: memory_bytes(),
        }
    }
}
