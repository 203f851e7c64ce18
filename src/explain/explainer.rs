//! Answers questions about the tokens of a run, a step at a time.

use std::ops::Range;

use candle_core::Tensor;

use super::inside::{Column, Inside};
use super::{Alternative, Answer, Ask, AttentionView, Done, ExplainError, LensView, Likely, LookedAtView, TokenView};
use crate::checkpoint::Model;
use crate::generation::{Decoding, Reading, Run, TILE};
use crate::kernels::ops::with_numbers;
use crate::model::{Gpt, Outputs, Part, Pass};
use crate::sampler::{Prediction, likeliest};

/// The likeliest tokens that are listed at a position.
pub const ALTERNATIVES: usize = 10;

/// The likeliest tokens that are listed after each layer.
pub const LENS: usize = 5;

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A tile has passed a block; the answer needs more steps.
    Reading(Done),
    /// The answer.
    Done(Box<Answer>),
}

/// Answers questions about the tokens of one model's runs. It keeps the window of an earlier token that it has read, for
/// further questions about it. A team has one cache: there the run reads its window again after an earlier one was read.
#[derive(Debug, Default)]
pub struct Explainer {
    window: Option<Window>,
    task: Option<Task>,
}

/// A window of a text that is not the run's present one.
#[derive(Debug)]
struct Window {
    /// The ids from its start on that are read.
    ids: Vec<u32>,
    reading: Reading,
}

/// The question that is being answered.
#[derive(Debug)]
struct Task {
    ask: Ask,
    /// The window's start, as an index in the text's ids.
    start: usize,
    /// The rows of the window that are looked at, by their positions in it.
    rows: Range<usize>,
    /// How many they are; of `rows` those are left that have not been looked at.
    looked: usize,
    /// For [`Ask::LookedAt`].
    column: Option<Column>,
    pass: Option<Pass>,
}

impl Explainer {
    /// An explainer that has read nothing.
    pub fn new() -> Self {
        Explainer::default()
    }

    /// Begins to answer a question; the one before is dropped.
    pub fn begin(&mut self, model: &Model, run: &Run, ask: Ask) -> Result<(), ExplainError> {
        self.task = None;
        let (decoding, gpt) = (run.decoding(), &model.gpt);
        let (position, len) = (ask.position() as usize, decoding.ids().len());
        let least = usize::from(matches!(ask, Ask::Token(_) | Ask::Lens(_)));
        if !(least..len).contains(&position) {
            let [least, most] = [least, len.saturating_sub(1)].map(|position| position as u32);
            return Err(ExplainError::Position { position: ask.position(), least, most });
        }
        // The row that predicts a token is that of the one before it. A token's own row is first read to predict the next.
        let (row, predicted) = if least == 1 { (position - 1, position) } else { (position, position + 1) };
        let start = decoding.window_of(gpt, predicted);
        let rows = match ask {
            // The last token has not been read yet.
            Ask::LookedAt(_) => row - start + 1..(len - 1 - start).min(gpt.config().context),
            _ => row - start..row - start + 1,
        };
        let column =
            matches!(ask, Ask::LookedAt(_)).then(|| Column::new(row - start, gpt.config().layers, gpt.config().heads));
        self.task = Some(Task { ask, start, looked: rows.len(), rows, column, pass: None });
        Ok(())
    }

    /// Goes on with the answer: reads a tile through one block, or answers. Without a question there is nothing to do. The
    /// run writes on as if nobody had looked.
    pub fn step(&mut self, model: &Model, run: &mut Run) -> Result<Option<Progress>, ExplainError> {
        let Some(mut task) = self.task.take() else { return Ok(None) };
        let progress = self.go_on(model, run, &mut task)?;
        if matches!(progress, Progress::Reading(_)) {
            self.task = Some(task);
        }
        Ok(Some(progress))
    }

    fn go_on(&mut self, model: &Model, run: &mut Run, task: &mut Task) -> Result<Progress, ExplainError> {
        let (gpt, layers) = (&model.gpt, model.gpt.config().layers);
        let first = task.rows.start;
        // A single row may be the next to be read; a column takes rows that have been read.
        let (needed, looked) = match task.column {
            Some(_) if task.rows.start < task.rows.end => (task.rows.end, task.looked),
            Some(_) => (0, 0),
            None => (first, 0),
        };
        let total = ((needed + looked) * layers) as u32;
        let decoding = run.decoding_mut();
        let is_present = task.start == decoding.window_start() && decoding.reading().has(gpt, needed);
        if !is_present {
            let ids = &decoding.ids()[task.start..task.start + needed];
            let window = self.window_for(gpt, ids, decoding.cache().off())?;
            if !window.reading.has(gpt, needed) {
                task.pass = None;
                window.reading.step(gpt, &window.ids[..needed], Outputs::None)?;
                return Ok(Progress::Reading(Done { done: window.reading.rows_done(layers) as u32, total }));
            }
        }
        if let Some(column) = task.column.take() {
            let ids = decoding.ids()[task.start..][..needed].to_vec();
            let reading = match (is_present, &self.window) {
                (false, Some(window)) => &window.reading,
                _ => decoding.reading(),
            };
            return task.look_on(gpt, (reading, &ids), column, total);
        }
        let mut inside = if let Ask::Attention(_) = task.ask { Inside::with_heads() } else { Inside::stream() };
        let id = decoding.ids()[task.start + first];
        let reading = match (is_present, &mut self.window) {
            (false, Some(window)) => &mut window.reading,
            _ => decoding.reading_mut(),
        };
        let logits = reading.look(gpt, id, first, &mut inside)?;
        let (position, window_start) = (task.ask.position(), task.start as u32);
        let answer = match task.ask {
            Ask::Token(_) => Answer::Token(token_view(model, decoding, (position, task.start), &logits)?),
            Ask::Lens(_) => {
                let layers = lens(model, &inside.rows()?)?;
                Answer::Lens(LensView { position, window_start, layers, norms: inside.norms()? })
            }
            Ask::Attention(_) | Ask::LookedAt(_) => Answer::Attention(AttentionView {
                position,
                window_start,
                layers: inside.heads()?,
                norms: inside.norms()?,
            }),
        };
        Ok(Progress::Done(Box::new(answer)))
    }

    /// A window of its own that begins with these ids. What it has read of them is kept.
    fn window_for(&mut self, gpt: &Gpt, ids: &[u32], off: &[Part]) -> Result<&mut Window, ExplainError> {
        let mut window = match self.window.take().filter(|window| window.reading.cache().off() == off) {
            Some(window) => window,
            None => Window { ids: Vec::new(), reading: Reading::new(gpt, off)? },
        };
        let shared = window.ids.iter().zip(ids).take_while(|(own, id)| own == id).count();
        if shared < ids.len() {
            if shared < window.ids.len() {
                window.reading.truncate(shared);
            }
            window.ids = ids.to_vec();
        }
        Ok(self.window.insert(window))
    }
}

impl Task {
    /// Takes a tile of later rows through one block more. They have been read.
    fn look_on(
        &mut self,
        gpt: &Gpt,
        (reading, ids): (&Reading, &[u32]),
        mut column: Column,
        total: u32,
    ) -> Result<Progress, ExplainError> {
        let Task { rows, pass, ask, start, .. } = self;
        if rows.start < rows.end {
            let tile = rows.start..rows.end.min(rows.start + TILE);
            let mut current = match pass.take() {
                Some(pass) => pass,
                None => gpt.begin_looking(&ids[tile.clone()], tile.start, reading.cache(), &mut column)?,
            };
            match gpt.look_next_block(&mut current, reading.cache(), &mut column)? {
                true => rows.start = tile.end,
                false => *pass = Some(current),
            }
        }
        if rows.start < rows.end {
            let left = rows.len() * gpt.config().layers - pass.as_ref().map_or(0, |pass| pass.tokens() * pass.blocks());
            self.column = Some(column);
            return Ok(Progress::Reading(Done { done: total - left as u32, total }));
        }
        let (position, window_start) = (ask.position(), *start as u32);
        let view = LookedAtView { position, window_start, layers: column.finish()? };
        Ok(Progress::Done(Box::new(Answer::LookedAt(view))))
    }
}

/// How the token at a position came to stand there, by the logits of the row before it, `[1, 1, vocabulary]`.
fn token_view(
    model: &Model,
    decoding: &Decoding,
    (position, start): (u32, usize),
    logits: &Tensor,
) -> Result<TokenView, ExplainError> {
    let (index, tokenizer) = (position as usize, &model.tokenizer);
    let (id, context) = (decoding.ids()[index], &decoding.ids()[start..index]);
    let (is_prompt, is_taken) = (index < decoding.prompt_len(), decoding.taken(index).is_some());
    let state = decoding.origin(index).filter(|_| !is_taken).map(|origin| origin.sampler);
    let mut sampler = decoding.sampler().clone();
    with_numbers(logits, |logits: &[f32]| {
        let likely = likeliest(logits, ALTERNATIVES);
        let ids: Vec<u32> = likely.iter().map(|(id, _)| *id).chain([id]).collect();
        let explained = sampler.explain(logits, context, &ids, state)?;
        let Prediction { probability, rank, entropy_bits } = Prediction::of(logits, id);
        let alternative = |(&(id, probability), chances): (&(u32, f64), &_)| Alternative {
            id,
            text: tokenizer.span(id).text,
            probability,
            chances: *chances,
        };
        Ok(TokenView {
            position,
            id,
            text: tokenizer.span(id).text,
            window_start: start as u32,
            probability,
            rank,
            entropy_bits,
            chances: explained.chances.last().copied().unwrap_or_default(),
            is_prompt,
            is_taken,
            draw: explained.draw,
            alternatives: likely.iter().zip(&explained.chances).map(alternative).collect(),
        })
    })?
}

/// The likeliest tokens by each of these rows of the residual stream, `[1, rows, n_embd]`.
fn lens(model: &Model, rows: &Tensor) -> Result<Vec<Vec<Likely>>, ExplainError> {
    let logits = model.gpt.read_out(rows)?;
    let likely = |(id, probability)| Likely { id, text: model.tokenizer.span(id).text, probability };
    let size = model.gpt.config().vocabulary_size;
    let of_row = |row: &[f32]| likeliest(row, LENS).into_iter().map(likely).collect();
    Ok(with_numbers(&logits, |logits: &[f32]| logits.chunks_exact(size).map(of_row).collect())?)
}
