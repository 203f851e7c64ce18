//! A model's place in a team: each member computes its rows, and what they computed is put together.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::share::{Division, Share};
use super::{Config, KvCache, ModelError, Result};
use crate::kernels::Heads;
use crate::kernels::ops::with_numbers;

/// What all members do together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A pass through the model.
    Pass(PassOrder),
    /// Each reads its weights once, for a measurement.
    ReadWeights,
}

/// A pass that all members go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassOrder {
    /// The ids that are read, one sequence.
    pub ids: Vec<u32>,
    /// The position of the first one.
    pub position: usize,
    /// Whether the logits after each are wanted, or only those after the last.
    pub all: bool,
    /// Where keys and values are.
    pub cache: CacheOrder,
}

/// Where the keys and values of a pass are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOrder {
    /// Nowhere: the rows attend to each other.
    None,
    /// In the cache, to which they are appended.
    Append,
    /// In the cache, which has them already.
    Read,
}

/// Words of an order before its ids.
pub const ORDER_HEAD: usize = 3;

impl Order {
    /// The order as [`Exchange::announce`] takes it.
    pub fn to_words(&self) -> Vec<u32> {
        let Order::Pass(PassOrder { ids, position, all, cache }) = self else { return Vec::new() };
        let cache = match cache {
            CacheOrder::None => 0,
            CacheOrder::Append => 1,
            CacheOrder::Read => 2,
        };
        let head: [u32; ORDER_HEAD] = [*position as u32, u32::from(*all), cache];
        head.iter().chain(ids).copied().collect()
    }

    /// The order of these words.
    pub fn from_words(words: &[u32]) -> Self {
        let Some((&[position, all, cache], ids)) = words.split_first_chunk::<ORDER_HEAD>() else {
            return Order::ReadWeights;
        };
        Order::Pass(PassOrder {
            ids: ids.to_vec(),
            position: position as usize,
            all: all == 1,
            cache: [CacheOrder::None, CacheOrder::Append, CacheOrder::Read][cache as usize % 3],
        })
    }
}

/// Why members cannot go on together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeamError {
    /// The one that leads has begun another pass.
    #[error("the pass was given up")]
    GivenUp,
    /// What only a whole model can do.
    #[error("{0} takes one thread")]
    Alone(&'static str),
    /// A member has ended, or does not answer.
    #[error("thread {member} of {members} does not answer")]
    Lost {
        /// Its number, from 1.
        member: usize,
        /// How many there are.
        members: usize,
    },
}

/// What the members of a team exchange.
pub trait Exchange: Debug {
    /// Has every member do this: an order, as words. Only the one that leads calls it.
    fn announce(&self, order: &[u32]) -> std::result::Result<(), TeamError>;

    /// Puts numbers of every member together: those of the others, which have `own` at `place`, arrive in `all`, where
    /// `place` is left as it is. Who needs none of it has an empty `all`.
    fn gather(&self, own: &[f32], place: Range<usize>, all: &mut [f32]) -> std::result::Result<(), TeamError>;

    /// How many numbers can be exchanged at once.
    fn capacity(&self) -> usize;
}

/// A member's share of a model, and the others.
#[derive(Debug)]
pub struct Member {
    share: Share,
    exchange: Option<Box<dyn Exchange>>,
    /// The number of the cache whose keys and values the others have.
    held: Cell<Option<usize>>,
    /// What the others have computed of a tile.
    others: RefCell<Vec<f32>>,
}

impl Member {
    /// Who computes alone.
    pub fn alone() -> Self {
        Member { share: Share::WHOLE, exchange: None, held: Cell::new(None), others: RefCell::default() }
    }

    /// One of several.
    pub fn new(share: Share, exchange: Box<dyn Exchange>) -> Self {
        Member { share, exchange: Some(exchange), held: Cell::new(None), others: RefCell::default() }
    }

    /// Its share.
    pub fn share(&self) -> Share {
        self.share
    }

    /// The shape of its attention, for so many positions.
    pub fn heads(&self, config: &Config, context: usize) -> Heads {
        Heads { count: self.share.heads(config), head_dim: config.head_dim(), context }
    }

    /// Whether every member has the keys and values of this cache.
    pub fn has(&self, cache: &KvCache) -> bool {
        self.exchange.is_none() || self.held.get() == Some(cache.number())
    }

    /// Has the others begin a pass, if there are others and this one leads.
    pub fn announce(
        &self,
        ids: &Tensor,
        position: usize,
        all: bool,
        used: Option<(CacheOrder, &KvCache)>,
    ) -> Result<()> {
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.share.member() == 0) else { return Ok(()) };
        if ids.dim(0)? != 1 {
            return Err(TeamError::Alone("a batch").into());
        }
        let needs = |order| position > 0 || order == CacheOrder::Read;
        if let Some((_, cache)) = used.filter(|(order, cache)| needs(*order) && !self.has(cache)) {
            return Err(ModelError::Moved { expected: cache.len(), found: 0 });
        }
        let order = Order::Pass(PassOrder {
            ids: with_numbers(ids, <[u32]>::to_vec)?,
            position,
            all,
            cache: used.map_or(CacheOrder::None, |(order, _)| order),
        });
        if let Some((_, cache)) = used {
            self.held.set(Some(cache.number()));
        }
        Ok(exchange.announce(&order.to_words())?)
    }

    /// Has the others read their weights as this one does, if this one leads.
    pub fn announce_read(&self) -> Result<()> {
        match self.exchange.as_ref().filter(|_| self.share.member() == 0) {
            Some(exchange) => Ok(exchange.announce(&Order::ReadWeights.to_words())?),
            None => Ok(()),
        }
    }

    /// A number of each member, added up.
    pub fn sum(&self, number: f32) -> Result<f32> {
        let Some(exchange) = &self.exchange else { return Ok(number) };
        let (member, mut all) = (self.share.member(), vec![0.0; self.share.members()]);
        exchange.gather(&[number], member..member + 1, &mut all)?;
        all[member] = number;
        Ok(all.iter().sum())
    }

    /// `[batch, rows, own]` of each member → `[batch, rows, all]`; of the logits only for the one that leads.
    pub fn gather(&self, config: &Config, part: Tensor, division: Division) -> Result<Tensor> {
        let Some(exchange) = &self.exchange else { return Ok(part) };
        let (batch, rows, own) = part.dims3()?;
        let parts = self.share.parts(config, division);
        let columns = parts.last().map_or(0, |part| part.end);
        // Only the one that leads draws from the logits.
        let gets_all = division != Division::Vocabulary || self.share.member() == 0;
        let mut out = Vec::with_capacity(if gets_all { batch * rows * columns } else { 0 });
        with_numbers(&part, |part| {
            let (member, mut others) = (self.share.member(), self.others.borrow_mut());
            let (step, all_rows) = ((exchange.capacity() / columns).max(1), batch * rows);
            // Also where this member has no column.
            (0..all_rows).step_by(step).try_for_each(|first| {
                let rows = step.min(all_rows - first);
                let part = &part[first * own..][..rows * own];
                let place = |part: &Range<usize>| part.start * rows..part.end * rows;
                others.resize(if gets_all { rows * columns } else { 0 }, 0.0);
                exchange.gather(part, place(&parts[member]), &mut others)?;
                if gets_all {
                    let mut numbers: Vec<&[f32]> = parts.iter().map(|part| &others[place(part)]).collect();
                    numbers[member] = part;
                    interleave(rows, &numbers, &mut out);
                }
                Ok::<(), TeamError>(())
            })
        })??;
        match gets_all {
            true => Ok(Tensor::from_vec(out, (batch, rows, columns), &Device::Cpu)?),
            false => Ok(part),
        }
    }

    /// `[1, rows, columns]`, of which each row is one member's → all of it. `owners` has the member of each row.
    pub fn gather_rows(&self, part: Tensor, owners: &[usize]) -> Result<Tensor> {
        let Some(exchange) = &self.exchange else { return Ok(part) };
        let (_, rows, columns) = part.dims3()?;
        let mut out = vec![0.0; rows * columns];
        with_numbers(&part, |part| {
            let step = (exchange.capacity() / columns).max(1);
            let pieces = out.chunks_mut(step * columns).zip(part.chunks(step * columns)).zip(owners.chunks(step));
            for ((out, part), owners) in pieces {
                gather_rows(exchange.as_ref(), part, self.share.member(), owners, out)?;
            }
            Ok::<(), TeamError>(())
        })??;
        Ok(Tensor::from_vec(out, (1, rows, columns), &Device::Cpu)?)
    }
}

/// The members' columns of so many rows, one row after the other.
fn interleave(rows: usize, parts: &[&[f32]], out: &mut Vec<f32>) {
    for row in 0..rows {
        for part in parts {
            let columns = part.len() / rows;
            out.extend_from_slice(&part[row * columns..][..columns]);
        }
    }
}

/// Rows that one member each has. What is exchanged has one member's rows after the other's.
fn gather_rows(
    exchange: &dyn Exchange,
    part: &[f32],
    member: usize,
    owners: &[usize],
    out: &mut [f32],
) -> std::result::Result<(), TeamError> {
    let columns = out.len() / owners.len();
    let mut order: Vec<usize> = (0..owners.len()).collect();
    order.sort_by_key(|row| owners[*row]);
    let first = owners.iter().filter(|owner| **owner < member).count();
    let own: Vec<f32> = order
        .iter()
        .filter(|row| owners[**row] == member)
        .flat_map(|row| part[row * columns..][..columns].iter().copied())
        .collect();
    let (mut all, place) = (vec![0.0; out.len()], first * columns..first * columns + own.len());
    exchange.gather(&own, place.clone(), &mut all)?;
    all[place].copy_from_slice(&own);
    for (row, numbers) in order.iter().zip(all.chunks_exact(columns)) {
        out[row * columns..][..columns].copy_from_slice(numbers);
    }
    Ok(())
}
