//! How members hand each other what they computed, over memory that all of them see: a few counters, an order, and two
//! buffers of numbers.
//!
//! The one that leads writes an order and counts it; the others read it and arrive. What an order says is nothing to the
//! board: it is a list of words. In each exchange a member writes its numbers, arrives, waits for the others, and reads all
//! numbers. Exchanges use the two buffers in turn: who writes into a buffer again knows that all have read it, since they
//! have arrived at the exchange between. An order that is given up for a new one ends the waiting; nobody writes before all
//! have arrived at the new one.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use super::shared_memory::{SharedMemory, Turn};
use crate::model::{Config, Exchange, Order, TeamError};

/// The counters: the order's number, who is lost (a member's number, from 1), whether the team has ended, and, for each
/// member, how far it is, and then what it [notes](Seat::note).
const ORDER: usize = 0;
const LOST: usize = 1;
const ENDED: usize = 2;
const ARRIVED: usize = 3;

/// A member is at exchange `n` of order `m` where its counter is `m · EXCHANGES + n`.
const EXCHANGES: u32 = 1 << 20;

/// Milliseconds without progress after which a member is lost, in writing and in training, where a slow phone takes seconds
/// between two exchanges. Time in which this thread did not run does not count.
const PATIENCE_MS: f64 = 5000.0;
const TRAINING_PATIENCE_MS: f64 = 60_000.0;
/// Milliseconds of a sleep: in the middle of an order, in which somebody may be lost, and while there is none.
const SLEEP_MS: u32 = 50;
const IDLE_MS: u32 = 2000;
/// Milliseconds that count at most between two looks.
const LOOK_MS: f64 = 100.0;

/// Rows of a prompt that are exchanged at once.
const TILE: usize = 128;
/// Numbers that each member exchanges at once in training: a megabyte.
const PIECE: usize = 1 << 18;
/// Words of an order in training.
const TRAINING_WORDS: usize = 3;
/// The length of an order stands before it.
const HEAD: usize = 1;

/// The size of the shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Members.
    pub members: usize,
    /// The most words of an order.
    pub words: usize,
    /// The most numbers of an exchange.
    pub capacity: usize,
    /// Milliseconds that the one that leads waits for a member at most.
    pub patience_ms: f64,
}

impl Board {
    /// A board for so many members that compute a model of this shape.
    pub fn new(config: &Config, members: usize) -> Self {
        let Config { n_embd, n_inner, vocabulary_size, heads, .. } = *config;
        let capacity = (TILE * n_embd.max(n_inner)).max(vocabulary_size).max(heads);
        Board { members, words: Order::most_words(config), capacity, patience_ms: PATIENCE_MS }
    }

    /// A board for so many members that train a model of this shape. What is larger than it is exchanged piece by piece.
    pub fn for_training(config: &Config, members: usize) -> Self {
        let capacity = members * PIECE.min(config.parameters());
        Board { members, words: TRAINING_WORDS, capacity, patience_ms: TRAINING_PATIENCE_MS }
    }

    /// The numbers of counters and of numbers that its memory has.
    pub fn length(&self) -> (usize, usize) {
        (ARRIVED + 2 * self.members, HEAD + self.words + 2 * self.capacity)
    }
}

/// A member's place at the board.
#[derive(Debug)]
pub struct Seat<M> {
    memory: M,
    board: Board,
    member: usize,
    /// The order that this member goes through, and the exchange in it.
    order: Cell<u32>,
    exchange: Cell<u32>,
}

impl<M: SharedMemory> Seat<M> {
    /// The seat of the member with this number, from 0, at a board whose memory is zero.
    pub fn new(memory: M, board: Board, member: usize) -> Self {
        Seat { memory, board, member, order: Cell::new(0), exchange: Cell::new(0) }
    }

    /// The next order; `None` after the team has ended. For members that do not lead.
    pub fn next_order(&self) -> Result<Option<Vec<u32>>, TeamError> {
        loop {
            self.exchange.set(0);
            let is_there = |order| order != self.order.get() || self.memory.load(ENDED) != 0;
            self.wait(ORDER, is_there, None)?;
            if self.memory.load(ENDED) != 0 {
                return Ok(None);
            }
            self.order.set(self.memory.load(ORDER));
            let order = self.read_order();
            self.arrive();
            // Others may still read or write what belongs to an order that was given up.
            match self.meet() {
                Err(TeamError::GivenUp) => {}
                met => return met.map(|()| Some(order)),
            }
        }
    }

    /// Ends the team: those who wait for an order get none.
    pub fn end(&self) {
        self.memory.store(ENDED, 1);
        // They sleep at the order's number.
        self.memory.store(ORDER, self.memory.load(ORDER));
    }

    /// Says that this member cannot go on, so that nobody waits for it.
    pub fn leave(&self) {
        self.memory.store(LOST, self.member as u32 + 1);
    }

    /// Notes a number of this member's, for who leads.
    pub fn note(&self, number: u32) {
        self.memory.store(ARRIVED + self.board.members + self.member, number);
    }

    /// What each member has noted last.
    pub fn notes(&self) -> impl Iterator<Item = u32> {
        (0..self.board.members).map(|member| self.memory.load(ARRIVED + self.board.members + member))
    }

    fn read_order(&self) -> Vec<u32> {
        let mut length = [0.0];
        self.memory.read(0, &mut length);
        let mut words = vec![0.0; (length[0].to_bits() as usize).min(self.board.words)];
        self.memory.read(HEAD, &mut words);
        words.into_iter().map(f32::to_bits).collect()
    }

    fn write_order(&self, words: &[u32]) {
        let length = words.len() as u32;
        let numbers: Vec<f32> = [length].iter().chain(words).map(|word| f32::from_bits(*word)).collect();
        self.memory.write(0, &numbers);
    }

    /// How far a member is that has come as far as this one.
    fn target(&self) -> u32 {
        self.order.get().wrapping_mul(EXCHANGES).wrapping_add(self.exchange.get())
    }

    fn arrive(&self) {
        self.memory.store(ARRIVED + self.member, self.target());
    }

    /// Waits until all others have arrived where this member is.
    fn meet(&self) -> Result<(), TeamError> {
        let target = self.target();
        for member in (0..self.board.members).filter(|member| *member != self.member) {
            let has_arrived = |arrived: u32| arrived.wrapping_sub(target) as i32 >= 0;
            // Whoever leads may take its time, such as that of a pause.
            let patience = (self.member == 0).then_some(member);
            self.wait(ARRIVED + member, has_arrived, patience)?;
        }
        match self.memory.load(ORDER) == self.order.get() {
            true => Ok(()),
            false => Err(TeamError::GivenUp),
        }
    }

    /// Waits until a counter is as it should be, or there is no use in that. With `patience`, that member is lost where it
    /// takes too long.
    fn wait(&self, counter: usize, is_there: impl Fn(u32) -> bool, patience: Option<usize>) -> Result<(), TeamError> {
        let (mut waited, mut looked) = (0.0, None);
        loop {
            let value = self.memory.load(counter);
            if is_there(value) {
                return Ok(());
            }
            if self.memory.spin(counter, value) {
                continue;
            }
            self.look()?;
            let now = self.memory.now();
            waited += looked.map_or(0.0, |looked: f64| (now - looked).min(LOOK_MS));
            looked = Some(now);
            if let Some(member) = patience.filter(|_| waited > self.board.patience_ms) {
                self.memory.store(LOST, member as u32 + 1);
                return Err(self.lost(member));
            }
            self.memory.sleep(counter, value, if counter == ORDER { IDLE_MS } else { SLEEP_MS });
        }
    }

    /// Whether there is still something to wait for.
    fn look(&self) -> Result<(), TeamError> {
        if let Some(member) = (self.memory.load(LOST) as usize).checked_sub(1) {
            return Err(self.lost(member));
        }
        let is_given_up = self.exchange.get() > 0 && self.memory.load(ORDER) != self.order.get();
        if is_given_up || self.member > 0 && self.memory.load(ENDED) != 0 && self.exchange.get() > 0 {
            return Err(TeamError::GivenUp);
        }
        Ok(())
    }

    fn lost(&self, member: usize) -> TeamError {
        TeamError::Lost { member: member + 1, members: self.board.members }
    }
}

/// The model and whoever drives it have a seat together.
impl<M: SharedMemory> Exchange for Rc<Seat<M>> {
    fn announce(&self, order: &[u32]) -> Result<(), TeamError> {
        self.exchange.set(0);
        // Who is lost stays lost.
        self.look()?;
        self.order.set(self.order.get().wrapping_add(1));
        self.write_order(order);
        self.memory.store(ORDER, self.order.get());
        self.arrive();
        self.meet()
    }

    fn gather(&self, own: &[f32], place: Range<usize>, all: &mut [f32]) -> Result<(), TeamError> {
        self.exchange.set(self.exchange.get() + 1);
        let all_at = HEAD + self.board.words + (self.exchange.get() % 2) as usize * self.board.capacity;
        let turn = Turn {
            own,
            own_at: all_at + place.start,
            all_at,
            counters: (ARRIVED, self.board.members),
            member: self.member,
            target: self.target(),
            order: self.order.get(),
        };
        if self.memory.exchange(&turn, all) {
            return Ok(());
        }
        if !own.is_empty() {
            self.memory.write(turn.own_at, own);
        }
        self.arrive();
        self.meet()?;
        if !all.is_empty() {
            // Its own are here.
            let (before, rest) = all.split_at_mut(place.start);
            for (numbers, at) in [(before, all_at), (&mut rest[own.len()..], all_at + place.end)] {
                if !numbers.is_empty() {
                    self.memory.read(at, numbers);
                }
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.board.capacity
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::model::config::tests::peargpt;

    /// Memory of one thread, whose clock runs when it is asked.
    #[derive(Clone, Debug)]
    struct Alone(Rc<Parts>);

    #[derive(Debug)]
    struct Parts {
        counters: RefCell<Vec<u32>>,
        numbers: RefCell<Vec<f32>>,
        clock: Cell<f64>,
    }

    impl Alone {
        fn new(board: &Board) -> Self {
            let (counters, numbers) = board.length();
            Alone(Rc::new(Parts {
                counters: RefCell::new(vec![0; counters]),
                numbers: RefCell::new(vec![0.0; numbers]),
                clock: Cell::new(0.0),
            }))
        }
    }

    impl SharedMemory for Alone {
        fn load(&self, counter: usize) -> u32 {
            self.0.counters.borrow()[counter]
        }

        fn store(&self, counter: usize, value: u32) {
            self.0.counters.borrow_mut()[counter] = value;
        }

        fn spin(&self, _: usize, _: u32) -> bool {
            false
        }

        fn sleep(&self, _: usize, _: u32, _: u32) {}

        fn now(&self) -> f64 {
            self.0.clock.replace(self.0.clock.get() + 50.0)
        }

        fn write(&self, at: usize, numbers: &[f32]) {
            self.0.numbers.borrow_mut()[at..][..numbers.len()].copy_from_slice(numbers);
        }

        fn read(&self, at: usize, numbers: &mut [f32]) {
            numbers.copy_from_slice(&self.0.numbers.borrow()[at..][..numbers.len()]);
        }
    }

    /// Two seats at a board.
    fn seats() -> (Rc<Seat<Alone>>, Rc<Seat<Alone>>, Alone) {
        let board = Board::new(&peargpt(), 2);
        let memory = Alone::new(&board);
        let seat = |member| Rc::new(Seat::new(memory.clone(), board, member));
        (seat(0), seat(1), memory.clone())
    }

    fn order(first: u32) -> Vec<u32> {
        vec![first, 3, u32::MAX, 0]
    }

    /// The order as the second member gets it, which the first one has announced; it waits for the second in vain.
    fn announced(first: &Rc<Seat<Alone>>, second: &Seat<Alone>, word: u32) -> Vec<u32> {
        assert!(matches!(first.announce(&order(word)), Err(TeamError::Lost { member: 2, members: 2 })));
        second.memory.store(LOST, 0);
        second.next_order().unwrap().unwrap()
    }

    #[test]
    fn an_order_arrives_as_it_was_given_and_none_after_the_end() {
        let (first, second, _) = seats();
        assert_eq!(announced(&first, &second, 7), order(7));
        assert_eq!(announced(&first, &second, 9), order(9));
        first.end();
        assert_eq!(second.next_order(), Ok(None));
    }

    #[test]
    fn numbers_are_put_together_once_all_have_arrived() {
        let (first, second, memory) = seats();
        announced(&first, &second, 0);
        let mut all = [0.0; 3];
        // The second is late, so the first gives it up; what it wrote is there.
        assert!(first.gather(&[1.0, 2.0], 0..2, &mut all).is_err());
        memory.store(LOST, 0);
        second.gather(&[3.0], 2..3, &mut all).unwrap();
        assert_eq!(all, [1.0, 2.0, 0.0], "its own stay where they are");
    }

    #[test]
    fn who_does_not_come_is_lost_after_five_seconds_and_who_leaves_at_once() {
        let (first, second, memory) = seats();
        announced(&first, &second, 0);
        let begun = memory.0.clock.get();
        let lost = TeamError::Lost { member: 2, members: 2 };
        assert_eq!(first.gather(&[], 0..0, &mut []), Err(lost.clone()));
        let waited = memory.0.clock.get() - begun;
        assert!((PATIENCE_MS..PATIENCE_MS + 500.0).contains(&waited), "{waited} ms");
        assert_eq!(lost.to_string(), "thread 2 of 2 does not answer");
        memory.store(LOST, 0);
        second.leave();
        let begun = memory.0.clock.get();
        assert_eq!(first.gather(&[], 0..0, &mut []), Err(lost));
        assert!(memory.0.clock.get() - begun < 100.0);
    }

    #[test]
    fn an_order_that_is_given_up_ends_the_waiting() {
        let (first, second, _) = seats();
        announced(&first, &second, 0);
        assert!(first.announce(&order(5)).is_err());
        first.memory.store(LOST, 0);
        assert_eq!(second.gather(&[], 0..0, &mut []), Err(TeamError::GivenUp));
        assert_eq!(second.next_order().unwrap().unwrap(), order(5));
    }
}
