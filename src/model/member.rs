//! A model's place in a team: each member computes its rows, and what they computed is put together.

use std::cell::Cell;
use std::fmt::Debug;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::share::{Division, Share};
use super::{Config, KvCache, ModelError, Result};
use crate::kernels::Heads;
use crate::kernels::ops::with_numbers;

/// A pass that all members go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
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
    /// Has every member begin this pass. Only the one that leads calls it.
    fn announce(&self, order: &Order) -> std::result::Result<(), TeamError>;

    /// Puts numbers of every member together: `own` at `place` of `all`. Who needs none of it has an empty `all`.
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
}

impl Member {
    /// Who computes alone.
    pub fn alone() -> Self {
        Member { share: Share::WHOLE, exchange: None, held: Cell::new(None) }
    }

    /// One of several.
    pub fn new(share: Share, exchange: Box<dyn Exchange>) -> Self {
        Member { share, exchange: Some(exchange), held: Cell::new(None) }
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
        let order = Order {
            ids: with_numbers(ids, <[u32]>::to_vec)?,
            position,
            all,
            cache: used.map_or(CacheOrder::None, |(order, _)| order),
        };
        if let Some((_, cache)) = used {
            self.held.set(Some(cache.number()));
        }
        Ok(exchange.announce(&order)?)
    }

    /// `[batch, rows, own]` of each member → `[batch, rows, all]`; of the logits only for the one that leads.
    pub fn gather(&self, config: &Config, part: Tensor, division: Division) -> Result<Tensor> {
        let Some(exchange) = &self.exchange else { return Ok(part) };
        let (batch, rows, own) = part.dims3()?;
        let parts = self.share.parts(config, division);
        let columns = parts.last().map_or(0, |part| part.end);
        // Only the one that leads draws from the logits.
        let gets_all = division != Division::Vocabulary || self.share.member() == 0;
        let mut out = vec![0.0; if gets_all { batch * rows * columns } else { 0 }];
        with_numbers(&part, |part| {
            let step = (exchange.capacity() / columns).max(1);
            (0..batch * rows).step_by(step).try_for_each(|first| {
                let rows = step.min(batch * rows - first);
                let out = if gets_all { &mut out[first * columns..][..rows * columns] } else { &mut [] };
                let part = &part[first * own..][..rows * own];
                gather_columns(exchange.as_ref(), (part, rows), self.share.member(), &parts, out)
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

/// The members' columns of the same rows; who needs none of it has an empty `out`. What is exchanged has one member's after
/// the other's.
fn gather_columns(
    exchange: &dyn Exchange,
    (part, rows): (&[f32], usize),
    member: usize,
    parts: &[Range<usize>],
    out: &mut [f32],
) -> std::result::Result<(), TeamError> {
    let columns = parts.last().map_or(0, |part| part.end);
    let place = |part: &Range<usize>| part.start * rows..part.end * rows;
    if rows == 1 || out.is_empty() {
        return exchange.gather(part, place(&parts[member]), out);
    }
    let mut all = vec![0.0; out.len()];
    exchange.gather(part, place(&parts[member]), &mut all)?;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let numbers = all[place(part)].chunks_exact(part.len());
        for (row, numbers) in out.chunks_exact_mut(columns).zip(numbers) {
            row[part.clone()].copy_from_slice(numbers);
        }
    }
    Ok(())
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
    let mut all = vec![0.0; out.len()];
    exchange.gather(&own, first * columns..first * columns + own.len(), &mut all)?;
    for (row, numbers) in order.iter().zip(all.chunks_exact(columns)) {
        out[row * columns..][..columns].copy_from_slice(numbers);
    }
    Ok(())
}
