//! Addresses: reads and writes the part of a URL after the `#`.
//!
//! `#/peargpt?prompt=ROMEO%3A&seed=7&run=1` has a route, the parameters of [`crate::app::settings`], and two of its
//! own: `model`, the weights that the text was written with, and `run`. A wrong part of an address is reported, and the
//! rest is used.

mod value;

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::value::{count, decode, flag, hex, position, refused, shortened, threads};
use crate::app::self_check::{SelfCheck, SelfCheckError};
use crate::app::settings::{Kind, PARAMETERS, Parameter, SettingsError};
use crate::app::training::{self, TrainSettings};
use crate::generation::Settings;
use crate::tokenizer::Vocabulary;

/// How many hex digits of the weights' SHA-256 stand in an address.
pub const MODEL_DIGITS: usize = 12;

/// These characters are not escaped. All others are, since mail and chat programs might end a link at them.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A page of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// `#/`
    #[default]
    Home,
    /// `#/peargpt`
    PearGpt,
    /// `#/gpt2`
    Gpt2,
    /// `#/model?sha256=…`: a model of the reader's own.
    Own {
        /// SHA-256 of its file, 64 hex digits; empty if the address gives none.
        sha256: String,
    },
    /// `#/bench?model=…&prompt_tokens=…&tokens=…`
    Bench {
        /// The catalog's id.
        model: String,
        /// Length of the prompt, in tokens.
        prompt_tokens: u32,
        /// Tokens to decode after it.
        tokens: u32,
    },
    /// `#/train?size=…`: a model learns a text.
    Train(Box<TrainSettings>),
    /// `#/about?result=…`: what this is, and what a machine has found out about itself.
    About {
        /// Somebody else's result.
        result: Option<SelfCheck>,
    },
    /// A path that no page has.
    Unknown {
        /// The path, without `#`.
        path: String,
    },
}

impl Route {
    fn of(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "" => Route::Home,
            "/peargpt" => Route::PearGpt,
            "/gpt2" => Route::Gpt2,
            "/model" => Route::Own { sha256: String::new() },
            "/bench" => Route::Bench { model: "peargpt".into(), prompt_tokens: 64, tokens: 128 },
            "/train" => Route::Train(Box::default()),
            "/about" => Route::About { result: None },
            _ => Route::Unknown { path: path.to_string() },
        }
    }

    /// The path after the `#`.
    pub fn path(&self) -> &str {
        match self {
            Route::Home => "/",
            Route::PearGpt => "/peargpt",
            Route::Gpt2 => "/gpt2",
            Route::Own { .. } => "/model",
            Route::Bench { .. } => "/bench",
            Route::Train(_) => "/train",
            Route::About { .. } => "/about",
            Route::Unknown { path } => path,
        }
    }

    /// The settings that apply where the address sets nothing.
    pub fn defaults(&self) -> Settings {
        Settings::defaults(self.vocabulary())
    }

    /// The kind of its model's tokens; an assumption until the model is loaded.
    pub fn vocabulary(&self) -> Vocabulary {
        match self {
            Route::Gpt2 => Vocabulary::BytePairs,
            _ => Vocabulary::Characters,
        }
    }

    fn writes(&self) -> bool {
        matches!(self, Route::PearGpt | Route::Gpt2 | Route::Own { .. })
    }

    /// Sets a parameter that only this route has. `None` if it has no such parameter.
    fn set(&mut self, name: &str, value: &str) -> Option<Result<(), SettingsError>> {
        match (self, name) {
            (Route::Own { sha256 }, "sha256") => Some(hex(name, value, 64).map(|digits| *sha256 = digits)),
            (Route::Train(settings), "from") => {
                settings.from = Some(value.to_string()).filter(|id| !id.is_empty());
                Some(Ok(()))
            }
            (Route::Train(settings), _) if training::PARAMETERS.iter().any(|parameter| parameter.name == name) => {
                Some(settings.set(name, value).map_err(|error| refused(name, error.expected, value)))
            }
            (Route::Bench { model, .. }, "model") => {
                *model = value.to_string();
                Some(Ok(()))
            }
            (Route::Bench { prompt_tokens, .. }, "prompt_tokens") => Some(count(name, value, prompt_tokens)),
            (Route::Bench { tokens, .. }, "tokens") => Some(count(name, value, tokens)),
            _ => None,
        }
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Route::Own { sha256 } if !sha256.is_empty() => vec![("sha256", sha256.clone())],
            Route::Bench { model, prompt_tokens, tokens } => vec![
                ("model", model.clone()),
                ("prompt_tokens", prompt_tokens.to_string()),
                ("tokens", tokens.to_string()),
            ],
            Route::Train(settings) => {
                let defaults = TrainSettings::default();
                let parameters = training::PARAMETERS.iter().map(|parameter| parameter.name);
                let changed = parameters.filter(|name| settings.get(name) != defaults.get(name));
                let changed = changed.map(|name| (name, settings.get(name)));
                changed.chain(settings.from.clone().map(|id| ("from", id))).collect()
            }
            Route::About { result } => result.iter().map(|result| ("result", result.to_string())).collect(),
            _ => Vec::new(),
        }
    }
}

/// The contents of an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// The page.
    pub route: Route,
    /// The settings of the run, on pages that write.
    pub settings: Settings,
    /// The first [`MODEL_DIGITS`] hex digits of the weights' SHA-256.
    pub model: Option<String>,
    /// Whether the run starts at once.
    pub run: bool,
    /// How many threads compute: a setting of the machine, which is read here and never written.
    pub threads: Option<u32>,
    /// The token of the text that is looked at.
    pub look: Option<u32>,
    /// The step of the tour that the text belongs to, which is read here and never written.
    pub tour: Option<u32>,
}

/// A wrong part of an address; the rest is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No such page.
    #[error("There is no page “{0}” here.")]
    Route(String),
    /// No such parameter on this page.
    #[error("The address sets “{0}”, which this page does not have; that was left out.")]
    Parameter(String),
    /// A value that is not percent-encoded UTF-8.
    #[error("In the address, “{name}” takes percent-encoded UTF-8, found “{found}”; that was left out.")]
    Encoding {
        /// The parameter.
        name: String,
        /// What stands there.
        found: String,
    },
    /// A value that the parameter does not take.
    #[error("In the address, {0}; the default stands instead.")]
    Value(#[from] SettingsError),
    /// A result that cannot be one.
    #[error("The result in the address cannot be shown: {0}. Ask for its link once more.")]
    Result(#[from] SelfCheckError),
}

impl Address {
    /// The bare address of a page.
    pub fn of(route: Route) -> Self {
        Address { settings: route.defaults(), route, model: None, run: false, threads: None, look: None, tour: None }
    }

    /// Reads `location.hash`, with or without its `#`; of a parameter given twice the last counts,
    /// unless it can be repeated.
    pub fn parse(hash: &str) -> (Self, Vec<AddressError>) {
        let hash = hash.strip_prefix('#').unwrap_or(hash);
        let (path, query) = hash.split_once('?').unwrap_or((hash, ""));
        let mut address = Address::of(Route::of(path));
        if let Route::Unknown { path } = &address.route {
            let problem = AddressError::Route(path.clone());
            return (address, vec![problem]);
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let problems = pairs.filter_map(|pair| address.set(pair).err()).collect();
        (address, problems)
    }

    fn set(&mut self, pair: &str) -> Result<(), AddressError> {
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let encoding = || AddressError::Encoding { name: shortened(name), found: shortened(raw) };
        let name = decode(name).ok_or_else(encoding)?;
        let value = decode(raw).ok_or_else(encoding)?;
        if let (Route::About { result }, "result") = (&mut self.route, name.as_str()) {
            *result = Some(value.parse()?);
            return Ok(());
        }
        if let Some(result) = self.route.set(&name, &value) {
            return Ok(result?);
        }
        if name == "threads" && (self.route.writes() || matches!(self.route, Route::Bench { .. } | Route::Train(_))) {
            return Ok(threads(&name, &value).map(|threads| self.threads = Some(threads))?);
        }
        if !self.route.writes() {
            return Err(AddressError::Parameter(shortened(&name)));
        }
        match name.as_str() {
            "model" => self.model = Some(hex(&name, &value, MODEL_DIGITS)?),
            "run" => self.run = flag(&name, &value)?,
            "look" => self.look = Some(position(&name, &value)?),
            "tour" => self.tour = Some(position(&name, &value)?),
            _ if self.settings.get(&name).is_none() => return Err(AddressError::Parameter(shortened(&name))),
            _ => self.settings.add(&name, &value).map_err(|error| refused(&name, error.expected, &value))?,
        }
        Ok(())
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = self.route.parameters();
        if self.route.writes() {
            let defaults = self.route.defaults();
            for Parameter { name, kind, .. } in PARAMETERS {
                let value = self.settings.get(name).filter(|value| defaults.get(name).as_ref() != Some(value));
                let Some(value) = value else { continue };
                match kind {
                    Kind::Lines => parameters.extend(value.lines().map(|line| (name, line.to_string()))),
                    _ => parameters.push((name, value)),
                }
            }
            parameters.extend(self.model.clone().map(|digits| ("model", digits)));
            parameters.extend(self.run.then(|| ("run", "1".to_string())));
            parameters.extend(self.look.map(|position| ("look", position.to_string())));
        }
        parameters
    }
}

/// Writes the address with its `#`. Values that equal the default are left out.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.route.path())?;
        for (index, (name, value)) in self.parameters().into_iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            match Parameter::named(name).map(|parameter| parameter.kind) {
                Some(Kind::List(_)) => write!(f, "{separator}{name}={value}")?,
                _ => write!(f, "{separator}{name}={}", utf8_percent_encode(&value, &ESCAPED))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
