//! A file from a host: resumed where it broke off, tried again, verified.

mod partial;
mod transfer;

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use peargpt::app::protocol::TransferPolicy;

use crate::files::Known;
use partial::Partial;
use transfer::{Fault, Head, Transfer};

/// The longest wait between two tries.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Where files are fetched from.
pub struct Host {
    /// What a `/` and a file's name follow.
    pub address: String,
    /// When a fetch is tried again; tries in a row that bring nothing new are counted.
    pub retry: TransferPolicy,
}

impl Host {
    /// Sees to it that the folder has the file, verified; one that is there is not fetched again.
    pub fn fetch(&self, file: &Known, folder: &Path) -> Result<()> {
        let path = folder.join(file.name);
        if path.exists() {
            match file.fault(&path).with_context(|| path.display().to_string())? {
                None => return Ok(()),
                Some(fault) => {
                    eprintln!("{fault}; deleted, to be fetched again");
                    std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
                }
            }
        }
        let mut partial = Partial::open(folder, file.name).with_context(|| path.display().to_string())?;
        let bar = bar(file);
        let arrived = self.transfer(file, &mut partial, &bar);
        bar.finish_and_clear();
        arrived?;
        let Some(fault) = file.fault(partial.path())? else {
            return partial.finish(&path).with_context(|| path.display().to_string());
        };
        partial.discard()?;
        bail!("{fault}; what was fetched has been deleted, try again");
    }

    /// Fetches until the file has its length.
    fn transfer(&self, file: &Known, partial: &mut Partial, bar: &ProgressBar) -> Result<()> {
        let (mut farthest, mut failures) = (partial.len(), 0);
        while partial.len() != file.bytes {
            match self.attempt(file, partial, bar) {
                Ok(()) => return Ok(()),
                Err(Fault::Lasting(reason)) => bail!(reason),
                Err(Fault::Passing(reason)) => {
                    failures = if partial.len() > farthest { 1 } else { failures + 1 };
                    farthest = farthest.max(partial.len());
                    if failures >= self.retry.tries {
                        bail!("{}: {reason}; what has arrived is kept, try again later", file.name);
                    }
                    let delay = self.delay(failures);
                    bar.suspend(|| eprintln!("{}: {reason}; trying again in {delay:.0?}", file.name));
                    std::thread::sleep(delay);
                }
            }
        }
        Ok(())
    }

    /// The wait after so many failures in a row: twice as long after each.
    fn delay(&self, failures: u32) -> Duration {
        let first = Duration::from_millis(self.retry.delay_ms.into());
        first.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_DELAY)
    }

    /// One request.
    fn attempt(&self, file: &Known, partial: &mut Partial, bar: &ProgressBar) -> Result<(), Fault> {
        let address = format!("{}/{}", self.address, file.name);
        let stall = Duration::from_millis(self.retry.stall_ms.into());
        let transfer = Transfer::start(address, partial.resume(), stall);
        begin(file, partial, &transfer.head()?, bar)?;
        bar.set_position(partial.len());
        while let Some(piece) = transfer.piece()? {
            if partial.len() + piece.len() as u64 > file.bytes {
                return Err(Fault::Lasting(format!("{} is longer than its {} bytes", file.name, file.bytes)));
            }
            partial.append(&piece).map_err(|error| at(partial, &error))?;
            bar.set_position(partial.len());
        }
        match partial.len() {
            len if len == file.bytes => Ok(()),
            len => Err(Fault::Passing(format!("the transfer ended after {len} of {} bytes", file.bytes))),
        }
    }
}

/// Sees to it that what comes belongs behind what is there.
fn begin(file: &Known, partial: &mut Partial, head: &Head, bar: &ProgressBar) -> Result<(), Fault> {
    let announced = head.part.map(|(_, total)| total).or(head.length).unwrap_or(file.bytes);
    let kept = partial.resume().and_then(|resume| resume.tag);
    let is_other = kept.is_some() && head.tag.is_some() && kept != head.tag;
    match head.part {
        Some((start, total)) if start == partial.len() && total == file.bytes && !is_other => Ok(()),
        Some(_) => {
            partial.restart(None).map_err(|error| at(partial, &error))?;
            Err(Fault::Passing("the host has another file by now; starting over".to_string()))
        }
        None if announced != file.bytes => {
            Err(Fault::Lasting(format!("the host announces {announced} bytes of {}, not {}", file.name, file.bytes)))
        }
        None => {
            if partial.len() > 0 {
                bar.suspend(|| eprintln!("{}: the host sends it from its beginning; starting over", file.name));
            }
            partial.restart(head.tag.as_deref()).map_err(|error| at(partial, &error))
        }
    }
}

/// A disk that says no.
fn at(partial: &Partial, error: &std::io::Error) -> Fault {
    Fault::Lasting(format!("{}: {error}", partial.path().display()))
}

fn bar(file: &Known) -> ProgressBar {
    let template = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = ProgressBar::new(file.bytes).with_message(file.name);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
