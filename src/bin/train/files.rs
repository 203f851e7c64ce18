//! What a run leaves on the disk.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use peargpt::train::{Run, TrainError, curve};

/// The files of a run, beside the model's.
pub struct Files {
    out: PathBuf,
    /// The run is saved in these in turn, so that one is whole at any time, whatever happens to the other.
    saved: [PathBuf; 2],
    /// The one that is good: the run went on from it, or was saved in it last.
    good: Option<usize>,
}

impl Files {
    /// Those of a model's file.
    pub fn new(out: &Path) -> Self {
        Files { out: out.into(), saved: [beside(out, "run-0"), beside(out, "run-1")], good: None }
    }

    /// The file of a run that has not ended.
    pub fn a_run(&self) -> Option<&Path> {
        self.saved.iter().map(PathBuf::as_path).find(|path| path.exists())
    }

    /// The saved run that is furthest. One that is damaged is passed over, if the other is whole.
    pub fn resume(&mut self, text: &str, text_sha256: &str) -> Result<Option<Run>, String> {
        let (mut furthest, mut wrong): (Option<Run>, _) = (None, None);
        for (index, path) in self.saved.iter().enumerate().filter(|(_, path)| path.exists()) {
            let file = File::open(path).map_err(TrainError::from);
            match file.and_then(|file| Run::resume(&mut BufReader::new(file), text, text_sha256)) {
                Ok(run) if furthest.as_ref().is_none_or(|other| other.steps() < run.steps()) => {
                    (furthest, self.good) = (Some(run), Some(index));
                }
                Ok(_) => {}
                Err(error) => wrong = Some(format!("{}: {error}", path.display())),
            }
        }
        match (furthest, wrong) {
            (None, Some(error)) => Err(error),
            (furthest, _) => Ok(furthest),
        }
    }

    /// Saves the run where the good one is not.
    pub fn save(&mut self, run: &Run) -> Result<(), String> {
        let next = self.good.map_or(0, |good| 1 - good);
        write_with(&self.saved[next], |file| run.save(&mut BufWriter::new(file)))?;
        self.good = Some(next);
        Ok(())
    }

    /// Writes the curve, which has a point or more.
    pub fn draw(&self, run: &Run) -> Result<(), String> {
        write(&beside(&self.out, "csv"), curve::csv(run.curve()).as_bytes())?;
        write(&beside(&self.out, "svg"), curve::svg(run.curve(), run.steps(), curve::PLAIN).as_bytes())
    }

    /// Writes the model, and removes what the run went on from.
    pub fn finish(&self, run: &Run) -> Result<(), String> {
        let name = self.out.file_stem().map_or("GPT".into(), |stem| stem.to_string_lossy());
        write(&self.out, &run.model(None, &name).map_err(|error| error.to_string())?)?;
        // What stays only takes room.
        for path in &self.saved {
            // The part is a killed process's.
            drop(fs::remove_file(path));
            drop(fs::remove_file(beside(path, "part")));
        }
        Ok(())
    }
}

/// A file's name with an ending behind it.
fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.as_os_str().to_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Writes a file to the disk.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    write_with(path, |file| Ok(file.write_all(bytes)?))
}

/// Writes a file to the disk, under another name before it is whole: what had its name stays until then.
fn write_with(path: &Path, write: impl FnOnce(&mut File) -> Result<(), TrainError>) -> Result<(), String> {
    let part = beside(path, "part");
    let whole = || {
        let mut file = File::create(&part)?;
        write(&mut file)?;
        file.sync_all()?;
        Ok::<(), TrainError>(fs::rename(&part, path)?)
    };
    whole().map_err(|error| {
        // A part only takes room.
        drop(fs::remove_file(&part));
        format!("{}: {error}", path.display())
    })
}
