//! Looks inside the text that was written last: beside the run, or between two.

use std::collections::VecDeque;

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now};
use crate::app::protocol::{At, Event, Mark, Place, Request, Task, View, add_mark, level};
use crate::checkpoint::Model;
use crate::explain::{Answer, Ask, Done, ExplainError, Explainer, Places, Progress, TextSurprise};
use crate::generation::Run;
use crate::model::ModelError;
use crate::tokenizer::{TokenSpan, Utf8Stream};
use crate::wire::Unread;

/// What is asked about the text, and how far the answers are.
#[derive(Default)]
pub struct Inside {
    explainer: Explainer,
    /// The token that was asked about last.
    asked: Option<At>,
    /// The questions that wait.
    questions: VecDeque<Question>,
    /// The one that is being answered: its number, and where its token stands.
    current: Option<(u32, Place)>,
    /// How surprising the tokens are that stand there already.
    surprise: Option<(u32, TextSurprise)>,
    /// Whether the tokens of the next texts are marked.
    pub marks: bool,
    sent: f64,
}

#[derive(Clone, Copy, PartialEq)]
struct Question {
    number: u32,
    at: At,
    view: View,
}

impl Inside {
    /// Takes what the page asks.
    pub fn ask(&mut self, channel: &Channel, model: &Model, run: Option<&mut Run>, request: &Request) {
        match *request {
            Request::Look { run: number, at, view } => {
                // Who looks at another token needs nothing of the one before.
                if self.asked.is_some_and(|asked| asked != at) {
                    self.drop_questions(channel);
                }
                self.asked = Some(at);
                self.questions.push_back(Question { number, at, view });
                if run.is_none() {
                    self.drop_questions(channel);
                }
            }
            Request::Mark { run: number, on } => {
                self.drop_surprise(channel);
                self.marks = on;
                let Some(run) = run else { return interrupt(channel, number) };
                run.record_predictions(on);
                match begin_surprise(model, run) {
                    _ if number == 0 => {}
                    Ok(surprise) if on => self.surprise = Some((number, surprise)),
                    Ok(_) => interrupt(channel, number),
                    Err(error) => fail(channel, number, &error),
                }
            }
            _ => {}
        }
    }

    /// Answers what waits, until another request comes. While a text is written its tokens before are left for later: reading
    /// them would have the text's own be read again.
    pub async fn answer(&mut self, channel: &Channel, model: &Model, run: &mut Run, is_writing: bool) {
        let mut breathed = now();
        loop {
            while let Some(request) = channel.aside() {
                self.ask(channel, model, Some(run), &request);
            }
            let is_idle = self.questions.is_empty() && self.current.is_none();
            if is_idle && (is_writing || self.surprise.is_none()) || channel.interrupted_between(&mut breathed).await {
                return;
            }
            match is_idle {
                false => self.look(channel, model, run),
                true => self.mark(channel, model, run),
            }
        }
    }

    /// The text goes, and with it what is asked about it.
    pub fn forget(&mut self, channel: &Channel) {
        self.drop_questions(channel);
        self.drop_surprise(channel);
    }

    fn drop_questions(&mut self, channel: &Channel) {
        let waiting = self.questions.drain(..).map(|question| question.number);
        let dropped = self.current.take().map(|(number, _)| number).into_iter().chain(waiting);
        dropped.for_each(|number| interrupt(channel, number));
    }

    fn drop_surprise(&mut self, channel: &Channel) {
        if let Some((number, _)) = self.surprise.take() {
            interrupt(channel, number);
        }
    }

    fn look(&mut self, channel: &Channel, model: &Model, run: &mut Run) {
        let (number, place) = match self.current.take() {
            Some(current) => current,
            None => {
                let Some(question) = self.questions.pop_front() else { return };
                let places = Places::of(&model.tokenizer, run);
                let position = position(&places, question.at);
                if let Err(error) = self.explainer.begin(model, run, ask(question.view, position)) {
                    return fail(channel, question.number, &error);
                }
                (question.number, place(&places, position))
            }
        };
        match self.explainer.step(model, run) {
            Ok(Some(Progress::Reading(done))) => {
                self.tell(channel, number, done);
                self.current = Some((number, place));
            }
            Ok(Some(Progress::Done(answer))) => {
                let bounds = bounds(&Places::of(&model.tokenizer, run), &answer);
                let place = Place { bounds, ..place };
                match serde_json::to_string(&answer) {
                    Ok(answer) => channel.send(&Event::Seen { run: number, place, answer }),
                    Err(error) => channel.send(&failed(number, error.to_string())),
                }
            }
            Ok(None) => {}
            Err(error) => fail(channel, number, &error),
        }
    }

    fn mark(&mut self, channel: &Channel, model: &Model, run: &Run) {
        let Some((number, mut surprise)) = self.surprise.take() else { return };
        match surprise.step(model) {
            Ok(Done { done, total }) if done < total => {
                self.tell(channel, number, Done { done, total });
                self.surprise = Some((number, surprise));
            }
            Ok(_) => {
                let (places, mut marks) = (Places::of(&model.tokenizer, run), Vec::new());
                add_mark(&mut marks, places.begin(1), 0); // nothing predicts the first one
                let mut rated = Vec::new();
                for (position, prediction) in (1..places.tokens()).zip(surprise.predictions()) {
                    let (bytes, bits) = (places.begin(position + 1) - places.begin(position), prediction.bits());
                    let TokenSpan { id, text } = model.tokenizer.span(surprise.ids()[position]);
                    add_mark(&mut marks, bytes, level(bits));
                    rated.push((id, text, bits));
                }
                channel.send(&Event::Marked { run: number, marks, surprise: surprise.summary(), rated: Unread(rated) });
            }
            Err(error) => fail(channel, number, &error),
        }
    }

    fn tell(&mut self, channel: &Channel, number: u32, Done { done, total }: Done) {
        if now() - self.sent >= FRAME_MS {
            self.sent = now();
            channel.send(&Event::Looking { run: number, done, total });
        }
    }
}

/// Marks of tokens as they are written.
#[derive(Default)]
pub struct Marking {
    characters: Utf8Stream,
}

impl Marking {
    /// Of the tokens from this one on.
    pub fn of(&mut self, model: &Model, run: &Run, from: usize) -> Vec<Mark> {
        let (decoding, mut marks) = (run.decoding(), Vec::new());
        let first = decoding.ids().len() - run.tokens();
        for (index, id) in (first + from..).zip(run.drawn(from)) {
            let bytes = self.characters.push(model.tokenizer.bytes(*id)).len() as u32;
            let bits = decoding.prediction(index).map_or(0.0, |prediction| prediction.bits());
            add_mark(&mut marks, bytes, level(bits));
        }
        marks
    }
}

fn begin_surprise(model: &Model, run: &Run) -> Result<TextSurprise, ExplainError> {
    let ids = run.decoding().ids();
    let bytes: Vec<u8> = ids.iter().skip(1).flat_map(|id| model.tokenizer.bytes(*id)).copied().collect();
    let characters = String::from_utf8_lossy(&bytes).chars().count();
    TextSurprise::of(model, ids.to_vec(), characters, run.decoding().cache().off())
}

/// The position of a token, which may be beyond the text where it is one itself.
fn position(places: &Places, at: At) -> u32 {
    match at {
        At::Byte(byte) => places.at(byte) as u32,
        At::Position(position) => position,
        At::Last => places.tokens().saturating_sub(1) as u32,
    }
}

/// Where a token of the text stands.
fn place(places: &Places, position: u32) -> Place {
    let bytes = places.bytes(position as usize);
    Place { position, tokens: places.tokens() as u32, bytes, bounds: Vec::new() }
}

fn ask(view: View, position: u32) -> Ask {
    match view {
        // The very first token was not predicted; what it looks at is all that there is to see of it.
        View::Token | View::Lens | View::Way if position == 0 => Ask::Attention(position),
        View::Token => Ask::Token(position),
        View::Lens | View::Way => Ask::Lens(position),
        View::Attention => Ask::Attention(position),
        View::LookedAt => Ask::LookedAt(position),
    }
}

/// Where the tokens begin that a view has beside its own.
fn bounds(places: &Places, answer: &Answer) -> Vec<u32> {
    match answer {
        Answer::Attention(view) => places.bounds(view.window_start as usize..view.position as usize + 1),
        Answer::LookedAt(view) => {
            let seen = view.layers.first().and_then(|heads| heads.first()).map_or(0, Vec::len);
            let from = view.position as usize + 1;
            places.bounds(from..from + seen)
        }
        Answer::Token(_) | Answer::Lens(_) => Vec::new(),
    }
}

/// Tells the page that a question is not answered any more.
fn interrupt(channel: &Channel, number: u32) {
    if number > 0 {
        channel.send(&Event::Interrupted { run: number });
    }
}

/// Tells the page. Where another thread is lost, it starts the engine anew.
fn fail(channel: &Channel, number: u32, error: &ExplainError) {
    let message = error.to_string();
    channel.send(&match error {
        ExplainError::Model(ModelError::Team(_)) => Event::Panicked { message },
        _ => failed(number, message),
    });
}

fn failed(number: u32, message: String) -> Event {
    Event::Failed { task: Task::Run(number), message }
}
