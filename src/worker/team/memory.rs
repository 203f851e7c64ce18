//! The memory that all members see: a `SharedArrayBuffer`, read and written through JavaScript, since members share no
//! WebAssembly memory.

use js_sys::{Array, Atomics, Float32Array, Function, Int32Array, Reflect, SharedArrayBuffer};
use wasm_bindgen::{JsCast, JsValue};

use super::super::time::now;
use crate::team::{Board, SharedMemory};

/// Rounds of a wait before it sleeps: a tenth of a millisecond or so.
const SPINS: u32 = 3000;
/// Numbers of 4 bytes from one counter to the next, so that each has a line of the processor's cache.
const STRIDE: u32 = 16;

/// A view of the shared memory.
#[derive(Clone, Debug)]
pub struct Memory {
    counters: Int32Array,
    numbers: Float32Array,
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
        Memory {
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
        drop(Atomics::store(&self.counters, counter as u32 * STRIDE, value as i32));
        drop(Atomics::notify(&self.counters, counter as u32 * STRIDE));
    }

    fn pause(&self, round: u32) -> bool {
        round < SPINS
    }

    fn sleep(&self, counter: usize, value: u32, ms: u32) {
        let index = counter as u32 * STRIDE;
        drop(Atomics::wait_with_timeout(&self.counters, index, value as i32, f64::from(ms)));
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
}
