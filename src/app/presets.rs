//! Presets: values for all sampling settings at once.

use crate::sampler::Sampling;

/// The parameters that a preset sets.
pub const SAMPLING_PARAMETERS: [&str; 5] = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"];

/// A choice of sampling settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Likely tokens only.
    Predictable,
    /// The defaults.
    Balanced,
    /// Unlikely tokens too; min-p drops those that make no sense.
    Surprising,
    /// Always the most likely token.
    Greedy,
}

impl Preset {
    /// All of them, in the order in which the page shows them.
    pub const ALL: [Preset; 4] = [Preset::Predictable, Preset::Balanced, Preset::Surprising, Preset::Greedy];

    /// The name on its button.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Predictable => "Predictable",
            Preset::Balanced => "Balanced",
            Preset::Surprising => "Surprising",
            Preset::Greedy => "Greedy",
        }
    }

    /// Its values, for a model with these defaults.
    pub fn sampling(self, defaults: Sampling) -> Sampling {
        match self {
            Preset::Predictable => Sampling { temperature: 0.5, top_p: 0.9, ..defaults },
            Preset::Balanced => defaults,
            Preset::Surprising => Sampling { temperature: 1.2, top_k: 0, top_p: 1.0, min_p: 0.05, ..defaults },
            Preset::Greedy => Sampling { temperature: 0.0, ..defaults },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Settings;
    use crate::tokenizer::Vocabulary;

    #[test]
    fn presets_differ_and_their_parameters_set_all_of_them() {
        for vocabulary in [Vocabulary::Characters, Vocabulary::BytePairs] {
            let defaults = Settings::defaults(vocabulary);
            for (index, preset) in Preset::ALL.iter().enumerate() {
                let sampling = preset.sampling(defaults.sampling.clone());
                let others = Preset::ALL.iter().skip(index + 1);
                assert!(others.clone().all(|other| other.sampling(defaults.sampling.clone()) != sampling));
                let from = Settings { sampling: sampling.clone(), ..defaults.clone() };
                let mut to = defaults.clone();
                for name in SAMPLING_PARAMETERS {
                    to.set(name, "1").unwrap();
                    to.set(name, &from.get(name).unwrap()).unwrap();
                }
                assert_eq!(to, from, "{}", preset.name());
            }
        }
    }
}
