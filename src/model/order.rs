//! What the members of a team do together, as words that they hand each other.

use super::{Config, Part};

/// What all members do together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A pass through the model.
    Pass(PassOrder),
    /// Each reads its weights once, for a measurement.
    ReadWeights,
    /// So many rows of the residual stream, which the one that leads hands out, become logits.
    ReadOut(usize),
}

/// A pass that all members go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassOrder {
    /// The ids that are read, one sequence.
    pub ids: Vec<u32>,
    /// The position of the first one.
    pub position: usize,
    /// After which of them logits are wanted.
    pub outputs: Outputs,
    /// Where keys and values are.
    pub cache: CacheOrder,
    /// Whether attention weights are wanted.
    pub weights: bool,
    /// What is switched off.
    pub off: Vec<Part>,
}

/// The rows whose logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// The last row of each sequence. In the last block, the other rows only add their keys and values to the cache.
    Last,
    /// All rows.
    All,
    /// No row: the pass is for who looks inside, and ends behind the last block.
    None,
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

/// Words of the order for a pass, before its ids and the parts that are switched off.
const ORDER_HEAD: usize = 5;

/// Words of a part: the block, and the head or [`MLP`].
const PART: usize = 2;
const MLP: u32 = u32::MAX;

impl Order {
    /// The most words that an order for a model of this shape has.
    pub fn most_words(config: &Config) -> usize {
        ORDER_HEAD + config.context + PART * config.layers * (config.heads + 1)
    }

    /// The order as [`Exchange::announce`](super::Exchange::announce) takes it.
    pub fn to_words(&self) -> Vec<u32> {
        let PassOrder { ids, position, outputs, cache, weights, off } = match self {
            Order::ReadWeights => return Vec::new(),
            Order::ReadOut(rows) => return vec![*rows as u32],
            Order::Pass(pass) => pass,
        };
        let outputs = match outputs {
            Outputs::Last => 0,
            Outputs::All => 1,
            Outputs::None => 2,
        };
        let cache = match cache {
            CacheOrder::None => 0,
            CacheOrder::Append => 1,
            CacheOrder::Read => 2,
        };
        let head: [u32; ORDER_HEAD] = [*position as u32, outputs, cache, u32::from(*weights), ids.len() as u32];
        let parts = off.iter().flat_map(|part| match part {
            Part::Head { layer, head } => [*layer, *head],
            Part::Mlp { layer } => [*layer, MLP],
        });
        head.iter().chain(ids).copied().chain(parts).collect()
    }

    /// The order of these words.
    pub fn from_words(words: &[u32]) -> Self {
        let Some((&[position, outputs, cache, weights, count], rest)) = words.split_first_chunk::<ORDER_HEAD>() else {
            return words.first().map_or(Order::ReadWeights, |rows| Order::ReadOut(*rows as usize));
        };
        let (ids, parts) = rest.split_at((count as usize).min(rest.len()));
        let part = |part: &[u32; PART]| match *part {
            [layer, MLP] => Part::Mlp { layer },
            [layer, head] => Part::Head { layer, head },
        };
        Order::Pass(PassOrder {
            ids: ids.to_vec(),
            position: position as usize,
            outputs: [Outputs::Last, Outputs::All, Outputs::None][outputs as usize % 3],
            cache: [CacheOrder::None, CacheOrder::Append, CacheOrder::Read][cache as usize % 3],
            weights: weights == 1,
            off: parts.as_chunks::<PART>().0.iter().map(part).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_written_and_read_back() {
        let off = vec![Part::Head { layer: 1, head: 3 }, Part::Mlp { layer: 0 }];
        let pass = PassOrder {
            ids: vec![5, 6, 7],
            position: 9,
            outputs: Outputs::None,
            cache: CacheOrder::Read,
            weights: true,
            off: Vec::new(),
        };
        let other = PassOrder { off, outputs: Outputs::All, weights: false, ids: vec![8], ..pass.clone() };
        for order in [Order::ReadWeights, Order::ReadOut(13), Order::Pass(pass), Order::Pass(other)] {
            assert_eq!(Order::from_words(&order.to_words()), order);
        }
    }
}
