//! Texts: written from the beginning, continued, taken up again, written otherwise.

use super::super::channel::Channel;
use super::super::time::now;
use super::error::ServeError;
use super::open::Open;
use super::text_stream::{Speed, TextStream};
use crate::app::protocol::{Event, Request};
use crate::generation::{Fork, Progress, Run, Settings, StopReason};

/// A text that is about to be written, or to go on.
pub struct Begun {
    /// When it was requested.
    requested: f64,
    /// Tokens that it has already.
    tokens: usize,
    /// The end of its text, which the page does not show yet.
    held_back: String,
}

/// Makes a text what a request wants to be written: from its beginning, from its end, from tokens that were drawn before, or
/// from where it takes other tokens.
pub fn begin(channel: &Channel, open: &mut Open, number: u32, request: Request) -> Result<Begun, ServeError> {
    let requested = now();
    let mut held_back = String::new();
    let run = match request {
        Request::Generate { settings, .. } => {
            open.text = None; // frees its cache before the next one is allocated
            let run = Run::new(&open.model, &settings, settings.seed.ok_or(ServeError::NoSeed)?)?;
            open.put(channel, run)
        }
        Request::Resume { settings, ids, shown, words, .. } => {
            open.text = None; // frees its cache before the next one is allocated
            let seed = settings.seed.ok_or(ServeError::NoSeed)?;
            let (mut run, text) = Run::resume(&open.model, &settings, seed, &ids)?;
            run.extend(words);
            held_back = text.get(shown as usize..).unwrap_or_default().to_string();
            open.put(channel, run)
        }
        Request::Fork { settings, .. } => {
            open.inside.forget(channel);
            let run = open.text.as_mut().ok_or(ServeError::NoText)?;
            let Fork { text, is_continued } = run.fork(&open.model, &settings)?.ok_or(ServeError::SameTokens)?;
            channel.send(&Event::Forked { run: number, kept: run.tokens() as u32, text, is_continued });
            run
        }
        Request::Continue { words, .. } => {
            let run = open.text.as_mut().ok_or(ServeError::NoText)?;
            held_back = run.release();
            run.extend(words);
            run
        }
        _ => return Err(ServeError::NoText),
    };
    let (prompt_tokens, read_tokens) = (run.prompt_tokens() as u32, run.decoding().visible() as u32);
    channel.send(&Event::Started { run: number, prompt_tokens, read_tokens });
    Ok(Begun { requested, tokens: run.tokens(), held_back })
}

/// Reads a text that was written before, or a prompt, and writes nothing.
pub fn read(
    channel: &Channel,
    open: Option<&mut Open>,
    number: u32,
    settings: &Settings,
    ids: &[u32],
) -> Result<(), ServeError> {
    let open = open.ok_or(ServeError::NoModel)?;
    open.text = None; // frees its cache before the next one is allocated
    let (run, _) = Run::resume(&open.model, settings, settings.seed.ok_or(ServeError::NoSeed)?, ids)?;
    open.put(channel, run);
    channel.send(&Event::Read { run: number });
    Ok(())
}

/// Writes until the text is done, or a request comes in that ends it.
pub async fn write(channel: &Channel, open: &mut Open, number: u32, begun: Begun) -> Result<Speed, ServeError> {
    let Begun { requested, tokens, held_back } = begun;
    let Open { model, text, team, inside, .. } = open;
    let run = text.as_mut().ok_or(ServeError::NoText)?;
    let mut text_stream = TextStream::new(channel, team.as_ref(), number, (requested, tokens));
    text_stream.held_back(&held_back);
    run.record_predictions(inside.marks);
    let mut breathed = 0.0;
    let reason = loop {
        if channel.interrupted_between(&mut breathed).await {
            text_stream.held_back(&run.release());
            break StopReason::Stopped;
        }
        inside.answer(channel, model, run, true).await;
        text_stream.mark(inside.marks.then_some(model));
        match run.step(model)? {
            Progress::Prefilled => {}
            Progress::Token(text) => text_stream.token(&text),
            Progress::Done(text, reason) => {
                text_stream.token(&text);
                break reason;
            }
        }
        text_stream.frame(run);
    };
    Ok(text_stream.done(run, reason))
}
