//! Converts a model to the GGUF file that the site serves, or to a Hugging Face folder; describes it, and measures it.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

mod read;
mod verify;
mod write;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use peargpt::app::own::NAME;
use peargpt::checkpoint::Model;
use peargpt::checkpoint::import::{self, CheckpointInfo, Summary, TensorOutline};
use peargpt::checkpoint::precision::Precision;
use peargpt::evaluate::{evaluate, last_share};
use peargpt::team::{Team, keep_candle_to_one_thread};
use read::at;
use write::Target;

/// Convert a GPT-2 to the GGUF file that the site serves or to a Hugging Face folder, describe a model, or measure one.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  convert my-model/ --out weights/my-model.gguf
  convert ckpt.pt meta.pkl --out shakespeare.gguf
  convert nanoGPT.pth --text input.txt --describe --json
  convert weights/my-model.gguf --out my-model/ --quantize f16
  convert weights/peargpt.gguf --describe
  convert weights/peargpt.gguf --evaluate shakespeare.txt --share 0.1
  convert target/gpt2/model.safetensors --verify")]
struct Arguments {
    /// A folder or files: of Hugging Face's GPT-2 (safetensors or torch, in shards or not), of nanoGPT (ckpt.pt, meta.pkl)
    /// or of the lecture's GPT; a GGUF file; or a zip file that the page exported. What they are is found out from what is
    /// in them.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Write a GGUF file; or, where it ends in `/` or is a folder, Hugging Face's files into it.
    #[arg(long, value_name = "FILE.gguf or FOLDER/", required_unless_present_any = ["describe", "evaluate", "verify"])]
    out: Option<PathBuf>,
    /// How matrices are kept [default: q8_0 in a GGUF file, where it is made of one as they are; f32 in a folder].
    #[arg(long, value_enum)]
    quantize: Option<Quantize>,
    /// The model's name in the file [default: GPT, as in the tab, which makes the same file of the same checkpoint].
    #[arg(long, requires = "out")]
    name: Option<String>,
    /// Print what the model is, and its tensors.
    #[arg(long)]
    describe: bool,
    /// Describe the model as one JSON object, without its tensors.
    #[arg(long, requires = "describe")]
    json: bool,
    /// Attention heads per block, where the files do not say.
    #[arg(long)]
    heads: Option<usize>,
    /// A file of a character model's characters in the order of their ids, where the files do not say.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    alphabet: Option<PathBuf>,
    /// The text that a character model was trained on, from which its alphabet follows.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Print the cross-entropy on a text in nats per token.
    #[arg(long, value_name = "TEXT")]
    evaluate: Option<PathBuf>,
    /// How much of the text to measure on, from its end.
    #[arg(long, requires = "evaluate", default_value_t = 1.0, value_parser = share)]
    share: f64,
    /// Threads that measure; the numbers are the same for any number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Hold GPT-2 against its published tokens, logits and text; exit code 1 where it is not GPT-2.
    #[arg(long)]
    verify: bool,
    /// Put the file into a catalog, which is made where there is none.
    #[arg(long, value_name = "catalog.json", requires_all = ["out", "id", "title", "source"])]
    catalog: Option<PathBuf>,
    /// The catalog's name for it in addresses.
    #[arg(long, requires = "catalog")]
    id: Option<String>,
    /// The catalog's name for it for people.
    #[arg(long, requires = "catalog")]
    title: Option<String>,
    /// Where the weights come from, for the catalog.
    #[arg(long, requires = "catalog")]
    source: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Quantize {
    /// 8 bits a weight and a scale for each 32; rows that 32 does not divide in f16.
    #[value(name = "q8_0")]
    Q8_0,
    /// 16 bits a weight.
    F16,
    /// 32 bits a weight.
    F32,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "expected a number".to_string())?;
    let is_right = share > 0.0 && share <= 1.0;
    if is_right { Ok(share) } else { Err("expected more than 0, and at most 1".to_string()) }
}

/// Bad arguments and bad files end in one line, and exit code 2.
fn main() -> ExitCode {
    keep_candle_to_one_thread();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return fail(&one_line(&error.to_string())),
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("convert: {message}");
    ExitCode::from(2)
}

/// Clap's message, up to the blank line before its usage.
fn one_line(message: &str) -> String {
    let told = message.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns `false` if --verify finds that the model is not GPT-2.
fn run(arguments: Arguments) -> Result<bool, String> {
    let Arguments { heads, alphabet, text, .. } = &arguments;
    let target = write::target(&arguments)?;
    let said = read::Hints { heads: *heads, alphabet: alphabet.as_deref(), text: text.as_deref() };
    let (mut files, info) = read::inspect(&arguments.input, &said, arguments.verify)?;
    let precision = match &target {
        Some(Target::File(_)) => arguments.quantize.map_or(info.usual_precision(), |to| Some(to.into())),
        Some(Target::Folder(_, precision)) => Some(*precision),
        None => arguments.quantize.map(Precision::from),
    };
    if arguments.describe {
        print(&describe(&info, precision, arguments.json)?)?;
    }
    if let Some(target) = &target {
        write::write(&info, &mut files, target, precision, &arguments)?;
    }
    if arguments.evaluate.is_none() && !arguments.verify {
        return Ok(true);
    }
    let (model, _team) = open(&info, &mut files, precision, arguments.threads)?;
    if let Some(text) = &arguments.evaluate {
        measure(&model, text, arguments.share)?;
    }
    if arguments.verify { verify::verify(&model) } else { Ok(true) }
}

/// A progress bar on stderr; invisible if stderr is not a terminal.
fn bar(task: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    let bar = ProgressBar::new(length as u64).with_message(task);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

impl From<Quantize> for Precision {
    fn from(to: Quantize) -> Self {
        match to {
            Quantize::Q8_0 => Precision::Q8_0,
            Quantize::F16 => Precision::F16,
            Quantize::F32 => Precision::F32,
        }
    }
}

/// The model that the files are converted to, opened as the site does.
fn open(
    info: &CheckpointInfo,
    files: &mut read::DiskFiles,
    precision: Option<Precision>,
    threads: u16,
) -> Result<(Model, Team), String> {
    let mut file = import::to_gguf(info, NAME, precision).map_err(|error| error.to_string())?;
    let (bar, mut bytes) = (bar("reading tensors", file.length() as usize), Vec::new());
    while file.step(info, files, &mut bytes).map_err(|error| error.to_string())? {
        bar.set_position(bytes.len() as u64);
    }
    bar.finish_and_clear();
    let bytes: Arc<[u8]> = bytes.into();
    Team::open(move || Ok(Cursor::new(Arc::clone(&bytes))), threads.into()).map_err(|error| error.to_string())
}

fn print(text: &str) -> Result<(), String> {
    match writeln!(std::io::stdout(), "{text}") {
        // A closed pipe is no error: its reader needs no more.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn describe(info: &CheckpointInfo, precision: Option<Precision>, json: bool) -> Result<String, String> {
    let summary: Summary = info.summary(precision);
    if json {
        return serde_json::to_string_pretty(&summary).map_err(|error| error.to_string());
    }
    let mut lines = vec![
        summary.to_string(),
        format!("merges: {}", info.tokenizer.merges.len()),
        format!("start: {}, end of text: {:?}", info.tokenizer.start, info.tokenizer.end_of_text),
    ];
    lines.extend(info.outline(precision).map(|TensorOutline { name, dtype, bytes, shape }| {
        let dtype = format!("{dtype:?}");
        format!("{name:<28} {dtype:<5} {bytes:>12} bytes {shape:?}")
    }));
    Ok(lines.join("\n"))
}

fn measure(model: &Model, path: &Path, share: f64) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| at(path, error))?;
    let ids = model.tokenizer.encode(last_share(&text, share)).map_err(|error| at(path, error))?;
    let bar = bar("predicting tokens", ids.len());
    let result = evaluate(&model.gpt, &ids, |predictions| bar.set_position(predictions as u64));
    bar.finish_and_clear();
    match result.map_err(|error| error.to_string())? {
        Some(score) => print(&format!("{:.5} nats per token, {} predictions", score.nats, score.predictions)),
        None => {
            let context = model.gpt.config().context;
            Err(at(path, format!("expected more than {context} tokens, found {}", ids.len())))
        }
    }
}
