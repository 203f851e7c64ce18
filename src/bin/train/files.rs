//! What a run leaves on the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use peargpt::checkpoint::precision::Precision;
use peargpt::train::Run;

use crate::curve;

/// The files of a run, beside the model's.
pub struct Files {
    out: PathBuf,
    /// The run is saved in these in turn, so that one is whole at any time.
    saved: [PathBuf; 2],
}

impl Files {
    /// Those of a model's file.
    pub fn new(out: &Path) -> Self {
        Files { out: out.into(), saved: [beside(out, "run-0"), beside(out, "run-1")] }
    }

    /// The saved run that was written last, if there is one.
    pub fn newest(&self) -> Option<&Path> {
        let written = |path: &&PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let there = self.saved.iter().filter(|path| written(path).is_some());
        there.max_by_key(written).map(PathBuf::as_path)
    }

    /// The saved run that is furthest. One that is damaged is passed over, if the other is whole.
    pub fn resume(&self, text: &str, text_sha256: &str) -> Result<Option<Run>, String> {
        let (mut furthest, mut wrong): (Option<Run>, _) = (None, None);
        for path in self.saved.iter().filter(|path| path.exists()) {
            let read = fs::read(path).map_err(|error| error.to_string());
            match read.and_then(|file| Run::resume(&file, text, text_sha256).map_err(|error| error.to_string())) {
                Ok(run) if furthest.as_ref().is_none_or(|other| other.steps() < run.steps()) => furthest = Some(run),
                Ok(_) => {}
                Err(error) => wrong = Some(format!("{}: {error}", path.display())),
            }
        }
        match (furthest, wrong) {
            (None, Some(error)) => Err(error),
            (furthest, _) => Ok(furthest),
        }
    }

    /// Saves the run where it was not saved last, and the curve.
    pub fn save(&self, run: &Run) -> Result<(), String> {
        let bytes = run.save().map_err(|error| error.to_string())?;
        let [first, second] = &self.saved;
        let path = if self.newest() == Some(first) { second } else { first };
        write(path, &bytes)?;
        write(&beside(&self.out, "csv"), curve::csv(run.curve()).as_bytes())?;
        write(&beside(&self.out, "svg"), curve::svg(run.curve()).as_bytes())
    }

    /// Writes the model, and removes what the run went on from.
    pub fn finish(&self, run: &Run, precision: Precision) -> Result<(), String> {
        let name = self.out.file_stem().map_or("GPT".into(), |stem| stem.to_string_lossy());
        write(&self.out, &run.model(precision, &name).map_err(|error| error.to_string())?)?;
        // What stays only takes room.
        self.saved.iter().for_each(|path| drop(fs::remove_file(path)));
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

/// Writes a file to the disk before it counts as written.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = File::create(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
