//! A model of the reader's own: dropped, run, kept where that is possible, taken along.

use std::fs;
use std::io::{Cursor, Write};

use peargpt::app::catalog::sha256;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::downloads::Downloads;
use crate::own::{NANOGPT, fixture};
use crate::reader::Reader;

for_both_engines!(
    a_checkpoint_is_dropped_run_and_taken_along,
    files_are_picked_and_what_is_no_model_is_told_so,
    a_folder_is_dropped_and_a_zip_file,
);

async fn a_checkpoint_is_dropped_run_and_taken_along(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let [ckpt, meta] = NANOGPT.map(|name| fs::read(fixture(name)).unwrap());
    reader.drop_files(&[("shakespeare.pt", &ckpt), ("meta.pkl", &meta)]).await.unwrap();
    let summary = reader.text("summary").await.unwrap();
    for fact in ["nanoGPT", "2 layers, 32 wide, 4 heads", "16 tokens", "F32 in the files"] {
        assert!(summary.contains(fact), "{fact} is not in `{summary}`");
    }
    let id = reader.run_it().await.unwrap();
    let text = reader.write(5).await.unwrap();
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());

    let downloads = Downloads::of(&reader).await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-q8_0").await.unwrap();
    let gguf = downloads.take("shakespeare-q8_0.gguf").await.unwrap();
    assert_eq!(sha256(&gguf), id, "the address is the file's");

    if engine == Engine::WebKit {
        reader.press("keep").await.unwrap();
        let notice = "document.querySelector('[data-testid=notice]')?.textContent";
        let told = reader.browser.wait_until(&format!("{notice}?.includes('not kept') && {notice}")).await.unwrap();
        assert!(told.as_str().unwrap().contains("The model is not kept: "), "{told}");
        return;
    }
    reader.keep().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text, "the address repeats the text after a reload");
}

async fn files_are_picked_and_what_is_no_model_is_told_so(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let said = reader.refusal(&[("pear.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")]).await.unwrap();
    assert!(said.starts_with("This cannot be opened") && said.contains("pear.png: an image"), "{said}");
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.write(3).await.unwrap();
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}

async fn a_folder_is_dropped_and_a_zip_file(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let [ckpt, meta] = NANOGPT.map(|name| fs::read(fixture(name)).unwrap());
    reader.drop_folder("juliet", &[("ckpt.pt", &ckpt)], &[("meta.pkl", &meta)]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("nanoGPT"));
    let id = reader.run_it().await.unwrap();

    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("ckpt.pt", &ckpt), ("meta.pkl", &meta)] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    reader.drop_files(&[("romeo.zip", &zip)]).await.unwrap();
    assert_eq!(reader.run_it().await.unwrap(), id);
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}
