//! Texts: written from the beginning, continued, taken up again, written otherwise.

use super::super::channel::Channel;
use super::super::time::now;
use super::error::ServeError;
use super::open::Open;
use super::text_stream::{Speed, TextStream};
use crate::app::protocol::Event;
use crate::generation::{Fork, Progress, Run, Settings, StopReason};

/// Writes a text from its beginning.
pub async fn generate(
    channel: &Channel,
    open: Option<&mut Open>,
    number: u32,
    settings: &Settings,
) -> Result<Speed, ServeError> {
    let requested = now();
    let open = open.ok_or(ServeError::NoModel)?;
    open.text = None; // frees its cache before the next one is allocated
    let run = Run::new(&open.model, settings, settings.seed.ok_or(ServeError::NoSeed)?)?;
    let (prompt_tokens, read_tokens) = (run.prompt_tokens() as u32, run.decoding().visible() as u32);
    channel.send(&Event::Started { run: number, prompt_tokens, read_tokens });
    open.put(channel, run);
    write(channel, open, number, (requested, 0), "").await
}

/// Takes other tokens of the text that was generated last, and goes on from there.
pub async fn fork(
    channel: &Channel,
    open: Option<&mut Open>,
    number: u32,
    settings: &Settings,
) -> Result<Speed, ServeError> {
    let requested = now();
    let open = open.ok_or(ServeError::NoModel)?;
    let run = open.text.as_mut().ok_or(ServeError::NoText)?;
    open.inside.forget(channel);
    let Fork { text, is_continued } = run.fork(&open.model, settings)?.ok_or(ServeError::SameTokens)?;
    let kept = run.tokens();
    channel.send(&Event::Forked { run: number, kept: kept as u32, text, is_continued });
    tell_started(channel, run, number);
    write(channel, open, number, (requested, kept), "").await
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

/// Tells the page that a text goes on.
fn tell_started(channel: &Channel, run: &Run, number: u32) {
    let read_tokens = run.decoding().visible() as u32;
    channel.send(&Event::Started { run: number, prompt_tokens: run.prompt_tokens() as u32, read_tokens });
}

/// Continues a text from all its tokens, of whose text the page shows so many bytes.
pub async fn resume(
    channel: &Channel,
    open: Option<&mut Open>,
    number: u32,
    (settings, ids, shown, words): (&Settings, &[u32], usize, u32),
) -> Result<Speed, ServeError> {
    let requested = now();
    let open = open.ok_or(ServeError::NoModel)?;
    open.text = None; // frees its cache before the next one is allocated
    let (run, text) = Run::resume(&open.model, settings, settings.seed.ok_or(ServeError::NoSeed)?, ids)?;
    let mut run = run;
    run.extend(words);
    tell_started(channel, &run, number);
    let before = run.tokens();
    open.put(channel, run);
    write(channel, open, number, (requested, before), text.get(shown..).unwrap_or_default()).await
}

/// Continues the text that was generated last.
pub async fn go_on(channel: &Channel, open: Option<&mut Open>, number: u32, words: u32) -> Result<Speed, ServeError> {
    let requested = now();
    let open = open.ok_or(ServeError::NoModel)?;
    let run = open.text.as_mut().ok_or(ServeError::NoText)?;
    let held_back = run.release();
    run.extend(words);
    tell_started(channel, run, number);
    let before = run.tokens();
    write(channel, open, number, (requested, before), &held_back).await
}

/// Generates behind the end of the text, of which the page does not show the last bit yet, until it is done, or a request comes
/// in that ends it. It was requested at a time, and has so many tokens then.
async fn write(
    channel: &Channel,
    open: &mut Open,
    number: u32,
    begun: (f64, usize),
    held_back: &str,
) -> Result<Speed, ServeError> {
    let Open { model, text, team, inside, .. } = open;
    let run = text.as_mut().ok_or(ServeError::NoText)?;
    let mut text_stream = TextStream::new(channel, team.as_ref(), number, begun);
    text_stream.held_back(held_back);
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
