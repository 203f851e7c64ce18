//! The settings of a run. Each parameter is a control on the page, a parameter of the address and a flag of `generate`.
//! All three are made from [`PARAMETERS`].

mod list;
mod stop;

use serde::{Deserialize, Serialize};

pub use self::stop::{escaped, unescaped};
use crate::checkpoint::decimal;
use crate::generation::{MOST_STOP_CHARACTERS, MOST_STOPS, Settings, Window};

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// An integer.
    Whole {
        /// The least value.
        min: u32,
        /// The greatest value.
        max: u32,
        /// Whether it may be left empty.
        optional: bool,
    },
    /// A real number.
    Real {
        /// The least value.
        min: f32,
        /// The greatest value.
        max: f32,
    },
    /// Up to [`MOST_STOPS`] texts, one per line, with `\n` for a line end. Flags and addresses repeat the parameter.
    Lines,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Items with commas between them, described by these words. It has no control on the page: a view of its own shows it.
    List(&'static str),
}

/// One thing that a reader can set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Name in addresses; flags write `-` for `_`.
    pub name: &'static str,
    /// Label of the control on the page.
    pub label: &'static str,
    /// One line that says what it does.
    pub help: &'static str,
    /// The values that it takes.
    pub kind: Kind,
}

/// Tokens that can be asked for at most.
pub const MOST_TOKENS: u32 = 200_000;

/// All parameters, in the order in which the page and `--help` show them.
pub const PARAMETERS: [Parameter; 13] = [
    Parameter {
        name: "prompt",
        label: "Prompt",
        help: "Text to continue. Empty: the model starts by itself.",
        kind: Kind::Text,
    },
    Parameter {
        name: "words",
        label: "Words",
        help: "1 to 5000 words; the last paragraph is finished.",
        kind: Kind::Whole { min: 1, max: 5000, optional: false },
    },
    Parameter {
        name: "tokens",
        label: "Exact number of tokens",
        help: "1 to 200000. Exactly this many tokens instead of words; empty: off.",
        kind: Kind::Whole { min: 1, max: MOST_TOKENS, optional: true },
    },
    Parameter {
        name: "stop",
        label: "Stop at",
        help: "Up to 4 texts, one per line; writing ends before any of them. \\n is a line end.",
        kind: Kind::Lines,
    },
    Parameter {
        name: "seed",
        label: "Seed",
        help: "Same seed and settings, same text. Empty: random.",
        kind: Kind::Whole { min: 0, max: u32::MAX, optional: true },
    },
    Parameter {
        name: "temperature",
        label: "Temperature",
        help: "Low: predictable. High: surprising. 0: always the most likely.",
        kind: Kind::Real { min: 0.0, max: 10.0 },
    },
    Parameter {
        name: "top_k",
        label: "Top-k",
        help: "Sample from the k most likely tokens. 0: off.",
        kind: Kind::Whole { min: 0, max: 100_000, optional: false },
    },
    Parameter {
        name: "top_p",
        label: "Top-p",
        help: "Sample from the most likely tokens that together reach this probability. 1: off.",
        kind: Kind::Real { min: 0.0, max: 1.0 },
    },
    Parameter {
        name: "min_p",
        label: "Min-p",
        help: "Drop tokens less likely than this fraction of the most likely. 0: off.",
        kind: Kind::Real { min: 0.0, max: 1.0 },
    },
    Parameter {
        name: "repetition_penalty",
        label: "Repetition penalty",
        help: "Above 1: tokens in the context become less likely. 1: off.",
        kind: Kind::Real { min: 0.1, max: 10.0 },
    },
    Parameter {
        name: "window",
        label: "When the context is full",
        help: "rolling: keep the newer half (fast). exact: recompute the whole context for every token.",
        kind: Kind::Choice(&["rolling", "exact"]),
    },
    Parameter {
        name: "take",
        label: "Tokens taken instead",
        help: "position:id, comma-separated. These tokens stand at these positions, whatever is drawn; the prompt counts.",
        kind: Kind::List("position:id with commas between, each position once"),
    },
    Parameter {
        name: "off",
        label: "Parts switched off",
        help: "layer.head and mlp.layer, comma-separated, from 0. The text is written without these heads and MLPs.",
        kind: Kind::List("layer.head and mlp.layer with commas between"),
    },
];

/// A value that a parameter does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{name} takes {expected}, found `{found}`")]
pub struct SettingsError {
    /// The parameter's name.
    pub name: String,
    /// The values that it takes, in words.
    pub expected: String,
    /// The value that was given.
    pub found: String,
}

impl Parameter {
    /// The parameter with this name in addresses (`top_k`).
    pub fn named(name: &str) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.name == name)
    }

    pub(super) fn error(&self, found: &str) -> SettingsError {
        let expected = match self.kind {
            Kind::Text => "text".to_string(),
            Kind::Whole { min, max, optional } => {
                let or_nothing = if optional { ", or nothing" } else { "" };
                format!("a whole number from {min} to {max}{or_nothing}")
            }
            Kind::Real { min, max } => format!("a number from {min} to {max}"),
            Kind::Lines => format!("up to {MOST_STOPS} texts of 1 to {MOST_STOP_CHARACTERS} characters each"),
            Kind::Choice(names) => names.join(" or "),
            Kind::List(expected) => expected.to_string(),
        };
        SettingsError { name: self.name.to_string(), expected, found: found.to_string() }
    }

    pub(super) fn whole(&self, text: &str) -> Result<Option<u32>, SettingsError> {
        let Kind::Whole { min, max, optional } = self.kind else { return Err(self.error(text)) };
        match text.trim() {
            "" if optional => Ok(None),
            digits => match digits.parse::<u32>() {
                Ok(value) if (min..=max).contains(&value) => Ok(Some(value)),
                _ => Err(self.error(text)),
            },
        }
    }

    pub(super) fn real(&self, text: &str) -> Result<f32, SettingsError> {
        let Kind::Real { min, max } = self.kind else { return Err(self.error(text)) };
        match decimal::parse(text.trim()).map(|value| value as f32) {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.error(text)),
        }
    }
}

impl Settings {
    /// Sets the parameter with this name in addresses from text. On an error nothing changes.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingsError> {
        let Some(parameter) = Parameter::named(name) else {
            let expected = PARAMETERS.map(|parameter| parameter.name).join(", ");
            return Err(SettingsError { name: "an address".into(), expected, found: name.into() });
        };
        let required = |value: Option<u32>| value.ok_or_else(|| parameter.error(text));
        match name {
            "prompt" => self.prompt = text.to_string(),
            "words" => self.words = required(parameter.whole(text)?)?,
            "tokens" => self.tokens = parameter.whole(text)?,
            "stop" => self.stop = stop::of_lines(text).ok_or_else(|| parameter.error(text))?,
            "seed" => self.seed = parameter.whole(text)?,
            "temperature" => self.sampling.temperature = parameter.real(text)?,
            "top_k" => self.sampling.top_k = required(parameter.whole(text)?)?,
            "top_p" => self.sampling.top_p = parameter.real(text)?,
            "min_p" => self.sampling.min_p = parameter.real(text)?,
            "repetition_penalty" => self.sampling.repetition_penalty = parameter.real(text)?,
            "take" => self.take = list::takes(text).map_err(|piece| parameter.error(piece))?,
            "off" => self.off = list::parts(text).map_err(|piece| parameter.error(piece))?,
            _ => {
                self.window = match text {
                    "rolling" => Window::Rolling,
                    "exact" => Window::Exact,
                    _ => return Err(parameter.error(text)),
                }
            }
        }
        Ok(())
    }

    /// Takes a parameter as an address or a flag gives it: as [`set`](Self::set) does, or one more of those that can be
    /// repeated.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), SettingsError> {
        match Parameter::named(name) {
            Some(parameter) if parameter.kind == Kind::Lines => {
                stop::add(&mut self.stop, text).ok_or_else(|| parameter.error(text))
            }
            _ => self.set(name, text),
        }
    }

    /// The value of the parameter with this name in addresses, in the form that [`set`](Self::set) reads. Empty for a
    /// seed that is not set.
    pub fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "prompt" => self.prompt.clone(),
            "words" => self.words.to_string(),
            "tokens" => self.tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
            "stop" => stop::lines(&self.stop),
            "seed" => self.seed.map(|seed| seed.to_string()).unwrap_or_default(),
            "temperature" => self.sampling.temperature.to_string(),
            "top_k" => self.sampling.top_k.to_string(),
            "top_p" => self.sampling.top_p.to_string(),
            "min_p" => self.sampling.min_p.to_string(),
            "repetition_penalty" => self.sampling.repetition_penalty.to_string(),
            "window" => self.window.name().to_string(),
            "take" => list::joined(&self.take),
            "off" => list::joined(&self.off),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Take;
    use crate::model::Part;
    use crate::tokenizer::Vocabulary;

    #[test]
    fn every_parameter_is_written_and_read_back() {
        let mut changed = Settings::defaults(Vocabulary::Characters);
        for (name, value) in [
            ("prompt", "To be,\nor not"),
            ("words", "5000"),
            ("tokens", "200000"),
            ("stop", "JULIET:\n\\n\\n\n C:\\temp"),
            ("seed", "4294967295"),
            ("temperature", "0.35"),
            ("top_k", "40"),
            ("top_p", "0.5"),
            ("min_p", "0.05"),
            ("repetition_penalty", "1.1"),
            ("window", "exact"),
            ("take", "12:318,13:5"),
            ("off", "0.3,1.0,mlp.2"),
        ] {
            changed.set(name, value).unwrap();
            assert_eq!(changed.get(name).as_deref(), Some(value));
        }
        let mut copy = Settings::defaults(Vocabulary::BytePairs);
        for parameter in PARAMETERS {
            copy.set(parameter.name, &changed.get(parameter.name).unwrap()).unwrap();
        }
        assert_eq!(copy, changed);
    }

    #[test]
    fn what_a_parameter_does_not_take_is_said_and_changes_nothing() {
        let before = Settings::defaults(Vocabulary::Characters);
        let mut settings = before.clone();
        for (name, value) in [
            ("words", "0"),
            ("words", "5001"),
            ("words", ""),
            ("words", "ten"),
            ("tokens", "0"),
            ("tokens", "200001"),
            ("stop", "a\nb\nc\nd\ne"),
            ("seed", "-1"),
            ("seed", "4294967296"),
            ("temperature", "NaN"),
            ("temperature", "inf"),
            ("temperature", "-0.1"),
            ("top_p", "1.01"),
            ("window", "sliding"),
            ("take", "12"),
            ("take", "12:"),
            ("take", "12:-1"),
            ("take", "12:5,12:5"),
            ("off", "mlp"),
            ("off", "1.x"),
            ("colour", "red"),
        ] {
            let error = settings.set(name, value).unwrap_err();
            let blamed = if name == "colour" { name } else { value };
            assert!(error.to_string().ends_with(&format!("found `{blamed}`")), "{error}");
        }
        assert_eq!(settings, before);
        let error = settings.set("words", "5001").unwrap_err();
        assert_eq!(error.to_string(), "words takes a whole number from 1 to 5000, found `5001`");
    }

    #[test]
    fn lists_are_sorted_and_the_piece_that_is_wrong_is_named() {
        let mut settings = Settings::defaults(Vocabulary::Characters);
        settings.set("take", "13:5, 12:318").unwrap();
        settings.set("off", "mlp.2,0.3,0.3").unwrap();
        assert_eq!(settings.take, [Take { position: 12, id: 318 }, Take { position: 13, id: 5 }]);
        assert_eq!(settings.off, [Part::Head { layer: 0, head: 3 }, Part::Mlp { layer: 2 }]);
        let error = settings.set("take", "1:2,three:4,5:6").unwrap_err().to_string();
        assert_eq!(error, "take takes position:id with commas between, each position once, found `three:4`");
        let error = settings.set("off", "0.1,,0.2").unwrap_err().to_string();
        assert_eq!(error, "off takes layer.head and mlp.layer with commas between, found ``");
        settings.set("take", "").unwrap();
        settings.set("off", " ").unwrap();
        assert_eq!((settings.take.len(), settings.off.len()), (0, 0));
    }

    #[test]
    fn stop_sequences_are_added_up_to_four_of_a_hundred_characters() {
        let mut settings = Settings::defaults(Vocabulary::Characters);
        for text in ["JULIET:", "\\n\\n", "\n", &"é".repeat(100)] {
            settings.add("stop", text).unwrap();
        }
        assert_eq!(settings.stop, ["JULIET:", "\n\n", "\n", &"é".repeat(100)]);
        assert!(settings.add("stop", "one more").is_err());
        settings.set("stop", "\n").unwrap();
        assert_eq!(settings.stop, [""; 0]);
        let error = settings.add("stop", "").unwrap_err();
        assert_eq!(error.to_string(), "stop takes up to 4 texts of 1 to 100 characters each, found ``");
        assert!(settings.add("stop", &"é".repeat(101)).is_err());
        assert_eq!(settings.stop, [""; 0]);
    }

    #[test]
    fn an_empty_seed_is_one_to_be_drawn() {
        let mut settings = Settings::defaults(Vocabulary::Characters);
        settings.set("seed", "7").unwrap();
        settings.set("seed", " ").unwrap();
        assert_eq!(settings.seed, None);
    }
}
