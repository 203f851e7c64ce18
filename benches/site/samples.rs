//! What was measured several times, and how it is shown.

/// The values of one quantity, one a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// One more value.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value in the middle, or the mean of the two there.
    pub fn median(&self) -> Option<f64> {
        let (values, middle) = (&self.0, self.0.len() / 2);
        match values.len() {
            0 => None,
            len if len % 2 == 1 => Some(values[middle]),
            _ => Some((values[middle - 1] + values[middle]) / 2.0),
        }
    }

    /// From the least to the most; nothing where all are the same.
    pub fn range(&self) -> Option<(f64, f64)> {
        let (least, most) = (*self.0.first()?, *self.0.last()?);
        (least < most).then_some((least, most))
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        let mut samples = Samples::default();
        values.into_iter().for_each(|value| samples.push(value));
        samples
    }
}

/// Every quantity of every engine, in the order in which they came, and what is to be said of them.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    samples: Vec<(String, &'static str, Samples)>,
    notes: Notes,
    /// The kernels that the site's bench page has named.
    kernels: Vec<String>,
}

/// Sentences that belong to numbers, each once.
#[derive(Clone, Debug, Default)]
pub struct Notes(Vec<String>);

impl Notes {
    /// One more, also said at once.
    pub fn add(&mut self, sentence: String) {
        eprintln!("{sentence}");
        if !self.0.contains(&sentence) {
            self.0.push(sentence);
        }
    }

    /// A paragraph for each.
    pub fn markdown(&self) -> String {
        self.0.iter().map(|note| format!("\n{note}\n")).collect()
    }
}

impl Figures {
    /// Notes down one run's value.
    pub fn add(&mut self, engine: &str, quantity: &'static str, value: f64) {
        let is_this = |(other, of, _): &&mut (String, &str, Samples)| other == engine && *of == quantity;
        if let Some((_, _, samples)) = self.samples.iter_mut().find(is_this) {
            return samples.push(value);
        }
        let mut samples = Samples::default();
        samples.push(value);
        self.samples.push((engine.to_string(), quantity, samples));
    }

    /// The median of an engine's quantity, if it was measured.
    pub fn median(&self, engine: &str, quantity: &str) -> Option<f64> {
        self.samples(engine, quantity)?.median()
    }

    /// The greatest value of an engine's quantity, if it was measured.
    pub fn most(&self, engine: &str, quantity: &str) -> Option<f64> {
        self.samples(engine, quantity)?.0.last().copied()
    }

    fn samples(&self, engine: &str, quantity: &str) -> Option<&Samples> {
        let found = self.samples.iter().find(|(other, of, _)| other == engine && *of == quantity);
        found.map(|(_, _, samples)| samples)
    }

    /// Takes what the bench page says that computes: the kernels, a comma, the number of threads.
    pub fn computed_by(&mut self, backend: &str) {
        let kernels = backend.split(", ").next().unwrap_or_default().to_string();
        if !self.kernels.contains(&kernels) {
            self.kernels.push(kernels);
        }
    }

    /// The kernels that computed.
    pub fn kernels(&self) -> String {
        if self.kernels.is_empty() { "no kernel named".to_string() } else { self.kernels.join(" and ") }
    }

    /// A sentence that belongs to them, such as why something is not among them; also said at once.
    pub fn note(&mut self, sentence: String) {
        self.notes.add(sentence);
    }

    /// All there is, as a table, and the notes.
    pub fn markdown(&self) -> String {
        let rows = self.samples.iter().map(|(engine, quantity, samples)| {
            let range = samples.range().map(|(least, most)| format!("{} … {}", round(least), round(most)));
            let median = samples.median().map(round).unwrap_or_default();
            format!("| {engine} | {quantity} | {median} | {} |\n", range.unwrap_or_default())
        });
        let (rows, notes) = (rows.collect::<String>(), self.notes.markdown());
        format!("| what ran | quantity | median | range |\n|---|---|---|---|\n{rows}{notes}")
    }
}

/// Three significant digits; large and whole numbers whole.
pub fn round(number: f64) -> String {
    let digits = (2.0 - number.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    if number.fract() == 0.0 { number.to_string() } else { format!("{number:.digits$}") }
}
