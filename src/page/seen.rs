//! What is seen of the inside of a text: of one of its tokens, and how surprising all of them are.

use leptos::prelude::*;

use super::js::from_json;
use super::sentence;
use crate::app::protocol::{Event, Mark, Place, View};
use crate::explain::{Answer, AttentionView, LensView, LookedAtView, Surprise, TokenView};

/// What is seen of one token, as far as it has been asked for.
#[derive(Clone, Default)]
pub struct Seen {
    /// Where it stands.
    pub place: Place,
    /// How it came to stand there; nothing for the very first one, which was not predicted.
    pub token: Option<TokenView>,
    /// What the model would have said after each layer.
    pub lens: Option<LensView>,
    /// What it looks back at, and where those tokens begin.
    pub attention: Option<(AttentionView, Vec<u32>)>,
    /// What looks back at it, and where those tokens begin.
    pub looked_at: Option<(LookedAtView, Vec<u32>)>,
    /// The answers as they came, as `generate --explain --look` prints them.
    pub json: Vec<(View, String)>,
}

/// A handle to what is looked at.
#[derive(Clone, Copy)]
pub struct Inside {
    /// Whether the panel is open.
    pub is_open: RwSignal<bool>,
    /// The token that is looked at.
    pub seen: RwSignal<Option<Seen>>,
    /// Which view of it is open beside the alternatives.
    pub view: RwSignal<View>,
    /// The head whose weights stand on the text: its layer and its number.
    pub head: RwSignal<(usize, usize)>,
    /// How far an answer is that takes long.
    pub progress: RwSignal<Option<(u32, u32)>>,
    /// Why there is no answer, as a sentence.
    pub problem: RwSignal<Option<String>>,
    /// Whether the text is coloured by surprise.
    pub marks_on: RwSignal<bool>,
    /// How surprising the whole text is.
    pub surprise: RwSignal<Option<Surprise>>,
    /// Stretches of the text, from `marked_from` on.
    pub marks: StoredValue<Vec<Mark>>,
    /// The byte from which on the text is marked.
    pub marked_from: StoredValue<u32>,
    /// The token that an address asks to look at, once the text is there.
    pub wanted: StoredValue<Option<u32>>,
    /// The newest question of each view, whose answer counts.
    pub newest: StoredValue<[u32; 6]>,
}

impl Inside {
    /// Nothing is looked at.
    pub fn new() -> Self {
        Inside {
            is_open: RwSignal::new(false),
            seen: RwSignal::new(None),
            view: RwSignal::new(View::Token),
            head: RwSignal::new((0, 0)),
            progress: RwSignal::new(None),
            problem: RwSignal::new(None),
            marks_on: RwSignal::new(false),
            surprise: RwSignal::new(None),
            marks: StoredValue::default(),
            marked_from: StoredValue::new(0),
            wanted: StoredValue::new(None),
            newest: StoredValue::default(),
        }
    }

    /// Another text stands there, of which so many bytes are the prompt.
    pub fn begin(self, prompt_bytes: u32) {
        self.seen.set(None);
        self.problem.set(None);
        self.surprise.set(None);
        self.marks.set_value(Vec::new());
        self.marked_from.set_value(prompt_bytes);
    }

    /// The position of the token that is looked at.
    pub fn looked_at(self) -> Option<u32> {
        self.seen.with(|seen| seen.as_ref().map(|seen| seen.place.position))
    }

    /// Whether no other question of this kind was asked since.
    pub fn is_newest(self, view: usize, run: u32) -> bool {
        self.newest.with_value(|newest| newest[view] == run)
    }
}

/// The place of a question about the whole text among [`Inside::newest`].
pub const MARKS: usize = 5;

impl Inside {
    /// Takes the answer to a question about a token.
    pub fn hear(self, view: View, event: Event) {
        match event {
            Event::Seen { place, answer, .. } => {
                self.progress.set(None);
                let (json, answer) = (answer.clone(), from_json(&answer));
                self.seen.update(|seen| {
                    let is_same = seen.as_ref().is_some_and(|seen| seen.place.position == place.position);
                    let mut new = seen.take().filter(|_| is_same).unwrap_or_default();
                    let bounds = place.bounds.clone();
                    new.place = Place { bounds: Vec::new(), ..place };
                    match answer {
                        Ok(Answer::Token(token)) => new.token = Some(token),
                        Ok(Answer::Lens(lens)) => new.lens = Some(lens),
                        Ok(Answer::Attention(attention)) => new.attention = Some((attention, bounds)),
                        Ok(Answer::LookedAt(looked_at)) => new.looked_at = Some((looked_at, bounds)),
                        Err(reason) => self.problem.set(Some(sentence(&reason))),
                    }
                    new.json.retain(|(of, _)| *of != view);
                    new.json.push((view, json));
                    *seen = Some(new);
                });
            }
            Event::Looking { done, total, .. } => self.progress.set(Some((done, total))),
            Event::Failed { message, .. } => {
                self.progress.set(None);
                self.problem.set(Some(sentence(&message)));
            }
            Event::Interrupted { .. } => self.progress.set(None),
            _ => {}
        }
    }

    /// Takes the answer to the question how surprising the text is.
    pub fn hear_marks(self, event: Event) {
        match event {
            Event::Marked { marks, surprise, .. } => {
                self.progress.set(None);
                self.marks.set_value(marks);
                self.marked_from.set_value(0);
                self.surprise.set(Some(surprise));
            }
            Event::Looking { done, total, .. } => self.progress.set(Some((done, total))),
            Event::Failed { message, .. } => {
                self.progress.set(None);
                self.problem.set(Some(sentence(&message)));
            }
            Event::Interrupted { .. } => self.progress.set(None),
            _ => {}
        }
    }
}
