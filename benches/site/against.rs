//! Two built sites in turn, pair after pair: `cargo xtask bench --against DIR`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::pairs::{Measure, Pairs, Side, heading, order};
use crate::samples::Notes;
use crate::sites::Site;
use crate::turn::{Compressed, Numbers, Subject, Turn};
use crate::{files, gpt2, machine, parts, turn};

/// What is compared, and how often.
pub struct Comparison {
    /// Where the old site lies, and the new one.
    pub folders: [PathBuf; 2],
    /// The models.
    pub subjects: Vec<&'static Subject>,
    /// The names of the parts.
    pub parts: Vec<&'static str>,
    /// Pairs.
    pub pairs: u32,
    /// Where GPT-2's weights lie.
    pub weights: PathBuf,
}

/// What was found so far.
#[derive(Default)]
pub struct Found {
    pairs: Pairs,
    notes: Notes,
    /// What computes on each side.
    backends: [Option<String>; 2],
    /// Parts that the old site lacks, with the model.
    lacking: Vec<(&'static str, &'static str)>,
}

impl Comparison {
    /// Runs all of it; what was found before something failed stays in `found`.
    pub async fn run(&self, found: &mut Found) -> Result<()> {
        let compressed = self.compressed()?;
        if self.wants(parts::SIZES) {
            found.sizes(&compressed);
        }
        for subject in &self.subjects {
            let is_measured = |part: &&str| *part != parts::SIZES && parts::is_measured(part, subject.id);
            let parts: Vec<_> = self.parts.iter().copied().filter(is_measured).collect();
            if !parts.is_empty() {
                self.model(subject, &parts, &compressed, found).await?;
            }
        }
        Ok(())
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.contains(&part)
    }

    /// Both sites as hosts send them, where that is of interest.
    fn compressed(&self) -> Result<[Compressed; 2]> {
        if !self.wants(parts::SIZES) && !self.wants(parts::VISIT) {
            return Ok(Default::default());
        }
        let [old, new] = &self.folders;
        Ok([Arc::new(files::compressed(old)?), Arc::new(files::compressed(new)?)])
    }

    /// All pairs with one model. In each, the sites take turns part by part: seconds lie between them, not minutes.
    async fn model(
        &self,
        subject: &'static Subject,
        parts: &[&'static str],
        compressed: &[Compressed; 2],
        found: &mut Found,
    ) -> Result<()> {
        let sites = self.sites(subject, found).await?;
        for pair in 0..self.pairs {
            let title = format!("{}, pair {} of {}", subject.name, pair + 1, self.pairs);
            eprintln!("{title}");
            machine::others(&title).await.into_iter().for_each(|sentence| found.notes.add(sentence));
            for &part in parts {
                for side in order(pair) {
                    if side == Side::Old && found.lacks(subject, part) {
                        continue;
                    }
                    eprintln!("  {part}, {side:?}");
                    let (site, compressed) = (&sites[side as usize], &compressed[side as usize]);
                    let outcome = Turn { subject, site, compressed }.measure(part).await;
                    found.take(subject, part, pair, side, outcome)?;
                }
            }
        }
        Ok(())
    }

    /// Serves both, and has the model fetched once into the browser's storage of each.
    async fn sites(&self, subject: &Subject, found: &mut Found) -> Result<[Site; 2]> {
        eprintln!("{} into the browser's storage, of both sites", subject.name);
        let browser = Site::browser().await?;
        let [old, new] = &self.folders;
        let sites = [Site::new(old, &browser)?, Site::new(new, &browser)?];
        for (site, side) in sites.iter().zip([Side::Old, Side::New]) {
            match self.store(subject, site).await {
                Ok(backend) => found.backends[side as usize] = backend,
                Err(error) if side == Side::New => return Err(error),
                Err(error) => found.notes.add(format!("{}: the old site does not open it: {error:#}.", subject.name)),
            }
        }
        Ok(sites)
    }

    /// Has the model fetched; what computes.
    async fn store(&self, subject: &Subject, site: &Site) -> Result<Option<String>> {
        if subject.id == turn::GPT2.id {
            gpt2::host(&site.server, &site.folder, &self.weights)?;
        }
        let report = site.bench(subject.id, 64, 1).await?;
        site.leave().await?;
        Ok(report["backend"].as_str().map(str::to_string))
    }
}

impl Found {
    /// All of it; `sites` are the old one and the new one in words.
    pub fn markdown(&self, pairs: u32, sites: [&str; 2]) -> String {
        let [old, new] = &self.backends;
        let heading = heading(pairs, sites, [old.as_deref(), new.as_deref()]);
        let (table, notes) = (self.pairs.markdown(), self.notes.markdown());
        format!("{}\n\n{heading}\n{table}{notes}", machine::describe())
    }

    fn lacks(&self, subject: &Subject, part: &'static str) -> bool {
        self.lacking.contains(&(subject.id, part))
    }

    /// Notes down one turn's numbers. An old site may lack what is measured; then the new one is measured alone.
    fn take(
        &mut self,
        subject: &'static Subject,
        part: &'static str,
        pair: u32,
        side: Side,
        outcome: Result<Numbers>,
    ) -> Result<()> {
        let what = format!("{}, {part}, pair {}", subject.name, pair + 1);
        match (outcome, side) {
            (Ok(numbers), _) => {
                numbers.iter().for_each(|(measure, value)| self.pairs.add(measure, pair, side, *value));
            }
            (Err(error), Side::New) => return Err(error).context(what),
            (Err(error), Side::Old) => {
                if pair == 0 {
                    self.lacking.push((subject.id, part));
                }
                self.notes.add(format!("{what}: the old site was not measured: {error:#}."));
            }
        }
        Ok(())
    }

    /// Each program's length; measured once, for it is always the same.
    fn sizes(&mut self, compressed: &[Compressed; 2]) {
        for (side, files) in [Side::Old, Side::New].into_iter().zip(compressed) {
            for (name, file) in files.iter() {
                if let Some(program) = files::program(name) {
                    let measure = Measure::cost(format!("{program}'s WebAssembly, brotli, bytes"));
                    self.pairs.add(&measure, 0, side, file.len() as f64);
                }
            }
        }
    }
}
