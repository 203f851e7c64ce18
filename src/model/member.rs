//! A model's place in a team: each member computes its rows, and what they computed is put together.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::order::{CacheOrder, Order, Outputs, PassOrder};
use super::share::{Division, Share};
use super::{Config, KvCache, ModelError, Result};
use crate::kernels::Heads;
use crate::kernels::ops::with_numbers;

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

    /// Whether there are others.
    pub fn is_in_team(&self) -> bool {
        self.exchange.is_some()
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
        (outputs, weights): (Outputs, bool),
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
            outputs,
            cache: used.map_or(CacheOrder::None, |(order, _)| order),
            weights,
            off: used.map_or(Vec::new(), |(_, cache)| cache.off().to_vec()),
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

    /// Hands rows of the residual stream, `[1, rows, n_embd]`, to the others, if this one leads; else gets them.
    pub fn share_rows(&self, rows: Option<&Tensor>, (count, columns): (usize, usize)) -> Result<Tensor> {
        let Some(exchange) = &self.exchange else { return Ok(rows.cloned().ok_or(TeamError::GivenUp)?) };
        let mut numbers = match rows {
            Some(rows) => {
                exchange.announce(&Order::ReadOut(count).to_words())?;
                with_numbers(rows, <[f32]>::to_vec)?
            }
            None => vec![0.0; count * columns],
        };
        for piece in numbers.chunks_mut(exchange.capacity()) {
            match rows {
                Some(_) => exchange.gather(piece, 0..piece.len(), &mut [])?,
                None => exchange.gather(&[], 0..0, piece)?,
            }
        }
        Ok(Tensor::from_vec(numbers, (1, count, columns), &Device::Cpu)?)
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

    /// Attention weights of each member's heads, `[1, own heads, rows, positions]` → `[1, heads, rows, positions]`; for the
    /// one that leads.
    pub fn gather_weights(&self, config: &Config, part: &Tensor) -> Result<Tensor> {
        let Some(exchange) = &self.exchange else { return Ok(part.clone()) };
        let (_, own, rows, positions) = part.dims4()?;
        let (heads, leads) = (config.heads, self.share.member() == 0);
        let first = self.share.part(config, Division::Heads).start / config.head_dim();
        let (all, step) = (rows * positions, (exchange.capacity() / heads).max(1));
        let mut out = vec![0.0; if leads { heads * all } else { 0 }];
        with_numbers(part, |part: &[f32]| {
            // Some numbers of every head at a time.
            (0..all).step_by(step).try_for_each(|begin| {
                let count = step.min(all - begin);
                let piece: Vec<f32> = (0..own).flat_map(|head| &part[head * all + begin..][..count]).copied().collect();
                let place = first * count..(first + own) * count;
                let mut others = vec![0.0; if leads { heads * count } else { 0 }];
                exchange.gather(&piece, place.clone(), &mut others)?;
                if leads {
                    others[place].copy_from_slice(&piece);
                    for (head, numbers) in others.chunks_exact(count).enumerate() {
                        out[head * all + begin..][..count].copy_from_slice(numbers);
                    }
                }
                Ok::<(), TeamError>(())
            })
        })??;
        match leads {
            true => Ok(Tensor::from_vec(out, (1, heads, rows, positions), &Device::Cpu)?),
            false => Ok(part.clone()),
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
