//! The memory that all members see: a `SharedArrayBuffer`, read and written through JavaScript, since members share no
//! WebAssembly memory.

use js_sys::{Array, Atomics, Float32Array, Function, Int32Array, Reflect, SharedArrayBuffer};
use wasm_bindgen::prelude::*;

use super::super::time::{cores, now};
use crate::team::{Board, SharedMemory, Turn};

/// Milliseconds of a wait before it sleeps: longer than a token is drawn and the event loop runs. Where there are more
/// members than cores, others need the core meanwhile.
const SPIN_MS: f64 = 0.5;
const CROWDED_MS: f64 = 0.005;
/// Numbers of 4 bytes from one counter to the next, so that each has a line of the processor's cache. Behind a counter
/// stands how many sleep at it.
const STRIDE: u32 = 16;

#[wasm_bindgen]
extern "C" {
    /// In embed/programs.js, as the next one.
    #[wasm_bindgen(js_namespace = ["program", "team"])]
    fn spin(counters: &Int32Array, counter: u32, value: i32, ms: f64) -> bool;

    #[wasm_bindgen(js_namespace = ["program", "team"])]
    fn exchange(
        counters: &Int32Array,
        numbers: &Float32Array,
        own: &[f32],
        own_at: u32,
        all: &mut [f32],
        all_at: u32,
        first: u32,
        members: u32,
        member: u32,
        target: i32,
        order: i32,
        ms: f64,
    ) -> bool;
}

/// A view of the shared memory.
#[derive(Clone, Debug)]
pub struct Memory {
    counters: Int32Array,
    numbers: Float32Array,
    spin_ms: f64,
}

impl Memory {
    /// The memory that a board takes, all zeros. Fails if the browser has no room for it, where the constructor of the
    /// bindings would throw.
    pub fn buffer(board: &Board) -> Result<SharedArrayBuffer, JsValue> {
        let (counters, numbers) = board.length();
        let bytes = 4 * (counters as u32 * STRIDE + numbers as u32);
        let constructor: Function = Reflect::get(&js_sys::global(), &"SharedArrayBuffer".into())?.unchecked_into();
        Ok(Reflect::construct(&constructor, &Array::of1(&bytes.into()))?.unchecked_into())
    }

    /// A view of that memory.
    pub fn of(buffer: &SharedArrayBuffer, board: &Board) -> Self {
        let (counters, numbers) = board.length();
        let counters = counters as u32 * STRIDE;
        let is_crowded = board.members > cores() as usize;
        Memory {
            spin_ms: if is_crowded { CROWDED_MS } else { SPIN_MS },
            counters: Int32Array::new_with_byte_offset_and_length(buffer, 0, counters),
            numbers: Float32Array::new_with_byte_offset_and_length(buffer, 4 * counters, numbers as u32),
        }
    }

    fn part(&self, at: usize, length: usize) -> Float32Array {
        self.numbers.subarray(at as u32, (at + length) as u32)
    }
}

// An index within the array is never refused.
impl SharedMemory for Memory {
    fn load(&self, counter: usize) -> u32 {
        Atomics::load(&self.counters, counter as u32 * STRIDE).unwrap_or(0) as u32
    }

    fn store(&self, counter: usize, value: u32) {
        let index = counter as u32 * STRIDE;
        drop(Atomics::store(&self.counters, index, value as i32));
        if Atomics::load(&self.counters, index + 1).unwrap_or(1) > 0 {
            drop(Atomics::notify(&self.counters, index));
        }
    }

    fn spin(&self, counter: usize, value: u32) -> bool {
        spin(&self.counters, counter as u32, value as i32, self.spin_ms)
    }

    fn sleep(&self, counter: usize, value: u32, ms: u32) {
        let index = counter as u32 * STRIDE;
        drop(Atomics::add(&self.counters, index + 1, 1));
        drop(Atomics::wait_with_timeout(&self.counters, index, value as i32, f64::from(ms)));
        drop(Atomics::sub(&self.counters, index + 1, 1));
    }

    fn now(&self) -> f64 {
        now()
    }

    fn write(&self, at: usize, numbers: &[f32]) {
        self.part(at, numbers.len()).copy_from(numbers);
    }

    fn read(&self, at: usize, numbers: &mut [f32]) {
        self.part(at, numbers.len()).copy_to(numbers);
    }

    // Called one by one, the same would cost three microseconds more.
    fn exchange(&self, turn: &Turn<'_>, all: &mut [f32]) -> bool {
        let Turn { own, own_at, all_at, counters: (first, members), member, target, order } = *turn;
        let [own_at, all_at, first, members, member] = [own_at, all_at, first, members, member].map(|at| at as u32);
        let (counters, numbers) = (&self.counters, &self.numbers);
        let (target, order) = (target as i32, order as i32);
        exchange(counters, numbers, own, own_at, all, all_at, first, members, member, target, order, self.spin_ms)
    }
}
