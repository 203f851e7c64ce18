//! One site's turn at one part of a comparison.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;

use crate::page::number;
use crate::pairs::Measure;
use crate::sites::Site;
use crate::{parts, stop, visit};

/// A model as it is measured.
pub struct Subject {
    /// The catalog's id.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// A short prompt and a long one, in tokens.
    prompts: [u32; 2],
    context: u32,
    /// Tokens decoded after the short prompt, within the context.
    decoded: u32,
    /// Tokens of a text with several crossings after it, where that takes a second only.
    text: Option<u32>,
    /// Later runs in one document.
    repeats: u32,
    /// Documents for what each shows once.
    documents: u32,
}

/// 124M parameters.
pub const GPT2: Subject = Subject {
    id: "gpt2",
    name: "GPT-2",
    prompts: [64, 512],
    context: 1024,
    decoded: 128,
    text: None,
    repeats: 2,
    documents: 1,
};
/// The site's own: of what takes milliseconds there are more.
pub const PEARGPT: Subject = Subject {
    id: "peargpt",
    name: "pearGPT",
    prompts: [64, 256],
    context: 256,
    decoded: 180,
    text: Some(1000),
    repeats: 3,
    documents: 3,
};

/// What the programs and texts of a site become with brotli, by name.
pub type Compressed = Arc<BTreeMap<String, Vec<u8>>>;

/// What was measured; the same thing several times, where it is short.
pub type Numbers = Vec<(Measure, f64)>;

/// What is measured, and where.
pub struct Turn<'a> {
    /// The model.
    pub subject: &'a Subject,
    /// The site, whose browser has the model in its storage.
    pub site: &'a Site,
    /// The site, compressed.
    pub compressed: &'a Compressed,
}

impl Turn<'_> {
    /// Measures, and leaves an empty page behind.
    pub async fn measure(&self, part: &str) -> Result<Numbers> {
        let numbers = match part {
            parts::DECODE => self.decode().await?,
            parts::PROMPTS => self.prompts().await?,
            parts::CROSSINGS => self.crossings().await?,
            parts::LOAD => self.load().await?,
            parts::STOP => self.stop().await?,
            parts::VISIT => self.visit().await?,
            _ => Vec::new(),
        };
        self.site.leave().await?;
        Ok(numbers)
    }

    /// Not the document's first run: by the next one the browser's compiler is done.
    async fn decode(&self) -> Result<Numbers> {
        let Subject { id, prompts: [short, _], decoded, repeats, .. } = *self.subject;
        let (measure, mut numbers) = (Measure::rate(self.name("decoding, tokens/s")), Vec::new());
        self.site.bench(id, short, decoded).await?;
        for run in 0..repeats {
            // A token less makes another address.
            let report = self.site.bench_again(id, short, decoded - 1 + run % 2).await?;
            numbers.push((measure.clone(), number(&report, "decode_tokens_per_second")?));
        }
        Ok(numbers)
    }

    /// Both prompts, each as the first one after loading, and later in the same document.
    async fn prompts(&self) -> Result<Numbers> {
        let Subject { id, prompts: [short, long], repeats, documents, .. } = *self.subject;
        let named = |tokens, when| Measure::cost(self.name(&format!("{tokens} tokens of prompt, {when}, ms")));
        let mut numbers = Vec::new();
        for [first, second] in [[short, long], [long, short]].repeat(documents as usize) {
            let report = self.site.bench(id, first, 1).await?;
            numbers.push((named(first, "first after loading"), number(&report, "prefill_ms")?));
            for tokens in [second, first].repeat(repeats as usize) {
                let report = self.site.bench_again(id, tokens, 1).await?;
                numbers.push((named(tokens, "later"), number(&report, "prefill_ms")?));
            }
        }
        Ok(numbers)
    }

    /// After a prompt of the whole context the next token moves the window on: it alone is decoded.
    async fn crossings(&self) -> Result<Numbers> {
        let Subject { id, prompts: [short, _], context, text, repeats, .. } = *self.subject;
        let mut numbers = Vec::new();
        self.site.bench(id, short, 1).await?;
        for _ in 0..repeats {
            let report = self.site.bench_again(id, context, 1).await?;
            let ms = 1000.0 / number(&report, "decode_tokens_per_second")?;
            numbers.push((Measure::cost(self.name("token that moves the window on, ms")), ms));
            let report = self.site.bench_again(id, short, text.unwrap_or(2)).await?;
            if let Some(tokens) = text {
                let ms = 1000.0 / number(&report, "decode_tokens_per_second")?;
                numbers.push((Measure::cost(self.name(&format!("mean token of {tokens} in rolling windows, ms"))), ms));
            }
        }
        Ok(numbers)
    }

    async fn load(&self) -> Result<Numbers> {
        let Subject { id, documents, .. } = *self.subject;
        let mut numbers = Vec::new();
        for _ in 0..2 + documents {
            let report = self.site.bench(id, 1, 1).await?;
            numbers.push((Measure::cost(self.name("from storage to ready, ms")), number(&report, "load_ms")?));
            let ms = self.site.ready(&format!("#/{id}")).await?;
            numbers.push((Measure::cost(self.name("from the address to ready, stored, ms")), ms));
        }
        Ok(numbers)
    }

    async fn stop(&self) -> Result<Numbers> {
        let named = |when| Measure::cost(self.name(&format!("from Stop to stopped while {when}, ms")));
        Ok(vec![
            (named("a prompt is read"), stop::in_prompt(self.site).await?),
            (named("tokens are written"), stop::in_decoding(self.site).await?),
        ])
    }

    async fn visit(&self) -> Result<Numbers> {
        let compressed = Arc::clone(self.compressed);
        let (seconds, _) = visit::first_token(&self.site.folder, compressed).await?;
        Ok(vec![(Measure::cost(self.name("first visit at 10 Mbit/s to first token, s")), seconds)])
    }

    fn name(&self, what: &str) -> String {
        format!("{}, {what}", self.subject.name)
    }
}
