//! Prints what is to be said of each token, as JSON lines.

use std::io::{self, Write};

use peargpt::checkpoint::Model;
use peargpt::explain::{Answer, Ask, ExplainError, Explainer, Progress as Looked, TokenView};
use peargpt::generation::{Progress, Run};
use serde::Serialize;

use super::Failure;

/// The first token of a text, which was not predicted.
#[derive(Serialize)]
struct First<'a> {
    position: u32,
    id: u32,
    text: &'a str,
}

/// Writes the text, and prints a line for each token of prompt and text. With a position to look at, prints its
/// alternatives, its attention and its lens behind them.
pub fn write(model: &Model, mut run: Run, look: Option<u32>) -> Result<Run, Failure> {
    let mut output = io::stdout().lock();
    let mut explainer = Explainer::new();
    let (mut printed, mut is_done) = (1, false);
    let id = run.decoding().ids()[0];
    line(&mut output, &First { position: 0, id, text: &model.tokenizer.span(id).text })?;
    while !is_done {
        is_done = match run.step(model)? {
            Progress::Prefilled => continue,
            Progress::Token(_) => false,
            Progress::Done(..) => true,
        };
        for position in printed..run.decoding().ids().len() as u32 {
            if let Answer::Token(view) = answer(&mut explainer, model, &mut run, Ask::Token(position))? {
                line(&mut output, &TokenView { alternatives: Vec::new(), ..view })?;
            }
        }
        printed = run.decoding().ids().len() as u32;
        output.flush()?;
    }
    if let Some(position) = look {
        let predicted = [Ask::Token(position), Ask::Lens(position)].into_iter().filter(|_| position > 0);
        for ask in predicted.chain([Ask::Attention(position), Ask::LookedAt(position)]) {
            line(&mut output, &answer(&mut explainer, model, &mut run, ask)?)?;
        }
    }
    output.flush()?;
    Ok(run)
}

fn answer(explainer: &mut Explainer, model: &Model, run: &mut Run, ask: Ask) -> Result<Answer, ExplainError> {
    explainer.begin(model, run, ask)?;
    loop {
        if let Some(Looked::Done(answer)) = explainer.step(model, run)? {
            return Ok(*answer);
        }
    }
}

fn line(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}
