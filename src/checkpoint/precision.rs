//! How many bits a weight takes in a file.

use candle_core::quantized::GgmlDType;
use serde::{Deserialize, Serialize};

use crate::model::Weights;

/// The dtype of matrices. Biases, norms and positions are small, and stay F32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight.
    F16,
    /// 34 bytes for 32 weights. F16 where the length of a row is not a multiple of 32.
    Q8_0,
}

impl Precision {
    /// The coarsest precision among these dtypes.
    pub(super) fn coarsest(dtypes: impl Iterator<Item = GgmlDType> + Clone) -> Precision {
        let has = |dtype| dtypes.clone().any(|found| found == dtype);
        match (has(GgmlDType::Q8_0), has(GgmlDType::F16)) {
            (true, _) => Precision::Q8_0,
            (false, true) => Precision::F16,
            (false, false) => Precision::F32,
        }
    }

    /// The coarsest precision among these weights.
    pub fn of(weights: &Weights) -> Precision {
        let dtypes: Vec<GgmlDType> = weights.iter().map(|(_, weight)| weight.dtype()).collect();
        Precision::coarsest(dtypes.into_iter())
    }

    /// The dtype of this tensor.
    pub(super) fn dtype(self, name: &str, shape: &[usize]) -> GgmlDType {
        let &[_, columns] = shape else { return GgmlDType::F32 };
        match self {
            _ if name == "position_embd.weight" => GgmlDType::F32,
            Precision::F32 => GgmlDType::F32,
            Precision::Q8_0 if columns.is_multiple_of(GgmlDType::Q8_0.block_size()) => GgmlDType::Q8_0,
            Precision::F16 | Precision::Q8_0 => GgmlDType::F16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::random;
    use crate::checkpoint::testing::{in_precision, small};

    #[test]
    fn weights_are_as_precise_as_their_coarsest() {
        for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
            let weights = in_precision(&small(), random::weights(&small(), 1).unwrap(), precision);
            assert_eq!(Precision::of(&weights), precision);
        }
    }

    #[test]
    fn only_matrices_shrink() {
        let dtype = |name, shape: &[usize]| Precision::Q8_0.dtype(name, shape);
        assert_eq!(dtype("token_embd.weight", &[65, 320]), GgmlDType::Q8_0);
        assert_eq!(dtype("blk.0.ffn_up.weight", &[128, 33]), GgmlDType::F16);
        assert_eq!(dtype("position_embd.weight", &[256, 320]), GgmlDType::F32);
        assert_eq!(dtype("blk.0.ffn_up.bias", &[1280]), GgmlDType::F32);
    }
}
