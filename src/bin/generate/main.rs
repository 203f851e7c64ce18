//! Writes a text in the terminal, with the engine and the parameters of the page.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

mod explain;

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use peargpt::app::settings::{Kind, PARAMETERS, SettingsError};
use peargpt::checkpoint::Model;
use peargpt::explain::ExplainError;
use peargpt::generation::Settings;
use peargpt::generation::StopReason;
use peargpt::generation::{GenerationError, Progress, Run};
use peargpt::sampler::draw_seed;
use peargpt::team::{StartError, Team, keep_candle_to_one_thread};
use peargpt::tokenizer::Vocabulary;

/// The model that comes with the project.
const DEFAULT_MODEL: &str = "weights/peargpt.gguf";

/// Why no text was written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Arguments(String),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{}: {source}", path.display())]
    Model { path: PathBuf, source: StartError },
    #[error(transparent)]
    Generation(#[from] GenerationError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error("no seed could be drawn: {0}")]
    Seed(String),
    #[error("the text could not be written: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    keep_candle_to_one_thread();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // `| head` closes the pipe when it needs no more.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("generate: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let Some(arguments) = parse()? else { return Ok(()) };
    // Checks the values before the model is read. The defaults that apply are known only after that.
    settings(&arguments, Vocabulary::Characters)?;
    let path = model_path(&arguments);
    let threads = arguments.get_one::<u16>("threads").copied().unwrap_or(1);
    let (model, _team) = open(&path, threads)?;
    let settings = settings(&arguments, model.tokenizer.vocabulary())?;
    let seed = match settings.seed {
        Some(seed) => seed,
        None => draw_seed().map_err(|error| Failure::Seed(error.to_string()))?,
    };
    match arguments.get_flag("explain") {
        true => explain(&model, &settings, seed, arguments.get_one::<u32>("look").copied()),
        false => write(&model, &settings, seed),
    }
}

/// The command line; `None` if help or the version was asked for and shown.
fn parse() -> Result<Option<ArgMatches>, Failure> {
    let command = PARAMETERS.iter().fold(command(), |command, parameter| {
        let action = if parameter.kind == Kind::Lines { ArgAction::Append } else { ArgAction::Set };
        let flag = Arg::new(parameter.name).long(parameter.name.replace('_', "-")).action(action);
        command.arg(flag.help(parameter.help).value_name("VALUE").allow_negative_numbers(true))
    });
    match command.try_get_matches() {
        Ok(matches) => Ok(Some(matches)),
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Err(Failure::Arguments(format!("{}; see --help", line.trim_start_matches("error: "))))
        }
        Err(help) => Ok(help.print().map(|()| None)?),
    }
}

fn command() -> Command {
    Command::new("generate")
        .about("Writes a text to standard output; numbers go to standard error.")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("The flags mean what the parameters of the page's address mean, and have the same defaults.")
        .arg(Arg::new("text").value_name("PROMPT").help("The prompt").conflicts_with("prompt"))
        .arg(Arg::new("model").long("model").value_name("FILE").help("A GGUF file [default: weights/peargpt.gguf]"))
        .arg(Arg::new("explain").long("explain").action(ArgAction::SetTrue).help(
            "JSON lines instead of the text: each token with its probability, rank, the entropy and what was drawn",
        ))
        .arg(
            Arg::new("look")
                .long("look")
                .value_name("POSITION")
                .requires("explain")
                .value_parser(value_parser!(u32))
                .help("Behind them: alternatives, lens, attention and who looked here, of the token at this position"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=64))
                .help("Threads that compute; the text is the same for any number [default: 1]"),
        )
}

fn settings(arguments: &ArgMatches, vocabulary: Vocabulary) -> Result<Settings, SettingsError> {
    let mut settings = Settings::defaults(vocabulary);
    for parameter in &PARAMETERS {
        for value in arguments.get_many::<String>(parameter.name).into_iter().flatten() {
            settings.add(parameter.name, value)?;
        }
    }
    if let Some(prompt) = arguments.get_one::<String>("text") {
        settings.set("prompt", prompt)?;
    }
    Ok(settings)
}

/// The file that was named, or the one that comes with the project: in this folder, or in that of the package that
/// `cargo run` runs.
fn model_path(arguments: &ArgMatches) -> PathBuf {
    let package = || Some(Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).join(DEFAULT_MODEL));
    match arguments.get_one::<String>("model") {
        Some(path) => path.into(),
        None if Path::new(DEFAULT_MODEL).exists() => DEFAULT_MODEL.into(),
        None => package().unwrap_or_else(|| DEFAULT_MODEL.into()),
    }
}

/// The model, and the other threads that compute it.
fn open(path: &Path, threads: u16) -> Result<(Model, Team), Failure> {
    let file = path.to_path_buf();
    let opened = Team::open(move || File::open(&file).map(BufReader::new), threads.into());
    opened.map_err(|source| Failure::Model { path: path.into(), source })
}

/// Prints what is to be said of each token to standard output, then the numbers to standard error.
fn explain(model: &Model, settings: &Settings, seed: u32, look: Option<u32>) -> Result<(), Failure> {
    let begun = Instant::now();
    let run = explain::write(model, Run::new(model, settings, seed)?, look)?;
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("seed {seed} · {} tokens · {} words · {seconds:.1} s", run.tokens(), run.words());
    Ok(())
}

/// Streams prompt and text to standard output, then the numbers to standard error.
fn write(model: &Model, settings: &Settings, seed: u32) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut run = Run::new(model, settings, seed)?;
    let mut output = io::stdout().lock();
    output.write_all(settings.prompt.as_bytes())?;
    output.flush()?;
    let mut first_token = None;
    let mut ended_line = settings.prompt.ends_with('\n');
    let reason = loop {
        let (text, reason) = match run.step(model)? {
            Progress::Prefilled => continue,
            Progress::Token(text) => (text, None),
            Progress::Done(text, reason) => (text, Some(reason)),
        };
        first_token.get_or_insert_with(Instant::now);
        output.write_all(text.as_bytes())?;
        output.flush()?;
        ended_line = if text.is_empty() { ended_line } else { text.ends_with('\n') };
        if let Some(reason) = reason {
            break reason;
        }
    };
    if !ended_line {
        output.write_all(b"\n")?;
    }
    output.flush()?;
    let first_token = first_token.unwrap_or_else(Instant::now);
    let seconds = first_token.elapsed().as_secs_f64();
    let rate = run.tokens().saturating_sub(1) as f64 / seconds.max(f64::EPSILON);
    let blank = if io::stderr().is_terminal() && io::stdout().is_terminal() { "\n" } else { "" };
    eprintln!(
        "{blank}seed {seed} · {} tokens · {} words · {rate:.0} tokens/s · first token after {:.0} ms · {} window{}",
        run.tokens(),
        run.words(),
        first_token.duration_since(begun).as_secs_f64() * 1000.0,
        settings.window.name(),
        ending(reason),
    );
    Ok(())
}

fn ending(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Words | StopReason::Tokens | StopReason::Stopped => "",
        StopReason::Tail => " · cut 300 tokens after the last word asked for",
        StopReason::Sequence => " · ended before a stop sequence",
        StopReason::EndOfText => " · the model ended the text",
        StopReason::Runaway => " · stopped: the model writes hardly any words",
    }
}
