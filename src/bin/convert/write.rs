//! A model → a GGUF file or a Hugging Face folder, with a word on who cannot read it.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use peargpt::app::publish::{self, About, files};
use peargpt::checkpoint::Checkpoint;
use peargpt::checkpoint::export::{self, File, Format};
use peargpt::checkpoint::quantize::Precision;
use peargpt::checkpoint::sha256::hex;
use sha2::{Digest, Sha256};

use crate::read::at;
use crate::{Arguments, bar};

/// Where `--out` says that the model goes.
pub enum Target {
    /// A GGUF file.
    File(PathBuf),
    /// A Hugging Face folder, whose matrices are kept so.
    Folder(PathBuf, Precision),
}

/// What the arguments ask for; nothing where there is no `--out`.
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
pub fn write(checkpoint: &Checkpoint, target: &Target, arguments: &Arguments) -> Result<(), String> {
    let format = match target {
        Target::File(out) => write_file(checkpoint, out, arguments).map(|()| Format::Gguf)?,
        Target::Folder(out, precision) => write_folder(checkpoint, out, *precision).map(|()| Format::HuggingFace)?,
    };
    export::notes(checkpoint, format).iter().for_each(|note| eprintln!("convert: {note}"));
    Ok(())
}

fn write_file(checkpoint: &Checkpoint, out: &Path, arguments: &Arguments) -> Result<(), String> {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let file = export::gguf(checkpoint, arguments.name.as_deref().unwrap_or(&stem), None);
    let file = file.map_err(|error| at(out, error))?;
    stream(checkpoint, file, out).map_err(|error| at(out, error))?;
    match &arguments.catalog {
        Some(catalog) => write_catalog(catalog, out, checkpoint, arguments),
        None => Ok(()),
    }
}

fn write_folder(checkpoint: &Checkpoint, out: &Path, precision: Precision) -> Result<(), String> {
    let files = export::huggingface(checkpoint, precision).map_err(|error| at(out, error))?;
    fs::create_dir_all(out).map_err(|error| at(out, error))?;
    for file in files {
        let path = out.join(file.name());
        stream(checkpoint, file, &path).map_err(|error| at(&path, error))?;
    }
    Ok(())
}

fn stream(checkpoint: &Checkpoint, mut file: File, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (length, bar) = (file.length(), bar("writing bytes", file.length() as usize));
    let mut writer = BufWriter::new(fs::File::create(path)?);
    while file.step(checkpoint, &mut bar.wrap_write(&mut writer))? {}
    writer.into_inner()?.sync_all()?;
    bar.finish_and_clear();
    eprintln!("{}: {length} bytes, sha256 {}", path.display(), sha256(path)?);
    Ok(())
}

/// SHA-256 of a file, in hex.
fn sha256(path: &Path) -> io::Result<String> {
    let (mut reader, mut sha256) = (BufReader::new(fs::File::open(path)?), Sha256::new());
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hex(&sha256.finalize()));
        }
        sha256.update(bytes);
        let count = bytes.len();
        reader.consume(count);
    }
}

/// Writes the file's slices beside it, where it needs any, and its entry.
fn write_catalog(path: &Path, out: &Path, checkpoint: &Checkpoint, arguments: &Arguments) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let url = out.strip_prefix(folder).map_err(|_| at(out, "expected a file in the catalog's folder"))?;
    let bytes = fs::read(out).map_err(|error| at(out, error))?;
    let slices = publish::slices(&bytes, &url.to_string_lossy());
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let about = About { id: said(&arguments.id), title: said(&arguments.title), source: said(&arguments.source) };
    let entry = about.entry(&checkpoint.config, &slices);
    if slices.len() > 1 {
        files::write_slices(folder, &slices).map_err(|error| error.to_string())?;
    }
    files::write_entry(path, entry).map_err(|error| error.to_string())
}
