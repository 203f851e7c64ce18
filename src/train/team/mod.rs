//! Members with memories of their own that train one model together. Each has all weights and the whole text, and goes
//! through every step.
//!
//! In a round, each computes the gradients of one leaf. Every variable has one owner, who adds up what the members have
//! computed for it, in the leaves' order, updates it and sends it to the others: only the owner has its mean and what its
//! optimizer remembers. Every number is computed as by one member alone, in the same order, so the bytes are the same.

mod line;
mod order;

use std::cell::Cell;
use std::ops::Range;

use candle_core::{DType, Device, Tensor, Var};

use self::line::{Line, pieces, share_variables};
pub(super) use self::order::Order;
use super::TrainError;
use crate::kernels::ops::{with_numbers, with_numbers_mut};
use crate::model::{Exchange, Share, TeamError};

/// A member's place in a team.
#[derive(Debug)]
pub(super) struct Place {
    share: Share,
    exchange: Box<dyn Exchange>,
    /// What each member updates.
    lines: Vec<Line>,
    /// Orders that this member has announced.
    orders: Cell<u32>,
}

impl Place {
    /// The place of a member. `variables` has the count of numbers of each variable, and what its update costs.
    pub fn new(share: Share, exchange: Box<dyn Exchange>, variables: &[(usize, u64)]) -> Self {
        Place { share, exchange, lines: share_variables(variables, share.members()), orders: Cell::new(0) }
    }

    /// The variables that the member of a share updates, in ascending order.
    pub fn owned_by(share: Share, variables: &[(usize, u64)]) -> Vec<usize> {
        share_variables(variables, share.members()).swap_remove(share.member()).variables
    }

    /// The variables that this member updates, in ascending order.
    pub fn owned(&self) -> &[usize] {
        &self.lines[self.share.member()].variables
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.share.members()
    }

    /// Which of as many things as there are members is this one's.
    pub fn member(&self) -> usize {
        self.share.member()
    }

    /// Has the others do this, if this member leads.
    pub fn announce(&self, order: Order) -> Result<(), TeamError> {
        if self.member() > 0 {
            return Ok(());
        }
        self.orders.set(self.orders.get().wrapping_add(1));
        self.exchange.announce(&order.to_words())
    }

    /// The same where `begun` is none, and notes the order there; else fails if another was announced since.
    pub fn go_on(&self, begun: &mut Option<u32>, order: Order) -> Result<(), TeamError> {
        match *begun {
            None => {
                self.announce(order)?;
                *begun = Some(self.orders.get());
                Ok(())
            }
            Some(number) if number == self.orders.get() => Ok(()),
            Some(_) => Err(TeamError::GivenUp),
        }
    }

    /// Waits until all members have come here. Then what was exchanged before has reached everyone; so it is no matter if the
    /// one that leads has announced the next order before this member knows.
    pub fn meet(&self) -> Result<(), TeamError> {
        match self.exchange.gather(&[], 0..0, &mut []) {
            Err(TeamError::GivenUp) => Ok(()),
            met => met,
        }
    }

    /// What it means that the one that leads gives up what can no longer be given up.
    pub fn lost_leader(&self) -> TeamError {
        TeamError::Lost { member: 1, members: self.members() }
    }

    /// Numbers of a member that are exchanged at once, where all exchange as many.
    fn piece(&self) -> usize {
        (self.exchange.capacity() / self.members()).max(1)
    }

    /// Adds the gradients of the next leaves, one each of the first `leaves` members, to the sums of this member's variables;
    /// the very first leaf is where they begin. `leaf` has this member's, for all variables.
    pub fn add(&self, leaf: Option<&[Tensor]>, leaves: usize, sum: &mut Option<Vec<Tensor>>) -> Result<(), TrainError> {
        let is_first = sum.is_none();
        let sum = match sum {
            Some(sum) => sum,
            None => {
                let zeros = |count| Tensor::zeros(count, DType::F32, &Device::Cpu);
                sum.insert(self.lines[self.member()].counts().map(zeros).collect::<Result<_, _>>()?)
            }
        };
        let (mut own, mut all) = (vec![0.0; self.piece()], vec![0.0; leaves * self.piece()]);
        for (owner, line) in self.lines.iter().enumerate() {
            for piece in pieces(line.length(), self.piece()) {
                let length = piece.len();
                let own = &mut own[..if leaf.is_some() { length } else { 0 }];
                if let Some(leaf) = leaf {
                    read(line, piece.clone(), |index| &leaf[line.variables[index]], own)?;
                }
                let start = if leaf.is_some() { self.member() * length } else { leaves * length };
                let place = start..start + own.len();
                let is_owner = owner == self.member();
                let all = if is_owner { &mut all[..leaves * length] } else { &mut [] };
                self.exchange.gather(own, place.clone(), all)?;
                if is_owner {
                    all[place].copy_from_slice(own);
                    add_leaves(line, piece, all, is_first, sum)?;
                }
            }
        }
        Ok(())
    }

    /// Sends each owner's variables to the others, or only to the one that leads. `own` are this member's; those of the
    /// others arrive in `all`, which has every variable, where this member gets them.
    pub fn spread(&self, own: &[Var], all: &[Var], to_all: bool) -> Result<(), TrainError> {
        let mut numbers = vec![0.0; self.piece()];
        let receives = to_all || self.member() == 0;
        for (owner, line) in self.lines.iter().enumerate() {
            if owner == 0 && !to_all {
                continue;
            }
            for piece in pieces(line.length(), self.piece()) {
                let numbers = &mut numbers[..piece.len()];
                if owner == self.member() {
                    read(line, piece, |index| own[index].as_tensor(), numbers)?;
                    self.exchange.gather(numbers, 0..numbers.len(), &mut [])?;
                } else {
                    self.exchange.gather(&[], 0..0, if receives { &mut *numbers } else { &mut [] })?;
                    if receives {
                        write(line, piece, |index| all[line.variables[index]].as_tensor(), numbers)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands numbers that belong to a variable over to the one that leads, which takes them piece by piece. `own` are all of
    /// them where this member has them, and `count` is how many there are.
    pub fn hand_over(
        &self,
        variable: usize,
        count: usize,
        own: &[f32],
        take: &mut impl FnMut(&[f32]) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let is_owned = self.owned().binary_search(&variable).is_ok();
        let leads = self.member() == 0;
        if self.lines[0].variables.binary_search(&variable).is_ok() {
            return if leads { take(own) } else { Ok(()) };
        }
        let mut numbers = vec![0.0; if leads { count.min(self.piece()) } else { 0 }];
        for piece in pieces(count, self.piece()) {
            if is_owned {
                self.exchange.gather(&own[piece.clone()], 0..piece.len(), &mut [])?;
                continue;
            }
            let numbers = if leads { &mut numbers[..piece.len()] } else { &mut [] };
            self.exchange.gather(&[], 0..0, numbers)?;
            if leads {
                take(numbers)?;
            }
        }
        Ok(())
    }

    /// Puts numbers of all members together; everyone gets those of everyone, of which each has `count`.
    pub fn gather(&self, own: &[f64], count: impl Fn(usize) -> usize) -> Result<Vec<Vec<f64>>, TeamError> {
        let words: Vec<f32> = own.iter().flat_map(|number| to_words(*number)).collect();
        let counts: Vec<usize> = (0..self.members()).map(|member| WORDS * count(member)).collect();
        let mut gathered: Vec<Vec<f32>> = vec![Vec::new(); self.members()];
        for piece in pieces(counts.iter().copied().max().unwrap_or(0), self.piece()) {
            let (length, mut all) = (piece.len(), vec![0.0; self.members() * piece.len()]);
            let part = |member: usize| piece.start.min(counts[member])..piece.end.min(counts[member]);
            let (own, start) = (&words[part(self.member())], self.member() * length);
            self.exchange.gather(own, start..start + own.len(), &mut all)?;
            all[start..start + own.len()].copy_from_slice(own);
            for (member, gathered) in gathered.iter_mut().enumerate() {
                gathered.extend(&all[member * length..][..part(member).len()]);
            }
        }
        let numbers = |words: Vec<f32>| words.as_chunks::<WORDS>().0.iter().map(from_words).collect();
        Ok(gathered.into_iter().map(numbers).collect())
    }

    /// One number of each variable, from those of its owners, as [`gather`](Self::gather) puts them together.
    pub fn gather_by_variable(&self, own: &[f64]) -> Result<Vec<f64>, TeamError> {
        let gathered = self.gather(own, |member| self.lines[member].variables.len())?;
        let mut numbers = vec![0.0; self.lines.iter().map(|line| line.variables.len()).sum()];
        for (line, gathered) in self.lines.iter().zip(gathered) {
            line.variables.iter().zip(gathered).for_each(|(variable, number)| numbers[*variable] = number);
        }
        Ok(numbers)
    }

    /// One number of each of so many leaves, of which every member has computed the next one in turn.
    pub fn gather_by_leaf(&self, own: &[f64], leaves: usize) -> Result<Vec<f64>, TeamError> {
        let gathered = self.gather(own, |member| leaves.saturating_sub(member).div_ceil(self.members()))?;
        Ok((0..leaves).map(|leaf| gathered[leaf % self.members()][leaf / self.members()]).collect())
    }
}

/// Adds the numbers of some leaves, one leaf's behind the other's, to the sums of a line's variables.
fn add_leaves(
    line: &Line,
    piece: Range<usize>,
    leaves: &[f32],
    is_first: bool,
    sum: &[Tensor],
) -> Result<(), TrainError> {
    let length = piece.len();
    for part in line.parts(piece) {
        with_numbers_mut(&sum[part.index], |sum| {
            let sum = &mut sum[part.numbers];
            for (index, leaf) in leaves.chunks_exact(length).enumerate() {
                let leaf = &leaf[part.place.clone()];
                match is_first && index == 0 {
                    true => sum.copy_from_slice(leaf),
                    false => sum.iter_mut().zip(leaf).for_each(|(sum, leaf)| *sum += leaf),
                }
            }
        })?;
    }
    Ok(())
}

/// Copies a piece of a line out of its variables.
fn read<'a>(
    line: &Line,
    piece: Range<usize>,
    variable: impl Fn(usize) -> &'a Tensor,
    out: &mut [f32],
) -> Result<(), TrainError> {
    for part in line.parts(piece) {
        with_numbers(variable(part.index), |numbers| out[part.place].copy_from_slice(&numbers[part.numbers]))?;
    }
    Ok(())
}

/// Copies a piece of a line into its variables.
fn write<'a>(
    line: &Line,
    piece: Range<usize>,
    variable: impl Fn(usize) -> &'a Tensor,
    from: &[f32],
) -> Result<(), TrainError> {
    for part in line.parts(piece) {
        with_numbers_mut(variable(part.index), |numbers| {
            numbers[part.numbers].copy_from_slice(&from[part.place]);
        })?;
    }
    Ok(())
}

/// Float32 numbers that stand for a float64.
const WORDS: usize = 4;

/// The four 16-bit words of a float64, as numbers: memory of float32 numbers may change the bits of what is no number.
fn to_words(number: f64) -> [f32; WORDS] {
    let bits = number.to_bits();
    std::array::from_fn(|word| f32::from((bits >> (16 * word)) as u16))
}

fn from_words(words: &[f32; WORDS]) -> f64 {
    f64::from_bits(words.iter().rev().fold(0, |bits, word| bits << 16 | u64::from(*word as u16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float64_goes_through_float32_numbers() {
        for number in [0.0, -0.0, 1.0 / 3.0, f64::MIN_POSITIVE / 3.0, f64::MAX, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(from_words(&to_words(number)).to_bits(), number.to_bits());
        }
    }
}
