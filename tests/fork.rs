//! A text in which other tokens are taken, and one that is written without parts of the model; with one thread and several.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use common::letters::{SEED, TOKENS, assert_same, finish, open, parts, settings, take, write};
use peargpt::generation::{Fork, Run, Settings, Take, Window};
use peargpt::model::Part;

#[test]
fn a_fork_is_the_run_from_the_start_with_these_tokens() {
    for threads in [1, 3] {
        let (model, _team) = open(threads);
        for (window, temperature) in
            [(Window::Rolling, 1.3), (Window::Rolling, 0.0), (Window::Exact, 1.3), (Window::Exact, 0.0)]
        {
            if threads > 1 && temperature == 0.0 {
                continue;
            }
            let plain = settings(window, temperature);
            for takes in [
                vec![take(74, 3)],
                vec![take(72, 4), take(73, 9)],
                vec![take(41, 7)],
                vec![take(5, 2), take(60, 1)],
                vec![take(39, 3), take(40, 4), take(41, 5)],
                vec![take(75, 1)],
                vec![],
            ] {
                let forced = Settings { take: takes.clone(), ..plain.clone() };
                let (mut run, ..) = write(&model, &plain);
                let fork = run.fork(&model, &forced).unwrap();
                let (expected, whole, reason) = write(&model, &forced);
                let Some(Fork { text, is_continued }) = fork else {
                    assert!(takes.iter().all(|take| take.position == 75), "{takes:?}");
                    assert_same(&run, &expected);
                    continue;
                };
                assert!(!is_continued);
                let (rest, end) = finish(&model, &mut run);
                assert_eq!((text + &rest, end), (whole, reason), "{window:?} {temperature} {takes:?}");
                assert_same(&run, &expected);
                takes.iter().for_each(|take| assert_eq!(run.decoding().ids()[take.position as usize], take.id));
            }
        }
    }
}

#[test]
fn within_the_window_a_new_token_comes_after_two_rows() {
    let (model, _team) = open(1);
    let (mut run, ..) = write(&model, &settings(Window::Rolling, 1.3));
    let start = run.decoding().window_start() as u32;
    for position in [74, 70, start + 21] {
        let forced = Settings { take: vec![take(position, 3)], ..settings(Window::Rolling, 1.3) };
        run.fork(&model, &forced).unwrap();
        let before = run.decoding().forwarded_rows();
        while run.decoding().ids().len() < position as usize + 2 && run.tokens() < TOKENS {
            run.step(&model).unwrap();
        }
        assert!(run.decoding().forwarded_rows() - before <= 2, "{position}");
        finish(&model, &mut run);
    }
}

#[test]
fn a_fork_of_a_fork_and_back_is_the_first_text() {
    let (model, _team) = open(1);
    let plain = settings(Window::Rolling, 1.3);
    let (mut run, text, _) = write(&model, &plain);
    for takes in [vec![take(50, 3)], vec![take(50, 3), take(65, 4)], vec![take(30, 1), take(65, 4)], vec![]] {
        let forced = Settings { take: takes, ..plain.clone() };
        let fork = run.fork(&model, &forced).unwrap().unwrap();
        let (rest, _) = finish(&model, &mut run);
        assert_eq!(fork.text + &rest, write(&model, &forced).1);
    }
    let (again, expected) = (run, write(&model, &plain));
    assert_same(&again, &expected.0);
    assert_eq!(text, expected.1);
}

#[test]
fn stop_sequences_and_words_count_as_from_the_start() {
    let (model, _team) = open(1);
    let base = Settings { tokens: None, words: 12, ..settings(Window::Rolling, 1.3) };
    let (_, text, _) = write(&model, &base);
    let stop: String = text.chars().skip(30).take(2).collect();
    for settings in [base.clone(), Settings { stop: vec![stop], ..base.clone() }] {
        for takes in [vec![take(20, 26)], vec![take(12, 0), take(13, 1)]] {
            let forced = Settings { take: takes, ..settings.clone() };
            let (mut run, ..) = write(&model, &settings);
            let fork = run.fork(&model, &forced).unwrap().unwrap();
            let (rest, end) = finish(&model, &mut run);
            let (expected, whole, reason) = write(&model, &forced);
            assert_eq!((fork.text + &rest, end, run.words()), (whole, reason, expected.words()));
            assert_eq!(run.decoding().ids(), expected.decoding().ids());
        }
    }
    // A text that had ended and was continued goes on behind that end.
    let (mut run, ..) = write(&model, &base);
    let end = run.tokens();
    run.release();
    run.extend(30);
    finish(&model, &mut run);
    let position = 5 + end as u32 + 3;
    let fork = run.fork(&model, &Settings { take: vec![take(position, 2)], ..base.clone() }).unwrap().unwrap();
    assert!(fork.is_continued);
    finish(&model, &mut run);
    let exact = Settings { tokens: Some(run.tokens() as u32), take: vec![take(position, 2)], ..base };
    assert_eq!(run.decoding().ids(), write(&model, &exact).0.decoding().ids());
}

#[test]
fn a_text_that_is_resumed_keeps_its_tokens() {
    let (model, _team) = open(1);
    let forced = Settings { take: vec![take(30, 3), take(60, 4)], ..settings(Window::Rolling, 1.3) };
    let (whole, text, _) = write(&model, &forced);
    let (mut run, begun) = Run::resume(&model, &forced, SEED, &whole.drawn(0)[..50]).unwrap();
    assert_eq!(begun + &finish(&model, &mut run).0, text);
    assert_same(&run, &whole);
}

#[test]
fn tokens_that_cannot_be_taken_are_named() {
    let (model, _team) = open(1);
    let plain = settings(Window::Rolling, 1.3);
    let error =
        |takes: Vec<Take>| Run::new(&model, &Settings { take: takes, ..plain.clone() }, SEED).unwrap_err().to_string();
    let prompt = error(vec![take(4, 1)]);
    assert_eq!(prompt, "tokens can be taken from position 5 on, behind the prompt, found position 4");
    assert_eq!(
        error(vec![take(9, 999)]),
        "the text has token 999, and the model has 41 tokens: the text is another model's"
    );
    let (mut run, ..) = write(&model, &plain);
    let ids = run.decoding().ids().to_vec();
    assert!(run.fork(&model, &Settings { take: vec![take(9, 1), take(9, 2)], ..plain.clone() }).is_err());
    assert_eq!((run.decoding().ids(), run.tokens()), (ids.as_slice(), TOKENS), "nothing changes");
    let nothing = Settings { prompt: String::new(), take: vec![take(0, 1)], ..plain };
    assert!(Run::new(&model, &nothing, SEED).unwrap_err().to_string().contains("from position 1 on"));
}

#[test]
fn parts_switched_off_change_the_text_and_any_number_of_threads_writes_it() {
    let (model, _team) = open(1);
    let plain = settings(Window::Rolling, 1.3);
    let (expected, text, _) = write(&model, &plain);
    let off = Settings { off: parts(), ..plain.clone() };
    let (without, ..) = write(&model, &off);
    assert_ne!(without.decoding().ids(), expected.decoding().ids());
    assert_eq!(write(&model, &plain).1, text, "the model is whole again");
    for threads in [2, 3] {
        let (model, _team) = open(threads);
        let (found, ..) = write(&model, &off);
        assert_same(&found, &without);
        assert_eq!(write(&model, &plain).1, text);
        let forced = Settings { take: vec![take(60, 3)], ..off.clone() };
        let mut run = found;
        run.fork(&model, &forced).unwrap();
        finish(&model, &mut run);
        assert_same(&run, &write(&model, &forced).0);
    }
    for (part, said) in [
        (Part::Head { layer: 0, head: 4 }, "0.4 cannot be switched off: expected layers below 2 and heads below 4"),
        (Part::Mlp { layer: 2 }, "mlp.2 cannot be switched off: expected layers below 2 and heads below 4"),
    ] {
        let error = Run::new(&model, &Settings { off: vec![part], ..plain.clone() }, SEED).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn a_token_that_is_taken_discards_the_number_that_would_have_drawn_it() {
    let (model, _team) = open(1);
    for (temperature, is_drawn) in [(1.3, true), (0.0, false)] {
        let plain = settings(Window::Rolling, temperature);
        let (drawn, ..) = write(&model, &plain);
        let (forced, ..) = write(&model, &Settings { take: vec![take(9, 3), take(10, 4)], ..plain });
        let states = |run: &Run| (5..75).map(|index| run.decoding().origin(index).unwrap().sampler).collect::<Vec<_>>();
        assert_eq!(states(&forced), states(&drawn));
        assert_eq!(states(&drawn)[0] != states(&drawn)[1], is_drawn);
    }
}
