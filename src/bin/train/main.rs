//! Trains a model on a text, in the terminal.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

mod arguments;
mod begin;
mod files;
mod sample;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use peargpt::team::keep_candle_to_one_thread;
use peargpt::train::{Run, TrainError, keep_freed_memory};

use crate::arguments::Arguments;
use crate::files::Files;

/// Whether Ctrl-C was pressed.
static STOPPED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    keep_candle_to_one_thread();
    keep_freed_memory();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return fail(&arguments::one_line(&error.to_string())),
    };
    match train(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("train: {message}");
    ExitCode::from(2)
}

fn train(arguments: &Arguments) -> Result<(), String> {
    let mut files = Files::new(&arguments.out);
    let mut run = begin::begin(arguments, &mut files)?;
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    run.set_threads(arguments.threads());
    describe(&run, arguments.threads());
    match steps(&mut run, &mut files, Duration::from_secs_f32(arguments.save_every))? {
        Ended::Learned => {}
        Ended::Stopped => {
            let (step, steps) = (run.steps(), run.recipe().steps);
            return Err(format!("stopped after step {step} of {steps}; go on with the same command and --resume"));
        }
        Ended::Diverged(why) => {
            let Some(good) = begin::resume(arguments, &mut files)? else { return Err(why) };
            files.finish(&good)?;
            let (step, path) = (good.steps(), arguments.out.display());
            return Err(format!("{why}; the last good state, after step {step}, is the model in {path}"));
        }
    }
    let held_out = (!run.dataset().held_out().is_empty()).then(|| run.held_out_loss(usize::MAX)).transpose();
    let held_out = held_out.map_err(|error| error.to_string())?;
    files.finish(&run)?;
    let said = held_out.map_or(String::new(), |loss| format!(", {loss:.5} nats per token on all that is held out"));
    eprintln!("train: {} steps{said}; {} is ready", run.steps(), arguments.out.display());
    Ok(())
}

/// How the steps ended.
enum Ended {
    /// With the last one.
    Learned,
    /// By Ctrl-C; the run is saved.
    Stopped,
    /// Since something is no longer a number.
    Diverged(String),
}

fn describe(run: &Run, threads: usize) {
    let (config, dataset) = (run.config(), run.dataset());
    eprintln!(
        "train: {} parameters ({} × {}, context {}), {} windows to an epoch, {} tokens held out, {} steps of {}, {} \
         thread{}",
        config.parameters(),
        config.layers,
        config.n_embd,
        config.context,
        dataset.windows(),
        dataset.held_out().len(),
        run.recipe().steps,
        run.recipe().settings.batch,
        threads,
        if threads == 1 { "" } else { "s" }
    );
}

/// Takes the steps that are left.
fn steps(run: &mut Run, files: &mut Files, save_every: Duration) -> Result<Ended, String> {
    let (steps, tokens) = (run.recipe().steps, run.recipe().settings.batch * run.config().context);
    let bar = bar(steps);
    bar.set_position(run.steps());
    bar.reset_eta();
    let (mut saved, mut longest) = (Instant::now(), Duration::ZERO);
    let mut rate = Rate { begun: Instant::now(), tokens: 0 };
    loop {
        let begun = Instant::now();
        match run.step() {
            Ok(None) => break,
            Ok(Some(report)) => {
                rate.tokens += tokens;
                bar.set_position(report.step);
                bar.set_message(format!("loss {:.4}  {:.0} tokens/s", report.loss, rate.per_second()));
            }
            Err(error @ TrainError::Diverged { .. }) => return Ok(Ended::Diverged(error.to_string())),
            Err(error) => return Err(error.to_string()),
        }
        let is_last = run.steps() == steps;
        if run.has_point() {
            show_point(run, files, &bar)?;
        }
        longest = longest.max(begun.elapsed());
        let is_stopped = STOPPED.load(Ordering::Relaxed);
        // Before the next step, if that would make the last time too long ago.
        if is_last || is_stopped || saved.elapsed() + longest >= save_every {
            if !run.is_finite().map_err(|error| error.to_string())? {
                return Ok(Ended::Diverged("a weight is no number".to_string()));
            }
            match files.save(run) {
                Err(error) if is_stopped && !is_last => return Err(error),
                // The model's file is smaller, and may be written all the same.
                Err(error) if is_last => bar.suspend(|| eprintln!("train: {error}")),
                // A full disk ends nothing: the next time may go well.
                Err(error) => {
                    bar.suspend(|| eprintln!("train: {error}; the run goes on, and is saved again later"));
                }
                Ok(()) => {}
            }
            saved = Instant::now();
        }
        if is_stopped && !is_last {
            bar.abandon();
            return Ok(Ended::Stopped);
        }
    }
    bar.finish();
    Ok(Ended::Learned)
}

/// Adds a point to the curve, and shows it with a sample.
fn show_point(run: &mut Run, files: &Files, bar: &ProgressBar) -> Result<(), String> {
    let point = run.add_point().map_err(|error| error.to_string())?;
    let held_out = point.held_out.map_or(String::new(), |loss| format!(", held out {loss:.4}"));
    let text = sample::sample(run).map_or(String::new(), |text| format!("\n{text}"));
    bar.suspend(|| {
        eprintln!("step {}: train {:.4}{held_out}{text}", point.step, point.train);
        if let Err(error) = files.draw(run) {
            eprintln!("train: {error}; the curve is drawn again later");
        }
    });
    Ok(())
}

/// Tokens since the program has begun.
struct Rate {
    begun: Instant,
    tokens: usize,
}

impl Rate {
    fn per_second(&self) -> f64 {
        self.tokens as f64 / self.begun.elapsed().as_secs_f64().max(f64::EPSILON)
    }
}

/// A progress bar on stderr; invisible if stderr is not a terminal.
fn bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}  {eta} left");
    let bar = ProgressBar::new(steps);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
