//! What a team takes of the memory that its members share: counters, numbers, and ways to wait.

use std::fmt::Debug;

/// Memory that all members see.
pub trait SharedMemory: Debug {
    /// Reads a counter, and all that was written before it was stored.
    fn load(&self, counter: usize) -> u32;
    /// Sets a counter, and wakes those who [`sleep`](Self::sleep).
    fn store(&self, counter: usize, value: u32);
    /// Waits a moment for a counter to have another value. Returns whether it has; else it is time to sleep.
    fn spin(&self, counter: usize, value: u32) -> bool;
    /// Sleeps for so many milliseconds at most while the counter has this value.
    fn sleep(&self, counter: usize, value: u32, ms: u32);
    /// Milliseconds of a clock.
    fn now(&self) -> f64;
    /// Writes numbers.
    fn write(&self, at: usize, numbers: &[f32]);
    /// Reads numbers.
    fn read(&self, at: usize, numbers: &mut [f32]);
    /// A whole exchange at once: writes, arrives, and, if all others arrive while one spins, reads. Returns whether they did;
    /// else what was written stands there and this member has arrived. Where calls cost nothing there is no need for it.
    fn exchange(&self, _: &Turn<'_>, _: &mut [f32]) -> bool {
        false
    }
}

/// A member's turn in an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Its numbers.
    pub own: &'a [f32],
    /// Where they are written.
    pub own_at: usize,
    /// Where all numbers are read.
    pub all_at: usize,
    /// The counter of the first member, and how many there are.
    pub counters: (usize, usize),
    /// This member.
    pub member: usize,
    /// What its counter will be.
    pub target: u32,
    /// The order that is gone through: the counter with number 0.
    pub order: u32,
}
