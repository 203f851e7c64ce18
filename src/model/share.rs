//! How a model is divided among the members of a team: which rows of each matrix a member has, and which heads.

use std::ops::Range;

use super::Config;
use crate::kernels::ROW_BLOCK;

/// A member's part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    member: usize,
    members: usize,
}

/// What is divided. Each member gets whole units, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// The heads' outputs, `[n_embd]`, by whole heads.
    Heads,
    /// `[n_embd]`, by whole row blocks.
    Embedding,
    /// The MLP's hidden layer, `[n_inner]`, by whole row blocks.
    Inner,
    /// The vocabulary, by whole row blocks.
    Vocabulary,
}

impl Share {
    /// All of a model, for who computes alone.
    pub const WHOLE: Share = Share { member: 0, members: 1 };

    /// The part of the member with this number, from 0. The first one leads.
    ///
    /// # Panics
    ///
    /// If there is no such member.
    pub fn new(member: usize, members: usize) -> Self {
        assert!(member < members, "expected a member below {members}, found {member}");
        Share { member, members }
    }

    /// The member's number.
    pub fn member(&self) -> usize {
        self.member
    }

    /// How many there are.
    pub fn members(&self) -> usize {
        self.members
    }

    /// Whether this is all of the model.
    pub fn is_whole(&self) -> bool {
        self.members == 1
    }

    /// What this member has.
    pub fn part(&self, config: &Config, division: Division) -> Range<usize> {
        self.of(self.member, config, division)
    }

    /// What each member has, one after the other.
    pub fn parts(&self, config: &Config, division: Division) -> Vec<Range<usize>> {
        (0..self.members).map(|member| self.of(member, config, division)).collect()
    }

    fn of(&self, member: usize, config: &Config, division: Division) -> Range<usize> {
        let (count, unit) = match division {
            Division::Heads => (config.n_embd, config.head_dim()),
            Division::Embedding => (config.n_embd, ROW_BLOCK),
            Division::Inner => (config.n_inner, ROW_BLOCK),
            Division::Vocabulary => (config.vocabulary_size, ROW_BLOCK),
        };
        let units = count.div_ceil(unit);
        let bound = |member: usize| (units * member / self.members * unit).min(count);
        bound(member)..bound(member + 1)
    }

    /// How many heads this member has.
    pub fn heads(&self, config: &Config) -> usize {
        self.part(config, Division::Heads).len() / config.head_dim()
    }

    /// The rows that this member has of the tensor with this name and so many rows, in their order.
    pub fn rows(&self, config: &Config, name: &str, rows: usize) -> Vec<Range<usize>> {
        let kind = name.rsplit_once('.').map_or(name, |(kind, _)| kind);
        let kind = kind.rsplit_once('.').map_or(kind, |(_, kind)| kind);
        match kind {
            "attn_qkv" => {
                let part = self.part(config, Division::Heads);
                let third = |index: usize| index * config.n_embd + part.start..index * config.n_embd + part.end;
                if self.is_whole() { one(0..rows) } else { (0..3).map(third).collect() }
            }
            "attn_output" | "ffn_down" => one(self.part(config, Division::Embedding)),
            "ffn_up" => one(self.part(config, Division::Inner)),
            "token_embd" | "output" => one(self.part(config, Division::Vocabulary)),
            _ => one(0..rows),
        }
    }
}

fn one(rows: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::tests::peargpt;

    const DIVISIONS: [Division; 4] = [Division::Heads, Division::Embedding, Division::Inner, Division::Vocabulary];

    #[test]
    fn parts_follow_each_other_and_are_all_there_is() {
        let config = peargpt();
        for members in 1..10 {
            for division in DIVISIONS {
                let parts = Share::new(0, members).parts(&config, division);
                let whole = match division {
                    Division::Heads | Division::Embedding => config.n_embd,
                    Division::Inner => config.n_inner,
                    Division::Vocabulary => config.vocabulary_size,
                };
                assert_eq!((parts[0].start, parts[members - 1].end), (0, whole), "{division:?}");
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{division:?}: {parts:?}");
                let unit = if division == Division::Heads { config.head_dim() } else { ROW_BLOCK };
                assert!(parts.iter().all(|part| part.start % unit == 0 || part.start == whole), "{parts:?}");
                let [least, most] =
                    [usize::min, usize::max].map(|choose| parts.iter().map(Range::len).reduce(choose).unwrap());
                assert!(most - least <= unit, "{division:?}: {parts:?}");
            }
        }
    }

    #[test]
    fn each_row_of_each_tensor_has_one_member_or_all() {
        let config = peargpt();
        for (name, rows) in [
            ("blk.3.attn_qkv.weight", 960),
            ("blk.3.attn_qkv.bias", 960),
            ("blk.0.attn_output.weight", 320),
            ("blk.0.ffn_up.bias", 1280),
            ("blk.0.ffn_down.weight", 320),
            ("token_embd.weight", 65),
            ("output.bias", 65),
        ] {
            let mut seen: Vec<usize> =
                (0..3).flat_map(|member| Share::new(member, 3).rows(&config, name, rows)).flatten().collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..rows).collect::<Vec<_>>(), "{name}");
        }
        for (name, rows) in [("blk.0.attn_norm.weight", 320), ("output_norm.bias", 320), ("position_embd.weight", 256)]
        {
            assert_eq!(Share::new(1, 3).rows(&config, name, rows), one(0..rows), "{name}");
        }
        assert_eq!(Share::WHOLE.rows(&config, "blk.0.attn_qkv.weight", 960), one(0..960));
    }
}
