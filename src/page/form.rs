//! What a reader has typed, as typed, and what it amounts to.

use leptos::prelude::*;

use crate::app::permalink::Route;
use crate::app::presets::SAMPLING_PARAMETERS;
use crate::app::settings::{PARAMETERS, Parameter, SettingsError};
use crate::generation::Settings;
use crate::sampler::Sampling;

/// One parameter, as typed.
#[derive(Clone, Copy)]
pub struct Field {
    /// Which.
    pub parameter: &'static Parameter,
    /// What stands in the control.
    pub text: RwSignal<String>,
    /// What is wrong with it, as a sentence.
    pub problem: Memo<Option<String>>,
    /// What stands in the control for the exact number of tokens.
    tokens: RwSignal<String>,
}

/// All parameters, as typed.
#[derive(Clone, Copy)]
pub struct Form {
    fields: [Field; PARAMETERS.len()],
    /// What an address means that says nothing of them.
    defaults: StoredValue<Settings>,
    /// Those with which the page begins.
    initial: StoredValue<Settings>,
}

impl Form {
    /// The form of a page that writes, with its defaults, and those settings with which it begins.
    pub fn new(route: &Route, initial: Settings) -> Self {
        let defaults = route.defaults();
        let tokens = RwSignal::new(String::new());
        let fields = std::array::from_fn(|index| Field::new(&PARAMETERS[index], &defaults, tokens));
        Form { fields, defaults: StoredValue::new(defaults), initial: StoredValue::new(initial) }
    }

    /// All fields, in the order of [`PARAMETERS`].
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name, one of [`PARAMETERS`]'.
    pub fn field(&self, name: &str) -> Field {
        let index = PARAMETERS.iter().position(|parameter| parameter.name == name);
        debug_assert!(index.is_some(), "no parameter {name}");
        self.fields[index.unwrap_or(0)]
    }

    /// Writes settings into the controls.
    pub fn fill(&self, settings: &Settings) {
        for field in self.fields {
            let text = settings.get(field.parameter.name).unwrap_or_default().replace("\r\n", "\n");
            if field.text.get_untracked() != text {
                field.text.set(text);
            }
        }
    }

    /// What the controls amount to; where one is wrong, its default stands.
    pub fn settings(&self) -> Settings {
        let mut settings = self.defaults.get_value();
        for field in self.fields {
            // What is wrong is said at the field.
            settings.set(field.parameter.name, &field.text.get()).ok();
        }
        settings
    }

    /// The settings of a page that was just opened.
    pub fn defaults(&self) -> Settings {
        self.defaults.get_value()
    }

    /// Whether the controls ask for this sampling.
    pub fn has_sampling(&self, sampling: &Sampling) -> bool {
        let is_wrong = |name: &str| self.field(name).problem.get().is_some();
        !SAMPLING_PARAMETERS.into_iter().any(is_wrong) && self.settings().sampling == *sampling
    }

    /// Writes sampling settings into their controls, as a reader would.
    pub fn edit_sampling(&self, sampling: &Sampling) {
        let settings = Settings { sampling: sampling.clone(), ..self.defaults() };
        self.edit(&settings, |name| SAMPLING_PARAMETERS.contains(&name));
    }

    /// Writes what the page begins with into all controls but those of prompt and seed, as a reader would.
    pub fn reset(&self) {
        self.edit(&self.initial.get_value(), |name| !["prompt", "seed"].contains(&name));
    }

    fn edit(&self, settings: &Settings, is_meant: impl Fn(&str) -> bool) {
        for field in self.fields.into_iter().filter(|field| is_meant(field.parameter.name)) {
            field.edit(settings.get(field.parameter.name).unwrap_or_default());
        }
    }

    /// The first field with something wrong in it.
    pub fn wrong(&self) -> Option<Field> {
        self.fields.into_iter().find(|field| field.problem.get_untracked().is_some())
    }
}

impl Field {
    fn new(parameter: &'static Parameter, defaults: &Settings, tokens: RwSignal<String>) -> Self {
        let text = match parameter.name {
            "tokens" => tokens,
            name => RwSignal::new(defaults.get(name).unwrap_or_default()),
        };
        let scratch = StoredValue::new(defaults.clone());
        let check = move |text: &str| scratch.get_value().set(parameter.name, text);
        Field { tokens, ..Field::of(parameter, text, check) }
    }

    /// A field of another form, which `check` holds against what the parameter takes.
    pub fn of(
        parameter: &'static Parameter,
        text: RwSignal<String>,
        check: impl Fn(&str) -> Result<(), SettingsError> + Send + Sync + 'static,
    ) -> Self {
        let problem = Memo::new(move |_| check(&text.get()).err().map(|error| format!("Takes {}.", error.expected)));
        Field { parameter, text, problem, tokens: RwSignal::new(String::new()) }
    }

    /// Takes what the reader sets. The exact number of tokens belongs to one text, and goes with the settings of that.
    pub fn edit(self, text: String) {
        if self.parameter.name != "tokens" && self.text.get_untracked() != text {
            self.tokens.set(String::new());
        }
        self.text.set(text);
    }
}
