//! Tells the page how far a download has come, at most once per frame.

use std::cell::{Cell, RefCell};
use std::pin::pin;

use futures_util::future::{Either, select};

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now, sleep};
use crate::app::protocol::Event;
use crate::app::transfer_rate::TransferRate;

/// Milliseconds between two messages while nothing comes, so that the rate is seen to fall.
const PULSE_MS: u32 = 250;

/// Bytes that are here, and how fast they come.
pub struct DownloadProgress<'a> {
    channel: &'a Channel,
    total: u64,
    received: Cell<u64>,
    last_sent: Cell<f64>,
    rate: RefCell<TransferRate>,
}

impl<'a> DownloadProgress<'a> {
    /// Nothing is here yet of `total` bytes.
    pub fn new(channel: &'a Channel, total: u64) -> Self {
        DownloadProgress { channel, total, received: Cell::new(0), last_sent: Cell::new(0.0), rate: RefCell::default() }
    }

    /// Bytes that are here.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes there are in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Carries out a download; tells the page also what came just before nothing did.
    pub async fn tell_during<T>(&self, download: impl Future<Output = T>) -> T {
        let pulse = async {
            while sleep(PULSE_MS).await.is_ok() {
                let has_begun = self.last_sent.get() > 0.0;
                if has_begun && now() - self.last_sent.get() >= f64::from(PULSE_MS) {
                    self.rate.borrow_mut().mark(now(), self.received());
                    self.send();
                }
            }
            // Without timers the numbers stand still; the download does not.
            std::future::pending().await
        };
        match select(pin!(download), pin!(pulse)).await {
            Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
        }
    }

    /// Counts bytes that were here before.
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

    /// Takes bytes back that have to be fetched again.
    pub fn lost(&self, bytes: u64) {
        self.received.set(self.received.get().saturating_sub(bytes));
        self.rate.borrow_mut().mark(now(), self.received());
    }

    /// Tells the page.
    pub fn send(&self) {
        self.last_sent.set(now());
        let bytes_per_second = self.rate.borrow().bytes_per_second();
        let (received, total) = (self.received(), self.total);
        self.channel.send(&Event::Downloading { received, total, bytes_per_second });
    }
}
