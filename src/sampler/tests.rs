//! Compares the sampler with a simple twin that sorts, filters and renormalises all tokens.

use std::collections::HashSet;

use super::*;

#[test]
fn a_state_that_is_set_back_draws_the_same_again() {
    let logits = random_logits(&mut Pcg32::new(3, 54), 200);
    let mut sampler = Sampler::new(OFF, 11);
    sampler.sample(&logits, &[]).unwrap();
    let state = sampler.state();
    let draw = |sampler: &mut Sampler| (0..20).map(|_| sampler.sample(&logits, &[]).unwrap()).collect::<Vec<_>>();
    let first = draw(&mut sampler);
    assert_ne!(draw(&mut sampler), first);
    sampler.set_state(state);
    assert_eq!(draw(&mut sampler), first);
}

/// Every filter off.
const OFF: Sampling = Sampling { repetition_penalty: 1.0, temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };

/// Probabilities after all filters: likeliest token first, equally likely ones by id.
fn reference(logits: &[f32], context: &[u32], sampling: &Sampling) -> Vec<(u32, f64)> {
    let mut logits: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    for id in context.iter().collect::<HashSet<_>>() {
        let logit = &mut logits[*id as usize].1;
        *logit = if *logit > 0.0 { *logit / sampling.repetition_penalty } else { *logit * sampling.repetition_penalty };
    }
    logits.sort_by(|left, right| right.1.partial_cmp(&left.1).unwrap().then(left.0.cmp(&right.0)));
    let greatest = logits[0].1;
    let weight = |logit: f32| f64::from(libm::expf((logit - greatest) / sampling.temperature));
    let mut tokens: Vec<(u32, f64)> = logits.into_iter().map(|(id, logit)| (id, weight(logit))).collect();

    if sampling.top_k > 0 {
        tokens.truncate(sampling.top_k as usize);
    }
    normalise(&mut tokens);
    if sampling.top_p < 1.0 {
        let sum_of = |count: usize| tokens[..count].iter().map(|token| token.1).sum::<f64>();
        let enough = (1..=tokens.len()).find(|&count| sum_of(count) >= f64::from(sampling.top_p));
        tokens.truncate(enough.unwrap_or(tokens.len()));
    }
    normalise(&mut tokens);
    let least = f64::from(sampling.min_p) * tokens[0].1;
    tokens.retain(|token| token.1 >= least);
    normalise(&mut tokens);
    tokens
}

fn normalise(tokens: &mut [(u32, f64)]) {
    let total: f64 = tokens.iter().map(|token| token.1).sum();
    tokens.iter_mut().for_each(|token| token.1 /= total);
}

/// The probabilities that the sampler uses.
fn probabilities(logits: &[f32], context: &[u32], sampling: &Sampling) -> Vec<(u32, f64)> {
    let mut sampler = Sampler::new(sampling.clone(), 0);
    let id = sampler.sample(logits, context).unwrap();
    let mut kept = sampler.candidates.clone();
    kept.sort_by(likelier);
    assert!(kept.iter().any(|candidate| candidate.id == id), "{id} is not among {kept:?}");
    let total = sampler.total();
    kept.iter().map(|candidate| (candidate.id, f64::from(candidate.weight) / total)).collect()
}

fn assert_equal(logits: &[f32], context: &[u32], sampling: &Sampling) {
    let (found, expected) = (probabilities(logits, context, sampling), reference(logits, context, sampling));
    let ids = |tokens: &[(u32, f64)]| tokens.iter().map(|token| token.0).collect::<Vec<_>>();
    assert_eq!(ids(&found), ids(&expected), "{sampling:?} of {logits:?} after {context:?}");
    let close = found.iter().zip(&expected).all(|(found, expected)| (found.1 - expected.1).abs() < 1e-12);
    assert!(close, "{found:?} instead of {expected:?}: {sampling:?} of {logits:?} after {context:?}");
}

#[test]
fn the_stages_of_an_explanation_are_those_of_a_draw() {
    let mut random = Pcg32::new(6, 1);
    for case in 0..2000 {
        let count = if case % 50 == 0 { 1500 } else { 1 + random.below(40) };
        let (logits, context) = (random_logits(&mut random, count), random_context(&mut random, count));
        let sampling = Sampling {
            repetition_penalty: 0.5 + 2.0 * fraction(&mut random),
            temperature: if case % 7 == 0 { 0.0 } else { 0.05 + 3.0 * fraction(&mut random) },
            top_k: random.below(45),
            top_p: 0.3 + fraction(&mut random),
            min_p: 0.5 * fraction(&mut random),
        };
        let mut sampler = Sampler::new(sampling.clone(), case);
        let (mut other, state) = (sampler.clone(), sampler.state());
        let id = sampler.sample(&logits, &context).unwrap();
        let ids: Vec<u32> = (0..count).collect();
        let Explained { chances, draw } = other.explain(&logits, &context, &ids, Some(state)).unwrap();
        assert_eq!(other.state(), state, "the next draw is the same");
        let last = |sampling: &Sampling| {
            let mut all = vec![0.0; count as usize];
            reference(&logits, &context, sampling).iter().for_each(|(id, chance)| all[*id as usize] = *chance);
            all
        };
        let near = |found: Vec<f64>, expected: Vec<f64>, what: &str| {
            let is_near = found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
            assert!(is_near, "{what}: {found:?} instead of {expected:?}: {sampling:?}");
        };
        let penalty = Sampling { repetition_penalty: sampling.repetition_penalty, ..OFF };
        near(chances.iter().map(|chances| chances.repetition_penalty).collect(), last(&penalty), "penalty");
        if sampling.temperature == 0.0 {
            assert_eq!((draw, chances[id as usize].min_p), (None, 1.0));
            continue;
        }
        let temperature = Sampling { temperature: sampling.temperature, ..penalty };
        near(chances.iter().map(|chances| chances.temperature).collect(), last(&temperature), "temperature");
        let top_k = Sampling { top_k: sampling.top_k, ..temperature };
        near(chances.iter().map(|chances| chances.top_k).collect(), last(&top_k), "top-k");
        let top_p = Sampling { top_p: sampling.top_p, ..top_k };
        near(chances.iter().map(|chances| chances.top_p).collect(), last(&top_p), "top-p");
        near(chances.iter().map(|chances| chances.min_p).collect(), last(&sampling), "min-p");
        let Draw { fraction, from, to } = draw.unwrap();
        assert!((from..=to).contains(&fraction), "{from}..{to} has not {fraction}");
        assert!(
            (to - from - chances[id as usize].min_p).abs() < 1e-9,
            "it is the interval of the token that was drawn"
        );
    }
}

/// Random logits of either sign; often many of them are equal.
fn random_logits(random: &mut Pcg32, count: u32) -> Vec<f32> {
    let steps = [4, 40, 1 << 20][random.below(3) as usize];
    let range = [0.5, 4.0, 12.0][random.below(3) as usize];
    (0..count).map(|_| (random.below(steps + 1) as f32 / steps as f32 - 0.5) * range).collect()
}

fn random_context(random: &mut Pcg32, count: u32) -> Vec<u32> {
    (0..random.below(12)).map(|_| random.below(count)).collect()
}

/// Compares many cases. `change` turns filters on.
fn compare(cases: u32, change: impl Fn(&mut Sampling, &mut Pcg32)) {
    let mut random = Pcg32::new(5, 1);
    for case in 0..cases {
        let count = if case % 50 == 0 { 1500 } else { 1 + random.below(40) };
        let (logits, context) = (random_logits(&mut random, count), random_context(&mut random, count));
        let mut sampling = OFF;
        change(&mut sampling, &mut random);
        assert_equal(&logits, &context, &sampling);
    }
}

fn fraction(random: &mut Pcg32) -> f32 {
    random.next_fraction() as f32
}

#[test]
fn no_filter_keeps_all() {
    compare(500, |_, _| ());
}

#[test]
fn the_repetition_penalty_equals_its_twin() {
    compare(1000, |sampling, random| sampling.repetition_penalty = 0.5 + 2.0 * fraction(random));
}

#[test]
fn the_temperature_equals_its_twin() {
    compare(1000, |sampling, random| sampling.temperature = 0.05 + 3.0 * fraction(random));
}

#[test]
fn top_k_equals_its_twin() {
    compare(1000, |sampling, random| sampling.top_k = 1 + random.below(45));
}

#[test]
fn top_p_equals_its_twin() {
    compare(1000, |sampling, random| sampling.top_p = fraction(random));
}

#[test]
fn min_p_equals_its_twin() {
    compare(1000, |sampling, random| sampling.min_p = fraction(random));
}

#[test]
fn all_filters_in_their_order_equal_their_twins() {
    compare(5000, |sampling, random| {
        sampling.repetition_penalty = 0.5 + 2.0 * fraction(random);
        sampling.temperature = 0.05 + 3.0 * fraction(random);
        sampling.top_k = random.below(45);
        sampling.top_p = 0.3 + fraction(random);
        sampling.min_p = 0.5 * fraction(random);
    });
}

#[test]
fn the_ends_of_the_ranges_keep_what_they_say() {
    let logits = [1.0, 3.0, 2.0, 3.0, -1.0];
    let kept =
        |sampling: Sampling| probabilities(&logits, &[], &sampling).iter().map(|token| token.0).collect::<Vec<_>>();
    assert_eq!(kept(Sampling { top_k: 1, ..OFF }), [1]);
    assert_eq!(kept(Sampling { top_k: 100_000, ..OFF }), [1, 3, 2, 0, 4]);
    assert_eq!(kept(Sampling { top_p: 0.0, ..OFF }), [1]);
    assert_eq!(kept(Sampling { min_p: 1.0, ..OFF }), [1, 3]);
    let cold = Sampling { temperature: f32::MIN_POSITIVE, ..OFF };
    assert!(probabilities(&logits, &[], &cold).iter().all(|token| token.1 == if token.0 % 2 == 1 { 0.5 } else { 0.0 }));
}

#[test]
fn temperature_0_takes_the_likeliest_and_draws_nothing() {
    let greedy = Sampling { temperature: 0.0, repetition_penalty: 2.0, ..Sampling::defaults(Vocabulary::BytePairs) };
    let mut sampler = Sampler::new(greedy, 1);
    let untouched = sampler.random.clone().next_u32();
    assert_eq!(sampler.sample(&[1.0, 3.0, 2.0, 3.0], &[]), Ok(1));
    assert_eq!(sampler.sample(&[1.0, 3.0, 2.0, 2.5], &[1]), Ok(3));
    assert_eq!(sampler.sample(&[-3.0, -1.0, -2.0], &[1, 1, 1]), Ok(1), "penalised once, -2 twice");
    assert_eq!(sampler.sample(&[-0.0, 0.0, -0.0], &[]), Ok(0), "-0 and 0 are equal");
    assert_eq!(sampler.sample(&[0.0, -1.0, -0.0], &[0]), Ok(0), "-0 and 0 are equal after the penalty, too");
    assert_eq!(sampler.random.next_u32(), untouched);
}

#[test]
fn ids_beyond_the_vocabulary_are_no_tokens_to_penalise() {
    let mut sampler = Sampler::new(Sampling { temperature: 0.0, repetition_penalty: 2.0, ..OFF }, 1);
    assert_eq!(sampler.sample(&[1.0, 1.5], &[2, u32::MAX, 1]), Ok(0));
}

#[test]
fn extreme_logits_are_no_error() {
    let logits = [f32::MAX, f32::MIN, 0.0, f32::MIN_POSITIVE, f32::MAX];
    for temperature in [0.0, 1e-40, 1.0, 10.0] {
        let penalised = Sampling { temperature, repetition_penalty: 0.1, ..OFF };
        assert_eq!(Sampler::new(penalised.clone(), 3).sample(&logits[..4], &[0, 1, 2, 3]), Ok(0));
        let tied = Sampling { repetition_penalty: 10.0, ..penalised };
        assert_eq!(Sampler::new(tied, 3).sample(&logits[1..4], &[0]).map(|id| id > 0), Ok(true));
    }
}

#[test]
fn logits_that_are_no_numbers_are_an_error() {
    for temperature in [0.0, 0.8] {
        let mut sampler = Sampler::new(Sampling { temperature, top_k: 2, ..OFF }, 1);
        assert_eq!(sampler.sample(&[], &[1]), Err(SamplerError::NoLogits));
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let message = sampler.sample(&[0.0, 1.0, broken, f32::NAN], &[2]).unwrap_err().to_string();
            assert_eq!(message, format!("the model's logit of token 2 is {broken}, expected a finite number"));
        }
        let nothing = sampler.sample(&[f32::NEG_INFINITY; 4], &[]);
        assert_eq!(nothing, Err(SamplerError::NotFinite { id: 0, value: f32::NEG_INFINITY }));
        assert!(sampler.sample(&[0.0, 1.0], &[]).is_ok(), "an error leaves the sampler usable");
    }
}

/// The tokens that a seed gives, with a growing context, for logits that are computed from integers only.
fn write(sampling: Sampling, seed: u32, tokens: u32) -> Vec<u32> {
    let mut sampler = Sampler::new(sampling, seed);
    let mut ids = Vec::new();
    for step in 0..tokens {
        let logit = |id: u32| ((id * 7919 + step * 104_729) % 1009) as f32 / 100.0 - 5.0;
        let logits: Vec<f32> = (0..100).map(logit).collect();
        ids.push(sampler.sample(&logits, &ids).unwrap());
    }
    ids
}

#[test]
fn a_seed_writes_what_it_always_wrote() {
    // Computed in Python with NumPy's float32 and CPython's `math.exp` rounded to it.
    let defaults = Sampling::defaults(Vocabulary::BytePairs);
    let expected = [40, 78, 4, 23, 15, 99, 6, 44, 95, 74, 92, 5, 90, 69, 21, 73, 84, 30, 88, 34, 86, 97, 56, 35];
    assert_eq!(write(defaults, 7, 24), expected);
    let filters = Sampling { repetition_penalty: 1.5, temperature: 2.0, top_k: 40, top_p: 0.9, min_p: 0.05 };
    let expected = [47, 52, 37, 63, 55, 7, 0, 38, 36, 81, 13, 5, 84, 50, 8, 21, 25, 83, 75, 74, 0, 51, 89, 88];
    assert_eq!(write(filters, 7, 24), expected);
    let hot = Sampling { temperature: 3.0, ..OFF };
    let expected = [66, 45, 9, 70, 72, 47, 82, 77, 55, 65, 6, 5, 80, 88, 41, 89, 22, 38, 36, 44, 87, 27, 20, 29];
    assert_eq!(write(hot, 7, 24), expected);
    let greedy = Sampling { repetition_penalty: 1.5, temperature: 0.0, ..OFF };
    let expected = [33, 91, 4, 29, 21, 46, 25, 17, 9, 34, 92, 5, 30, 22, 80, 26, 18, 10, 68, 14, 6, 31, 23, 81];
    assert_eq!(write(greedy, 7, 24), expected);
}

#[test]
fn another_seed_writes_something_else() {
    let written: HashSet<Vec<u32>> =
        (0..100).map(|seed| write(Sampling { temperature: 2.0, ..OFF }, seed, 12)).collect();
    assert_eq!(written.len(), 100);
}

#[test]
fn tokens_come_as_often_as_they_are_likely() {
    let logits = [0.0, 1.0, -1.0, 2.0, 0.5, 1.0, -3.0, 2.0];
    let draws = 100_000;
    for sampling in [OFF, Sampling { temperature: 0.7, top_k: 6, top_p: 0.9, min_p: 0.1, ..OFF }] {
        let mut counts = [0u32; 8];
        let mut sampler = Sampler::new(sampling.clone(), 11);
        (0..draws).for_each(|_| counts[sampler.sample(&logits, &[]).unwrap() as usize] += 1);
        let expected = reference(&logits, &[], &sampling);
        let share = |(id, probability): &(u32, f64)| (f64::from(counts[*id as usize]), probability * f64::from(draws));
        let chi_square: f64 = expected.iter().map(share).map(|(found, sought)| (found - sought).powi(2) / sought).sum();
        // At 7 degrees of freedom a fair sampler exceeds 24.3 once in a thousand seeds.
        assert!(chi_square < 24.3, "{chi_square}: {counts:?} instead of {expected:?}");
        assert_eq!(counts.iter().filter(|&&count| count > 0).count(), expected.len());
    }
}

#[test]
fn memory_is_kept_from_token_to_token() {
    let mut random = Pcg32::new(8, 1);
    let mut sampler = Sampler::new(Sampling::defaults(Vocabulary::BytePairs), 1);
    let mut places = HashSet::new();
    for _ in 0..20 {
        sampler.sample(&random_logits(&mut random, 1000), &[1, 2]).unwrap();
        places.insert((sampler.candidates.as_ptr(), sampler.candidates.capacity()));
    }
    assert_eq!(places.len(), 1);
}

#[test]
fn a_seed_can_be_drawn() {
    let drawn: HashSet<u32> = (0..8).map(|_| draw_seed().unwrap()).collect();
    assert!(drawn.len() > 1, "{drawn:?}");
}
