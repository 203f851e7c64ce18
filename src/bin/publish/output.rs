//! Writes a site as a zip file or into a folder.

use std::fs;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use peargpt::app::publish::document::MANIFEST;
use peargpt::app::publish::zip::Zip;

use crate::{at, told};

/// A file of the site: its path, its contents and their CRC-32.
type Written = Result<(String, Vec<u8>, u32), String>;

/// Writes a zip file, under a temporary name until it is whole; says what there is now.
pub fn zip(path: &Path, files: impl Iterator<Item = Written>) -> Result<String, String> {
    let new = path.with_added_extension("new");
    let failed = |error| at(&new, error);
    let mut writer = BufWriter::new(fs::File::create(&new).map_err(failed)?);
    let mut zip = Zip::default();
    for file in files {
        let (path, bytes, crc) = file?;
        let header = zip.file(&path, bytes.len() as u64, crc).map_err(told)?;
        writer.write_all(&header).and_then(|()| writer.write_all(&bytes)).map_err(failed)?;
    }
    writer.write_all(&zip.end().map_err(told)?).and_then(|()| writer.flush()).map_err(failed)?;
    fs::rename(&new, path).map_err(|error| at(path, error))?;
    Ok(format!("{} is ready; unpack it on any static server", path.display()))
}

/// Replaces a folder, which may be that of a site; says what there is now. No other that has something in it is touched.
pub fn folder(path: &Path, files: impl Iterator<Item = Written>) -> Result<String, String> {
    if path.file_name().is_none() {
        return Err(at(path, "it is replaced as a whole; name another folder"));
    }
    let is_empty = fs::read_dir(path).is_ok_and(|mut files| files.next().is_none());
    let is_site = path.join(MANIFEST).exists() && !path.join(".git").exists();
    if path.exists() && !is_empty && !is_site {
        return Err(at(path, "it holds something that is no built site; name another folder, or an empty one"));
    }
    let new = path.with_added_extension("new");
    remove(&new)?;
    for file in files {
        let (name, bytes, _) = file?;
        let file = new.join(name);
        let folder = file.parent().unwrap_or(&new);
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, bytes)).map_err(|error| at(&file, error))?;
    }
    remove(path)?;
    fs::rename(&new, path).map_err(|error| at(path, error))?;
    Ok(format!("{} is ready; any static server can serve it", path.display()))
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(folder, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> impl Iterator<Item = Written> {
        ["index.html", MANIFEST, "weights/catalog.json"]
            .map(|name| Ok((name.to_string(), b"abc".to_vec(), 0)))
            .into_iter()
    }

    #[test]
    fn only_a_site_is_replaced() {
        let all = std::env::temp_dir().join(format!("peargpt-publish-{}", std::process::id()));
        let (mine, clone) = (all.join("mine"), all.join("clone"));
        fs::create_dir_all(&mine).unwrap();
        folder(&mine, files()).unwrap();
        fs::write(mine.join("old.js"), "").unwrap();
        folder(&mine, files()).unwrap();
        assert!(mine.join("weights/catalog.json").exists() && !mine.join("old.js").exists());

        fs::create_dir_all(clone.join(".git")).unwrap();
        fs::write(clone.join(MANIFEST), "[]").unwrap();
        for path in [&clone, &all, &all.join("mine/.."), Path::new("/")] {
            assert!(folder(path, files()).unwrap_err().contains("name another folder"), "{}", path.display());
        }
        assert!(clone.join(".git").exists() && mine.join("index.html").exists());
        fs::remove_dir_all(all).unwrap();
    }
}
