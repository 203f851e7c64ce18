//! A team of native threads. Each opens the file by itself and reads its own rows.

use std::cell::UnsafeCell;
use std::io::{self, Read, Seek};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::board::{Board, Seat};
use super::shared_memory::SharedMemory;
use crate::checkpoint::{self, CheckpointError, Model, OpenError};
use crate::model::{Member, Share};

/// Rounds of a wait in which the thread only waits, and in which it lets others run.
const SPINS: u32 = 400;
const YIELDS: u32 = 2000;

/// Keeps candle from starting threads of its own, which take the cores from a team: with them two threads read a prompt
/// 1.15 times as fast as one, without them 1.83 times. For programs to call before anything else.
pub fn keep_candle_to_one_thread() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    }
}

/// Why a team cannot be formed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is no model.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its header cannot be read.
    #[error(transparent)]
    Header(#[from] CheckpointError),
    /// A thread ended before it had its part.
    #[error("a thread ended while it read its part of the model")]
    Ended,
}

/// Threads that wait for the one that leads; they end when this is dropped.
#[derive(Debug)]
pub struct Team {
    seat: Rc<Seat<Arc<Memory>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Team {
    /// Opens a model with so many threads, of which the calling one is the first. Each reads its part of the file by itself;
    /// `file` opens it.
    pub fn open<R: Read + Seek>(
        file: impl Fn() -> io::Result<R> + Clone + Send + 'static,
        members: usize,
    ) -> Result<(Model, Team), StartError> {
        let mut leading = file()?;
        let contents = checkpoint::contents(&mut leading)?;
        let board = Board::new(&contents.config, members);
        let memory = Arc::new(Memory::new(&board));
        let (told, hear) = channel();
        let spawn = |member| {
            let (seat, file, told) = (Seat::new(Arc::clone(&memory), board, member), file.clone(), told.clone());
            thread::spawn(move || follow(&file, seat, Share::new(member, members), &told))
        };
        let threads = (1..members).map(spawn).collect();
        drop(told);
        let seat = Rc::new(Seat::new(Arc::clone(&memory), board, 0));
        // Ends the threads where something is missing.
        let team = Team { seat: Rc::clone(&seat), threads };
        let member = match members {
            1 => Member::alone(),
            _ => Member::new(Share::new(0, members), Box::new(seat)),
        };
        let model = Model::open_first(&mut leading, contents, member)?;
        for _ in 1..members {
            hear.recv().map_err(|_| StartError::Ended)??;
        }
        Ok((model, team))
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.seat.end();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}

/// A thread that does not lead: it goes through every pass.
fn follow<R: Read + Seek>(
    file: &impl Fn() -> io::Result<R>,
    seat: Seat<Arc<Memory>>,
    share: Share,
    told: &Sender<Result<(), StartError>>,
) {
    let seat = Rc::new(seat);
    // Also where it panics.
    let mut leaving = Leaving(Some(Rc::clone(&seat)));
    let member = Member::new(share, Box::new(Rc::clone(&seat)));
    let opened = file().map_err(StartError::from).and_then(|mut file| Ok(Model::open_part(&mut file, member)?));
    let gpt = match opened {
        Ok(gpt) => gpt,
        Err(error) => return drop(told.send(Err(error))),
    };
    let Ok(mut cache) = gpt.new_cache() else { return };
    drop(told.send(Ok(())));
    while let Ok(Some(order)) = seat.next_order() {
        match gpt.follow(&order, &mut cache) {
            Ok(()) => {}
            Err(error) if error.is_given_up() => {}
            Err(_) => return,
        }
    }
    leaving.0 = None;
}

/// Says that the thread is gone when this is dropped, unless that is as it should be.
struct Leaving(Option<Rc<Seat<Arc<Memory>>>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(seat) = &self.0 {
            seat.leave();
        }
    }
}

/// A counter on a line of the processor's cache of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicU32);

/// What the threads of a team share; each has its place at it as an `Arc`.
#[derive(Debug)]
pub struct Memory {
    counters: Vec<Counter>,
    numbers: Box<[UnsafeCell<f32>]>,
    begun: Instant,
    sleepers: AtomicU32,
    bed: Mutex<()>,
    bell: Condvar,
}

// SAFETY: the board's protocol keeps a number from being written while another thread reads or writes it: who writes has
// seen, by a counter, that all have read what was there, and who reads has seen that all have written.
unsafe impl Sync for Memory {}

impl Memory {
    /// The memory that a board takes, all zeros.
    pub fn new(board: &Board) -> Self {
        let (counters, numbers) = board.length();
        Memory {
            counters: (0..counters).map(|_| Counter::default()).collect(),
            numbers: (0..numbers).map(|_| UnsafeCell::new(0.0)).collect(),
            begun: Instant::now(),
            sleepers: AtomicU32::new(0),
            bed: Mutex::new(()),
            bell: Condvar::new(),
        }
    }
}

impl SharedMemory for Arc<Memory> {
    fn load(&self, counter: usize) -> u32 {
        self.counters[counter].0.load(Ordering::SeqCst)
    }

    fn store(&self, counter: usize, value: u32) {
        self.counters[counter].0.store(value, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
            self.bell.notify_all();
        }
    }

    fn spin(&self, counter: usize, value: u32) -> bool {
        (0..YIELDS).any(|round| {
            if round < SPINS {
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
            self.load(counter) != value
        })
    }

    fn sleep(&self, counter: usize, value: u32, ms: u32) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.load(counter) == value {
            drop(self.bell.wait_timeout(bed, Duration::from_millis(ms.into())));
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64() * 1000.0
    }

    fn write(&self, at: usize, numbers: &[f32]) {
        let place = &self.numbers[at..][..numbers.len()];
        // SAFETY: `place` is as long, and nobody else has it now, see `Sync` above.
        unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr(), UnsafeCell::raw_get(place.as_ptr()), numbers.len()) };
    }

    fn read(&self, at: usize, numbers: &mut [f32]) {
        let place = &self.numbers[at..][..numbers.len()];
        // SAFETY: `place` is as long, and nobody writes there now, see `Sync` above.
        unsafe { std::ptr::copy_nonoverlapping(place.as_ptr().cast::<f32>(), numbers.as_mut_ptr(), numbers.len()) };
    }
}
