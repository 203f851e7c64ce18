use super::*;
use crate::checkpoint::testing::{random_gpt, small};
use crate::model::Config;
use crate::sampler::Sampling;
use crate::tokenizer::Vocabulary;

fn greedy() -> Sampler {
    Sampler::new(Sampling { temperature: 0.0, ..Sampling::defaults(Vocabulary::Characters) }, 0)
}

/// The likeliest token after `ids`, computed from scratch.
fn likeliest(gpt: &Gpt, ids: &[u32]) -> u32 {
    let logits = gpt.forward_all(ids, None).unwrap();
    let last = logits.narrow(0, ids.len() - 1, 1).unwrap().flatten_all().unwrap();
    last.argmax(0).unwrap().to_scalar().unwrap()
}

fn next_token(decoding: &mut Decoding, gpt: &Gpt) -> u32 {
    loop {
        if let Step::Token(id) = decoding.step(gpt).unwrap() {
            return id;
        }
    }
}

#[test]
fn exact_windows_equal_recomputing_the_last_context_for_every_token() {
    let gpt = random_gpt(&small(), 5);
    let mut decoding = Decoding::new(&gpt, vec![3], Window::Exact, greedy()).unwrap();
    let mut ids = vec![3];
    for _ in 0..80 {
        let expected = likeliest(&gpt, &ids[ids.len().saturating_sub(32)..]);
        let rows = decoding.forwarded_rows();
        assert_eq!(next_token(&mut decoding, &gpt), expected, "after {} tokens", ids.len());
        let read = if ids.len() > 32 { 32 } else { 1 };
        assert_eq!(decoding.forwarded_rows() - rows, read, "after {} tokens", ids.len());
        ids.push(expected);
    }
}

#[test]
fn rolling_windows_read_half_a_context_again_per_crossing() {
    let gpt = random_gpt(&small(), 6);
    let mut decoding = Decoding::new(&gpt, vec![3, 1, 4], Window::Rolling, greedy()).unwrap();
    let (mut ids, mut start) = (vec![3, 1, 4], 0);
    for token in 0..100 {
        if ids.len() - start > 32 {
            start += 16;
        }
        assert_eq!(next_token(&mut decoding, &gpt), likeliest(&gpt, &ids[start..]), "token {token}");
        ids = decoding.ids().to_vec();
        let crossings = start as u64 / 16;
        assert_eq!(u64::from(decoding.crossings()), crossings);
        assert_eq!(decoding.forwarded_rows(), 3 + token + 16 * crossings);
    }
    assert_eq!(decoding.crossings(), 5);
}

#[test]
fn of_a_prompt_longer_than_the_context_the_end_is_read() {
    let gpt = random_gpt(&small(), 7);
    let prompt: Vec<u32> = (0..75).map(|i| i * 5 % 27).collect();
    for window in [Window::Rolling, Window::Exact] {
        let mut decoding = Decoding::new(&gpt, prompt.clone(), window, greedy()).unwrap();
        assert_eq!(decoding.visible(), 32);
        assert_eq!(next_token(&mut decoding, &gpt), likeliest(&gpt, &prompt[43..]));
        assert_eq!(decoding.forwarded_rows(), 32);
    }
}

#[test]
fn a_token_can_be_computed_again_from_what_is_noted_of_it() {
    let gpt = random_gpt(&small(), 9);
    let sampling = Sampling { temperature: 1.5, ..Sampling::defaults(Vocabulary::Characters) };
    let mut decoding = Decoding::new(&gpt, vec![3, 1, 4], Window::Rolling, Sampler::new(sampling.clone(), 5)).unwrap();
    for _ in 0..90 {
        next_token(&mut decoding, &gpt);
    }
    assert_eq!((decoding.origin(2), decoding.origin(93)), (None, None));
    let mut again = Sampler::new(sampling, 0);
    for index in 3..93 {
        let Origin { window_start, sampler } = decoding.origin(index).unwrap();
        let seen = &decoding.ids()[window_start..index];
        let logits = gpt.next_logits(seen, &mut gpt.new_cache().unwrap()).unwrap().to_vec1().unwrap();
        again.set_state(sampler);
        assert_eq!(again.sample(&logits, seen), Ok(decoding.ids()[index]), "token {index}");
    }
    assert!(decoding.origin(92).unwrap().window_start > 0, "the window has moved");
}

#[test]
fn a_text_goes_on_from_its_ids_as_it_would_have_gone_on() {
    let gpt = random_gpt(&small(), 10);
    let sampling = Sampling { temperature: 1.5, ..Sampling::defaults(Vocabulary::Characters) };
    for (window, prompt) in [Window::Rolling, Window::Exact].into_iter().flat_map(|window| [(window, 3), (window, 40)])
    {
        let prompt: Vec<u32> = (0..prompt).map(|index| index * 5 % 27).collect();
        let begin = || Decoding::new(&gpt, prompt.clone(), window, Sampler::new(sampling.clone(), 5)).unwrap();
        let mut whole = begin();
        for _ in 0..100 {
            next_token(&mut whole, &gpt);
        }
        for drawn in [0, 1, 28, 29, 30, 45, 99] {
            let mut resumed = begin();
            resumed.append(&gpt, &whole.ids()[prompt.len()..][..drawn]).unwrap();
            for _ in drawn..100 {
                next_token(&mut resumed, &gpt);
            }
            assert_eq!(resumed.ids(), whole.ids(), "{window:?} after {drawn}");
            assert_eq!(resumed.crossings(), whole.crossings(), "{window:?} after {drawn}");
            let origins =
                |decoding: &Decoding| (0..whole.ids().len()).map(|id| decoding.origin(id)).collect::<Vec<_>>();
            assert_eq!(origins(&resumed), origins(&whole), "{window:?} after {drawn}");
        }
    }
    let unknown = Decoding::new(&gpt, vec![1], Window::Rolling, greedy()).unwrap().append(&gpt, &[27]);
    assert!(matches!(unknown, Err(GenerationError::UnknownId { id: 27, size: 27 })));
}

#[test]
fn a_step_takes_a_tile_through_a_block_or_one_token_through_all() {
    let gpt = random_gpt(&Config { context: 300, ..small() }, 8);
    let mut decoding = Decoding::new(&gpt, vec![1; 300], Window::Rolling, greedy()).unwrap();
    let mut steps = Vec::new();
    for _ in 0..11 {
        let before = decoding.forwarded_rows();
        let is_token = matches!(decoding.step(&gpt).unwrap(), Step::Token(_));
        steps.push((decoding.forwarded_rows() - before, is_token));
    }
    // There are two blocks, so a tile takes two steps.
    let prompt = [(0, false), (128, false), (0, false), (128, false), (0, false), (44, true)];
    let window = [(0, false), (128, false), (0, false), (23, true), (1, true)];
    assert_eq!(steps, [prompt.as_slice(), &window].concat());
}

#[test]
fn nothing_to_go_on_from_is_an_error() {
    let gpt = random_gpt(&small(), 9);
    assert!(matches!(Decoding::new(&gpt, vec![], Window::Rolling, greedy()), Err(GenerationError::Empty)));
}
