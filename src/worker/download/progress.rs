//! Tells the page how far a download has come, at most once per frame.

use std::cell::{Cell, RefCell};
use std::pin::pin;

use futures_util::future::{Either, select};

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now, sleep};
use crate::app::protocol::Event;
use crate::app::transfer_rate::TransferRate;

/// Milliseconds between two messages while no byte arrives, so that the page sees the rate fall.
const PULSE_MS: u32 = 250;

/// How many bytes are in the store, and how fast they arrive.
pub struct DownloadProgress<'a> {
    channel: &'a Channel,
    total: u64,
    received: Cell<u64>,
    last_sent: Cell<f64>,
    rate: RefCell<TransferRate>,
}

impl<'a> DownloadProgress<'a> {
    /// Nothing is in the store yet of `total` bytes.
    pub fn new(channel: &'a Channel, total: u64) -> Self {
        DownloadProgress { channel, total, received: Cell::new(0), last_sent: Cell::new(0.0), rate: RefCell::default() }
    }

    /// Bytes in the store.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// All bytes of the download.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Runs a download. While no byte arrives, sends the progress at intervals.
    pub async fn tell_during<T>(&self, download: impl Future<Output = T>) -> T {
        let pulse = async {
            while sleep(PULSE_MS).await.is_ok() {
                let has_begun = self.last_sent.get() > 0.0;
                if has_begun && now() - self.last_sent.get() >= f64::from(PULSE_MS) {
                    self.rate.borrow_mut().mark(now(), self.received());
                    self.send();
                }
            }
            // If timers fail, the numbers stay as they are, and the download goes on.
            std::future::pending().await
        };
        match select(pin!(download), pin!(pulse)).await {
            Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
        }
    }

    /// Counts bytes that were in the store before.
    pub fn found(&self, bytes: u64) {
        self.received.set(self.received.get() + bytes);
    }

    /// Counts bytes that have arrived.
    pub fn arrived(&self, bytes: u64) {
        self.found(bytes);
        let time = now();
        self.rate.borrow_mut().mark(time, self.received());
        if time - self.last_sent.get() >= FRAME_MS || self.received() == self.total {
            self.send();
        }
    }

    /// Subtracts bytes that have to be fetched again.
    pub fn lost(&self, bytes: u64) {
        self.received.set(self.received.get().saturating_sub(bytes));
        self.rate.borrow_mut().mark(now(), self.received());
    }

    /// Sends the progress to the page.
    pub fn send(&self) {
        self.last_sent.set(now());
        let bytes_per_second = self.rate.borrow().bytes_per_second();
        let (received, total) = (self.received(), self.total);
        self.channel.send(&Event::Downloading { received, total, bytes_per_second });
    }
}
