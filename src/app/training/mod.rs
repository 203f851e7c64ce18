//! What a reader chooses before a model learns. Each parameter is a control on the page and a parameter of the address; in
//! the terminal it is a flag of `train`.

mod session;

use serde::{Deserialize, Serialize};

pub use self::session::{Answer, Phase, Session};
use super::settings::{Kind, Parameter, SettingsError};
use crate::checkpoint::decimal::shortest;
use crate::train::{Plan, Size};
use crate::wire::{Problems, Read, Value};

/// Hex digits of the text's SHA-256 in an address.
pub const TEXT_DIGITS: usize = 12;
/// The name of the model that is fine-tuned, beside those of [`PARAMETERS`].
const FROM: &str = "from";
/// Characters of the samples' beginning.
const MOST_PROMPT: usize = 200;

/// The names of the sizes.
const SIZES: [&str; 3] = ["tiny", "small", "pear"];

const fn whole(name: &'static str, label: &'static str, help: &'static str, min: u32, max: u32) -> Parameter {
    Parameter { name, label, help, kind: Kind::Whole { min, max, optional: true } }
}

/// All parameters, in the order in which the page shows them.
pub const PARAMETERS: [Parameter; 13] = [
    Parameter {
        name: "size",
        label: "Size",
        help: "tiny learns words in a minute; pear is as large as pearGPT.",
        kind: Kind::Choice(&SIZES),
    },
    whole(
        "steps",
        "Steps",
        "How often all weights change. More steps learn more, until the held-out loss rises.",
        1,
        1_000_000,
    ),
    Parameter {
        name: "prompt",
        label: "Samples begin with",
        help: "The model continues this every so often, so that you see it learn.",
        kind: Kind::Text,
    },
    whole("seed", "Seed", "Same text, settings and seed: same model.", 0, u32::MAX),
    whole("batch_size", "Batch size", "Windows of text per step. Empty: what fits the size.", 1, 4096),
    Parameter {
        name: "dropout",
        label: "Dropout",
        help: "Share of what each part adds that is set to 0 at random, against learning by heart. Empty: what fits the size.",
        kind: Kind::Real { min: 0.0, max: 0.9 },
    },
    Parameter {
        name: "learning_rate",
        label: "AdamW's learning rate",
        help: "Empty: Muon learns the blocks' matrices, which takes fewer steps. nanoGPT's is 0.001.",
        kind: Kind::Real { min: 0.000_001, max: 1.0 },
    },
    Parameter {
        name: "held_out",
        label: "Held out",
        help: "Share at the end of the text that is not learned, to measure on.",
        kind: Kind::Real { min: 0.0, max: 0.9 },
    },
    whole("n_layer", "Blocks", "Attention and MLP, one after another. Empty: the size's.", 1, 48),
    whole("n_head", "Heads", "Attention heads in each block; they divide the width. Empty: the size's.", 1, 64),
    whole("n_embd", "Width", "Numbers that stand for each token. Empty: the size's.", 1, 2048),
    whole("block_size", "Context", "Tokens that the model looks back at. Empty: the size's.", 1, 2048),
    Parameter {
        name: "text",
        label: "Text",
        help: "The first 12 hex digits of the text's SHA-256: who opens the address is asked for that text.",
        kind: Kind::Text,
    },
];

/// What is chosen. In messages and in storage it is text, a line for each parameter: `steps=2000`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TrainSettings {
    /// The run.
    pub plan: Plan,
    /// What samples begin with.
    pub prompt: String,
    /// The first [`TEXT_DIGITS`] hex digits of the text's SHA-256.
    pub text: Option<String>,
    /// The id of the model that is fine-tuned.
    pub from: Option<String>,
}

impl Default for TrainSettings {
    fn default() -> Self {
        let plan = Plan { size: Size::Tiny, steps: Some(Size::Tiny.steps()), ..Plan::default() };
        TrainSettings { plan, prompt: String::new(), text: None, from: None }
    }
}

impl Eq for TrainSettings {}

impl TrainSettings {
    /// Sets the parameter of this name from text. On an error nothing changes.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingsError> {
        let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) else {
            let expected = PARAMETERS.map(|parameter| parameter.name).join(", ");
            return Err(SettingsError { name: "an address".into(), expected, found: name.into() });
        };
        let whole = || parameter.whole(text);
        let count = || Ok::<_, SettingsError>(parameter.whole(text)?.map(|number| number as usize));
        let real = || match text.trim() {
            "" => Ok(None),
            _ => parameter.real(text).map(Some),
        };
        let plan = &mut self.plan;
        match name {
            "size" => {
                let sizes = [Size::Tiny, Size::Small, Size::Pear];
                let found = SIZES.iter().zip(sizes).find(|(name, _)| **name == text);
                plan.size = found.ok_or_else(|| parameter.error(text))?.1;
            }
            "steps" => plan.steps = whole()?.map(u64::from),
            "seed" => plan.seed = whole()?.unwrap_or(Plan::default().seed),
            "batch_size" => plan.batch_size = count()?,
            "dropout" => plan.dropout = real()?,
            "learning_rate" => plan.learning_rate = real()?,
            "held_out" => plan.held_out = real()?.map_or(Plan::default().held_out, shortest),
            "n_layer" => plan.n_layer = count()?,
            "n_head" => plan.n_head = count()?,
            "n_embd" => plan.n_embd = count()?,
            "block_size" => plan.block_size = count()?,
            "prompt" => self.prompt = text.chars().take(MOST_PROMPT).collect(),
            _ => {
                let is_hash = text.len() == TEXT_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !is_hash && !text.is_empty() {
                    let expected = format!("{TEXT_DIGITS} hex digits");
                    return Err(SettingsError { name: name.to_string(), expected, found: text.to_string() });
                }
                self.text = is_hash.then(|| text.to_ascii_lowercase());
            }
        }
        Ok(())
    }

    /// The value of a parameter, in the form that [`set`](Self::set) reads; empty for what the size decides.
    pub fn get(&self, name: &str) -> String {
        fn optional<T: ToString>(value: Option<T>) -> String {
            value.map(|value| value.to_string()).unwrap_or_default()
        }
        let plan = &self.plan;
        match name {
            "size" => SIZES[plan.size as usize].to_string(),
            "steps" => optional(plan.steps),
            "seed" => plan.seed.to_string(),
            "batch_size" => optional(plan.batch_size),
            "dropout" => optional(plan.dropout),
            "learning_rate" => optional(plan.learning_rate),
            "held_out" => plan.held_out.to_string(),
            "n_layer" => optional(plan.n_layer),
            "n_head" => optional(plan.n_head),
            "n_embd" => optional(plan.n_embd),
            "block_size" => optional(plan.block_size),
            "prompt" => self.prompt.clone(),
            "text" => self.text.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

impl From<TrainSettings> for String {
    fn from(settings: TrainSettings) -> Self {
        let line = |name: &str, value: String| format!("{name}={}\n", value.replace('\n', "\u{b}"));
        let lines = PARAMETERS.iter().map(|parameter| line(parameter.name, settings.get(parameter.name)));
        lines.chain([line(FROM, settings.from.clone().unwrap_or_default())]).collect()
    }
}

impl From<String> for TrainSettings {
    /// What is wrong is left as it is by default.
    fn from(lines: String) -> Self {
        let mut settings = TrainSettings::default();
        for (name, value) in lines.lines().filter_map(|line| line.split_once('=')) {
            let value = value.replace('\u{b}', "\n");
            match name {
                FROM => settings.from = Some(value).filter(|id| !id.is_empty()),
                name => drop(settings.set(name, &value)),
            }
        }
        settings
    }
}

impl Read for TrainSettings {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        TrainSettings::from(String::read(value, problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_written_and_read_back() {
        let mut changed = TrainSettings::default();
        let values =
            ["pear", "300", "ROMEO:", "7", "64", "0.2", "0.001", "0.2", "4", "8", "256", "512", "86c4e6aa9db7"];
        for (parameter, value) in PARAMETERS.iter().zip(values) {
            changed.set(parameter.name, value).unwrap();
            assert_eq!(changed.get(parameter.name), value);
        }
        assert_eq!(changed.plan.held_out, 0.2);
        let mut copy = TrainSettings::default();
        for parameter in PARAMETERS {
            assert_ne!(copy.get(parameter.name), changed.get(parameter.name), "{}", parameter.name);
            copy.set(parameter.name, &changed.get(parameter.name)).unwrap();
        }
        assert_eq!(copy, changed);
        let sent = TrainSettings { prompt: "ROMEO:\nO".into(), from: Some("peargpt".into()), ..changed };
        assert_eq!(TrainSettings::from(String::from(sent.clone())), sent);
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.name != "size") {
            copy.set(parameter.name, "").unwrap();
        }
        assert_eq!(copy, TrainSettings { plan: Plan { size: Size::Pear, ..Plan::default() }, ..copy.clone() });
    }

    #[test]
    fn what_a_parameter_does_not_take_is_said_and_changes_nothing() {
        let mut settings = TrainSettings::default();
        for (name, value) in [
            ("size", "huge"),
            ("steps", "0"),
            ("dropout", "1"),
            ("learning_rate", "NaN"),
            ("held_out", "-0.1"),
            ("n_embd", "2049"),
            ("text", "xyz"),
            ("colour", "red"),
        ] {
            let error = settings.set(name, value).unwrap_err();
            let blamed = if name == "colour" { name } else { value };
            assert!(error.to_string().ends_with(&format!("found `{blamed}`")), "{error}");
        }
        assert_eq!(settings, TrainSettings::default());
    }
}
