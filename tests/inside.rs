//! Looking inside a text: it goes on as if nobody had looked, and whoever looks sees the same at any time, with any number of
//! threads.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use common::letters::{SEED, assert_same, finish, open, parts, settings, take, write};
use peargpt::checkpoint::Model;
use peargpt::explain::{Answer, Ask, Explainer, Progress as Looked, TextSurprise, TokenView};
use peargpt::generation::{Progress, Run, Settings, Window};
use peargpt::sampler::Prediction;

fn answer(explainer: &mut Explainer, model: &Model, run: &mut Run, ask: Ask) -> Answer {
    explainer.begin(model, run, ask).unwrap();
    let mut last = None;
    loop {
        match explainer.step(model, run).unwrap().unwrap() {
            Looked::Done(answer) => return *answer,
            Looked::Reading(done) => {
                assert!(
                    done.done <= done.total && last.is_none_or(|last| last <= done.done),
                    "{done:?} after {last:?}"
                );
                last = Some(done.done);
            }
        }
    }
}

fn prediction(view: &TokenView) -> Prediction {
    let TokenView { probability, rank, entropy_bits, .. } = *view;
    Prediction { probability, rank, entropy_bits }
}

fn asks(position: u32) -> [Ask; 4] {
    [Ask::Token(position), Ask::Attention(position), Ask::LookedAt(position), Ask::Lens(position)]
}

#[test]
fn who_looks_changes_nothing_and_sees_the_same_at_any_time_with_any_number_of_threads() {
    let mut first: Option<Vec<Answer>> = None;
    for (threads, off) in [(1, vec![]), (3, vec![]), (1, parts()), (4, parts())] {
        if threads == 1 {
            first = None;
        }
        let (model, _team) = open(threads);
        let settings = Settings { off, ..settings(Window::Rolling, 1.3) };
        let (undisturbed, ..) = write(&model, &settings);
        let (mut run, mut explainer) = (Run::new(&model, &settings, SEED).unwrap(), Explainer::new());
        let mut early = Vec::new();
        let mut steps = 0;
        while !matches!(run.step(&model).unwrap(), Progress::Done(..)) {
            steps += 1;
            let len = run.decoding().ids().len() as u32;
            if steps % 7 == 3 {
                for position in [len - 1, len / 2, 3] {
                    let asked = asks(position);
                    early.push((asked[0], answer(&mut explainer, &model, &mut run, asked[0])));
                    for ask in &asked[1..] {
                        answer(&mut explainer, &model, &mut run, *ask);
                    }
                }
            }
        }
        assert_same(&run, &undisturbed);
        for (ask, seen) in early {
            assert_eq!(answer(&mut explainer, &model, &mut run, ask), seen);
        }
        let positions = [1, 4, 5, 20, 40, 41, 60, 61, 73, 74];
        let all: Vec<Answer> = positions
            .into_iter()
            .flat_map(asks)
            .map(|ask| answer(&mut Explainer::new(), &model, &mut run, ask))
            .collect();
        let first = first.get_or_insert_with(|| all.clone());
        assert!(*first == all, "{threads} threads see something else");
    }
}

#[test]
fn what_is_said_of_a_token_is_what_it_was_drawn_from() {
    let (model, _team) = open(1);
    let forced = Settings { take: vec![take(30, 3)], ..settings(Window::Rolling, 1.3) };
    let mut run = Run::new(&model, &forced, SEED).unwrap();
    run.record_predictions(true);
    finish(&model, &mut run);
    let mut explainer = Explainer::new();
    for position in 1..75 {
        let Answer::Token(view) = answer(&mut explainer, &model, &mut run, Ask::Token(position)) else { panic!() };
        let TokenView { id, draw, alternatives, .. } = &view;
        let prediction = prediction(&view);
        assert_eq!(*id, run.decoding().ids()[position as usize]);
        assert_eq!((view.is_prompt, view.is_taken), (position < 5, position == 30));
        assert_eq!(run.decoding().prediction(position as usize), (position >= 5).then_some(prediction));
        assert_eq!(draw.is_some(), position >= 5 && position != 30, "{position}");
        if let Some(draw) = draw {
            assert!((draw.from..draw.to).contains(&draw.fraction), "{position}: {draw:?}");
            assert!((draw.to - draw.from - view.chances.min_p).abs() < 1e-9, "{position}: {view:?}");
        }
        assert_eq!(alternatives.len(), 10);
        assert!(alternatives.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        if prediction.rank <= 10 {
            assert_eq!(alternatives[prediction.rank as usize - 1].id, *id);
        }
        let Answer::Lens(lens) = answer(&mut explainer, &model, &mut run, Ask::Lens(position)) else { panic!() };
        let last: Vec<u32> = lens.layers.last().unwrap().iter().map(|likely| likely.id).collect();
        let likeliest: Vec<u32> = alternatives[..5].iter().map(|alternative| alternative.id).collect();
        assert_eq!((last, lens.layers.len()), (likeliest, 3), "the last layer says what the model says");
    }
    for ask in [Ask::Token(0), Ask::Lens(0), Ask::Token(75), Ask::Attention(75)] {
        let error = explainer.begin(&model, &run, ask).unwrap_err().to_string();
        assert!(error.starts_with("expected a position from"), "{error}");
    }
}

#[test]
fn who_looked_here_is_the_other_side_of_attention() {
    let (model, _team) = open(1);
    let (mut run, ..) = write(&model, &settings(Window::Rolling, 1.3));
    let mut explainer = Explainer::new();
    for position in [0, 7, 45, 60, 74] {
        let Answer::LookedAt(view) = answer(&mut explainer, &model, &mut run, Ask::LookedAt(position)) else {
            panic!()
        };
        let later = view.layers[0][0].len() as u32;
        let (in_window, in_text) = (view.window_start + 39 - position, 74u32.saturating_sub(position + 1));
        assert_eq!(later, in_window.min(in_text), "{position}");
        for index in 0..later {
            let ask = Ask::Attention(position + 1 + index);
            let Answer::Attention(row) = answer(&mut explainer, &model, &mut run, ask) else { panic!() };
            if row.window_start != view.window_start {
                continue;
            }
            for (layer, heads) in view.layers.iter().enumerate() {
                for (head, weights) in heads.iter().enumerate() {
                    let at = (position - row.window_start) as usize;
                    assert_eq!(weights[index as usize], row.layers[layer][head][at], "{position} {ask:?}");
                }
            }
        }
    }
}

#[test]
fn the_surprise_of_a_text_is_that_of_its_tokens() {
    for threads in [1, 3] {
        let (model, _team) = open(threads);
        let (mut run, text, _) = write(&model, &settings(Window::Rolling, 1.3));
        let mut surprise = TextSurprise::new(&model, &format!("to be{text}"), &[]).unwrap();
        while surprise.predictions().len() < 74 {
            let done = surprise.step(&model).unwrap();
            assert_eq!((done.done as usize, done.total), (surprise.predictions().len(), 74));
        }
        // The window moves where it moves in writing.
        for position in 1..75 {
            let ask = Ask::Token(position);
            let Answer::Token(view) = answer(&mut Explainer::new(), &model, &mut run, ask) else { panic!() };
            assert_eq!(surprise.predictions()[position as usize - 1], prediction(&view), "{position}");
        }
        let bits: f64 = surprise.predictions().iter().map(|prediction| prediction.bits()).sum();
        let summary = surprise.summary();
        assert!((summary.bits_per_character - bits / 74.0).abs() < 1e-9, "{summary:?}");
        assert!((summary.perplexity - (bits / 74.0).exp2()).abs() < 1e-9, "{summary:?}");
        assert!(TextSurprise::new(&model, "t", &[]).is_err());
    }
}
