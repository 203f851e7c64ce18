//! Writes a model as a GGUF file or a Hugging Face folder, and says which programs cannot read it.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use peargpt::app::own::NAME;
use peargpt::app::publish::{self, CatalogNote, files};
use peargpt::checkpoint::export::{self, Format};
use peargpt::checkpoint::import::{self, CheckpointInfo, OutputFile};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::sha256::hex;
use sha2::{Digest, Sha256};

use crate::read::{DiskFiles, at};
use crate::{Arguments, bar};

/// The output that `--out` names.
pub enum Target {
    /// A GGUF file.
    File(PathBuf),
    /// A Hugging Face folder, with matrices in this precision.
    Folder(PathBuf, Precision),
}

/// The output that the arguments ask for; `None` without `--out`.
pub fn target(arguments: &Arguments) -> Result<Option<Target>, String> {
    let Some(out) = arguments.out.clone() else { return Ok(None) };
    let is_folder = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !is_folder {
        return Ok(Some(Target::File(out)));
    }
    if arguments.name.is_some() || arguments.catalog.is_some() {
        return Err(at(&out, "expected a GGUF file beside --name or --catalog, found a folder"));
    }
    match arguments.quantize.map_or(Precision::F32, Precision::from) {
        Precision::Q8_0 => Err(at(&out, "expected --quantize f16 or f32 for a folder, found q8_0")),
        precision => Ok(Some(Target::Folder(out, precision))),
    }
}

/// Writes the model, and says which programs cannot read it.
pub fn write(
    info: &CheckpointInfo,
    files: &mut DiskFiles,
    target: &Target,
    precision: Option<Precision>,
    arguments: &Arguments,
) -> Result<(), String> {
    let format = match target {
        Target::File(out) => write_file(info, files, out, precision, arguments).map(|()| Format::Gguf)?,
        Target::Folder(out, precision) => write_folder(info, files, out, *precision).map(|()| Format::HuggingFace)?,
    };
    export::notes(&info.config, &info.tokenizer, format).iter().for_each(|note| eprintln!("convert: {note}"));
    Ok(())
}

fn write_file(
    info: &CheckpointInfo,
    files: &mut DiskFiles,
    out: &Path,
    precision: Option<Precision>,
    arguments: &Arguments,
) -> Result<(), String> {
    let file = import::to_gguf(info, arguments.name.as_deref().unwrap_or(NAME), precision);
    let file = file.map_err(|error| at(out, error))?;
    stream(info, files, file, out).map_err(|error| at(out, error))?;
    match &arguments.catalog {
        Some(catalog) => write_catalog(catalog, out, info, arguments),
        None => Ok(()),
    }
}

fn write_folder(info: &CheckpointInfo, files: &mut DiskFiles, out: &Path, precision: Precision) -> Result<(), String> {
    let outputs = export::huggingface(info, precision).map_err(|error| at(out, error))?;
    fs::create_dir_all(out).map_err(|error| at(out, error))?;
    for output in outputs {
        let path = out.join(output.name());
        stream(info, files, output, &path).map_err(|error| at(&path, error))?;
    }
    Ok(())
}

/// Writes a file under a temporary name, renames it when it is complete, and prints its SHA-256.
fn stream(
    info: &CheckpointInfo,
    files: &mut DiskFiles,
    mut file: OutputFile,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let (length, bar) = (file.length(), bar("writing bytes", file.length() as usize));
    let new = path.with_added_extension("new");
    let mut writer = Hashed { writer: BufWriter::new(fs::File::create(&new)?), sha256: Sha256::new() };
    let written = (|| {
        while file.step(info, files, &mut bar.wrap_write(&mut writer))? {}
        Ok::<_, Box<dyn std::error::Error>>(())
    })();
    bar.finish_and_clear();
    if written.is_err() {
        fs::remove_file(&new)?;
        return written;
    }
    let Hashed { writer, sha256 } = writer;
    writer.into_inner()?.sync_all()?;
    fs::rename(&new, path)?;
    eprintln!("{}: {length} bytes, sha256 {}", path.display(), hex(&sha256.finalize()));
    Ok(())
}

/// A writer that hashes the bytes.
struct Hashed<W> {
    writer: W,
    sha256: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes the file's slices beside it, if it needs any, and its entry in the catalog.
fn write_catalog(path: &Path, out: &Path, info: &CheckpointInfo, arguments: &Arguments) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let url = out.strip_prefix(folder).map_err(|_| at(out, "expected a file in the catalog's folder"))?;
    let bytes = fs::read(out).map_err(|error| at(out, error))?;
    let slices = publish::slices(&bytes, &url.to_string_lossy());
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let about = CatalogNote { id: said(&arguments.id), title: said(&arguments.title), source: said(&arguments.source) };
    let entry = about.entry(&info.config, &slices);
    if slices.len() > 1 {
        files::write_slices(folder, &slices).map_err(|error| error.to_string())?;
    }
    files::write_entry(path, entry).map_err(|error| error.to_string())
}
