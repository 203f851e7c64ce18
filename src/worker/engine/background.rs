//! The engine's second loop, for requests that are answered while the first loop works. Each pauses at least as often
//! as a run does.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::super::channel::{BackgroundRequests, send};
use super::super::held_weights::{discard, rename};
use super::super::storage::list;
use crate::app::protocol::{Event, Request, Task};
use crate::tokenizer::{Spans, Tokenizer};

/// Bytes of text that are encoded before the next pause: a few milliseconds.
const PIECE_BYTES: usize = 32 * 1024;

/// The tokenizer of the open model, which the first loop sets.
#[derive(Clone, Default)]
pub struct Lent(Rc<RefCell<Option<Arc<Tokenizer>>>>);

impl Lent {
    /// Replaces the tokenizer, or removes it.
    pub fn set(&self, tokenizer: Option<Arc<Tokenizer>>) {
        *self.0.borrow_mut() = tokenizer;
    }

    fn tokenizer(&self) -> Option<Arc<Tokenizer>> {
        self.0.borrow().clone()
    }
}

/// Answers as long as the worker lives.
pub async fn answer(background: BackgroundRequests, lent: Lent) {
    loop {
        let (request, _) = background.receive().await;
        match request {
            Request::Tokenize { number, text } => {
                if let Some(tokenizer) = lent.tokenizer() {
                    let Spans { count, first: tokens } = tokenize(&background, &tokenizer, &text).await;
                    send(&Event::Tokenized { number, count, tokens });
                }
            }
            Request::Encode { run, text } => {
                let ids = match lent.tokenizer() {
                    Some(tokenizer) => tokenizer.encode(&text).map_err(|error| error.to_string()),
                    None => Err("no model is open".to_string()),
                };
                send(&Event::Encoded { run, ids });
            }
            Request::Rename { id, title } => {
                if let Err(message) = rename(&id, title).await {
                    send(&Event::Failed { task: Task::Storage, message });
                }
                send(&Event::Stored(list().await));
            }
            Request::ListStored => send(&Event::Stored(list().await)),
            Request::Discard { id } => {
                if let Err(error) = discard(&id).await {
                    send(&Event::Failed { task: Task::Storage, message: error.to_string() });
                }
                send(&Event::Stored(list().await));
            }
            _ => {} // for the first loop
        }
    }
}

/// Counts the tokens of a text.
async fn tokenize(background: &BackgroundRequests, tokenizer: &Tokenizer, text: &str) -> Spans {
    let mut spans = Spans::default();
    let (mut piece, mut rest) = tokenizer.cut(text, PIECE_BYTES);
    spans.push(tokenizer, piece);
    while !rest.is_empty() {
        background.breathe().await;
        (piece, rest) = tokenizer.cut(rest, PIECE_BYTES);
        spans.push(tokenizer, piece);
    }
    spans
}
