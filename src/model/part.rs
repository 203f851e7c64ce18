//! Parts of a model that can be switched off.

use std::fmt;

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

/// A part of a block, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Read!)]
pub enum Part {
    /// An attention head. Switched off, its output before the projection is 0.
    Head {
        /// The block.
        layer: u32,
        /// The head in it.
        head: u32,
    },
    /// The MLP. Switched off, it adds nothing to the residual stream.
    Mlp {
        /// The block.
        layer: u32,
    },
}

impl Part {
    /// The block that it is a part of.
    pub fn layer(self) -> u32 {
        match self {
            Part::Head { layer, .. } | Part::Mlp { layer } => layer,
        }
    }

    /// The part of this name, `layer.head` or `mlp.layer`.
    pub fn named(name: &str) -> Option<Part> {
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        match name.split_once('.')? {
            ("mlp", layer) => Some(Part::Mlp { layer: number(layer)? }),
            (layer, head) => Some(Part::Head { layer: number(layer)?, head: number(head)? }),
        }
    }
}

/// The name that addresses and flags use.
impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Head { layer, head } => write!(formatter, "{layer}.{head}"),
            Part::Mlp { layer } => write!(formatter, "mlp.{layer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_a_name() {
        for (name, part) in [("0.3", Part::Head { layer: 0, head: 3 }), ("mlp.11", Part::Mlp { layer: 11 })] {
            assert_eq!((Part::named(name), part.to_string().as_str()), (Some(part), name));
        }
        for name in
            ["", ".", "3", "mlp", "mlp.", "mlp.x", "0.", ".3", "-1.2", "+1.2", "0.3.1", "mlp.1.2", "99999999999.1"]
        {
            assert_eq!(Part::named(name), None, "{name}");
        }
    }
}
