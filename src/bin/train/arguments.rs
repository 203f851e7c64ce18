//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use peargpt::checkpoint::precision::Precision;
use peargpt::train::{Plan, Size};

/// Train a model on a text. The same command, with --steps, gives the same file, byte for byte, with any number of threads and
/// wherever it was interrupted.
#[derive(Parser, Clone, Debug)]
#[command(after_help = "\
Examples:
  train shakespeare.txt --out mine.gguf
  train shakespeare.txt --out mine.gguf --size pear --minutes 120
  train shakespeare.txt --out mine.gguf --resume
  train letters.txt --from weights/peargpt.gguf --out letters.gguf --steps 300
  train shakespeare.txt --out baby.gguf --n-layer 4 --n-head 4 --n-embd 128 --block-size 64 --batch-size 12 --steps 2000")]
pub struct Arguments {
    /// The text to learn, in UTF-8. Each kind of character becomes a token, unless --from names a byte-pair model.
    pub text: PathBuf,
    /// The file to write. Beside it: FILE.csv and FILE.svg, the loss curve, and FILE.run-0 and FILE.run-1, from which the run
    /// goes on; they go once it has ended.
    #[arg(long, value_name = "FILE.gguf")]
    pub out: PathBuf,
    /// The shape, with a batch and dropout that fit.
    #[arg(long, value_enum, default_value_t = Shape::Small)]
    pub size: Shape,
    /// Blocks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=96))]
    pub n_layer: Option<u16>,
    /// Attention heads per block.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub n_head: Option<u16>,
    /// The model's width.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    pub n_embd: Option<u16>,
    /// Tokens of context.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    pub block_size: Option<u16>,
    /// Windows in a batch.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub batch_size: Option<u16>,
    /// The share that dropout sets to 0 of what attention and MLP add; of embeddings and hidden layers half of it.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub dropout: Option<f64>,
    /// AdamW's learning rate, for all weights. Without it Muon learns the blocks' matrices, which takes fewer steps.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub learning_rate: Option<f32>,
    /// Steps.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "minutes")]
    pub steps: Option<u32>,
    /// As many steps as take so long, by a measurement before the first.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub minutes: Option<f32>,
    /// Decides the first weights, those of new characters, the order of the windows and what is dropped.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u32,
    /// Threads that compute [default: one for each core]; the file is the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
    /// The share of the text that is held out, at its end, to measure on.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    pub held_out: f64,
    /// Go on with the run of this file; its recipe is kept, whatever else is said. Where there is none, begin.
    #[arg(long)]
    pub resume: bool,
    /// Seconds between two times that the run is saved: what a kill loses at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 50.0, value_parser = seconds)]
    pub save_every: f32,
    /// Go on from the weights of a model instead of random ones: a GGUF file.
    #[arg(long, value_name = "MODEL.gguf", conflicts_with_all = ["size", "n_layer", "n_head", "n_embd", "block_size"])]
    pub from: Option<PathBuf>,
    /// How matrices are kept in the file.
    #[arg(long, value_enum, default_value_t = Quantize::Q8_0)]
    pub quantize: Quantize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shape {
    /// 4 blocks, 128 wide, 64 tokens.
    Tiny,
    /// 6 blocks, 192 wide, 128 tokens.
    Small,
    /// pearGPT's: 8 blocks, 320 wide, 256 tokens.
    Pear,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Quantize {
    /// 8 bits a weight and a scale for each 32.
    #[value(name = "q8_0")]
    Q8_0,
    /// 32 bits a weight.
    F32,
}

impl Arguments {
    /// What is to be learned, and how.
    pub fn plan(&self) -> Plan {
        let number = |given: Option<u16>| given.map(usize::from);
        Plan {
            size: match self.size {
                Shape::Tiny => Size::Tiny,
                Shape::Small => Size::Small,
                Shape::Pear => Size::Pear,
            },
            n_layer: number(self.n_layer),
            n_head: number(self.n_head),
            n_embd: number(self.n_embd),
            block_size: number(self.block_size),
            batch_size: number(self.batch_size),
            dropout: self.dropout.map(|share| share as f32),
            learning_rate: self.learning_rate,
            steps: self.steps.map(u64::from),
            seed: self.seed,
            held_out: self.held_out,
            precision: match self.quantize {
                Quantize::Q8_0 => Precision::Q8_0,
                Quantize::F32 => Precision::F32,
            },
        }
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }
}

/// Clap's message, up to the blank line before its usage.
pub fn one_line(message: &str) -> String {
    let told = message.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_string())?;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("expected 0 or more, and less than 1".to_string()) }
}

fn rate(text: &str) -> Result<f32, String> {
    let rate: f32 = text.parse().map_err(|_| "expected a number".to_string())?;
    if rate > 0.0 && rate.is_finite() { Ok(rate) } else { Err("expected a number above 0".to_string()) }
}

fn seconds(text: &str) -> Result<f32, String> {
    let seconds: f32 = text.parse().map_err(|_| "expected a number".to_string())?;
    if (0.0..=1e6).contains(&seconds) { Ok(seconds) } else { Err("expected 0 to 1000000".to_string()) }
}
