//! What `cargo xtask bench` makes of its numbers.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // the bench uses the rest
#[path = "../benches/site/line.rs"]
mod line;
#[allow(dead_code)]
#[path = "../benches/site/machine.rs"]
mod machine;
#[path = "../benches/site/pairs.rs"]
mod pairs;
#[path = "../benches/site/samples.rs"]
mod samples;
#[path = "../benches/site/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "../benches/site/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

use line::Line;
use pairs::{Measure, Pairs, Side, heading, order};
use samples::{Figures, Samples, round};
use table::{Bound, Finding, Target, markdown};
use targets::*;

fn figures(all: &[(&str, &'static str, f64)]) -> Figures {
    let mut figures = Figures::default();
    all.iter().for_each(|(engine, quantity, value)| figures.add(engine, quantity, *value));
    figures
}

/// Whether a target's name has this in it; those of two threads have to be asked for.
fn is_of(target: &Target, what: &str) -> bool {
    target.what.contains(what) && target.what.contains("2 threads") == what.contains("2 threads")
}

fn reached(targets: &[Target], what: &str) -> Vec<Option<bool>> {
    targets.iter().filter(|target| is_of(target, what)).map(Target::reached).collect()
}

fn compared_with<'a>(targets: &'a [Target], what: &str) -> Vec<&'a str> {
    let of = |target: &'a Target| match &target.finding {
        Finding::Compared { with, .. } => with.as_str(),
        _ => "nothing",
    };
    targets.iter().filter(|target| is_of(target, what)).map(of).collect()
}

#[test]
fn the_median_is_the_middle_of_what_was_measured() {
    let median = |values: &[f64]| {
        let mut samples = Samples::default();
        values.iter().for_each(|value| samples.push(*value));
        (samples.median(), samples.range())
    };
    assert_eq!(median(&[]), (None, None));
    assert_eq!(median(&[3.0]), (Some(3.0), None));
    assert_eq!(median(&[9.0, 1.0, 2.0]), (Some(2.0), Some((1.0, 9.0))));
    assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), (Some(3.0), Some((1.0, 100.0))));
}

#[test]
fn numbers_keep_three_digits() {
    let shown = [0.0, 0.01234, 0.5678, 1.0, 37.71, 123.4, 123_456.7, 485_000.0].map(round);
    assert_eq!(shown, ["0", "0.0123", "0.568", "1", "37.7", "123", "123457", "485000"]);
}

#[test]
fn figures_are_kept_apart_by_engine_and_quantity() {
    let figures = figures(&[("a", DECODE, 1.0), ("b", DECODE, 7.0), ("a", LOAD, 5.0), ("a", DECODE, 2.0)]);
    assert_eq!(figures.median("a", DECODE), Some(1.5));
    assert_eq!((figures.median("b", DECODE), figures.median("b", LOAD)), (Some(7.0), None));
    assert_eq!(figures.most("a", DECODE), Some(2.0));
    let table = figures.markdown();
    assert_eq!(table.lines().nth(2), Some("| a | decoding, tokens/s | 1.50 | 1 … 2 |"));
    assert_eq!(table.lines().count(), 5);
    let mut figures = figures;
    ["why", "why", "and"].iter().for_each(|sentence| figures.note(sentence.to_string()));
    assert_eq!(figures.markdown(), format!("{table}\nwhy\n\nand\n"), "what is said twice stands there once");
}

#[test]
fn a_target_says_what_it_was_compared_with_and_whether_it_is_reached() {
    let compared = Finding::Compared { value: 50.0, with: "rival".to_string(), other: 20.0 };
    let targets = [
        Target { what: "speed", finding: compared.clone(), bound: Bound::AtLeast(2.5) },
        Target { what: "speed", finding: compared, bound: Bound::AtLeast(2.6) },
        Target { what: "size", finding: Finding::Alone(7.0), bound: Bound::AtMost(6.9) },
        Target { what: "time", finding: Finding::NotMeasured, bound: Bound::AtMost(0.5) },
    ];
    let expected = [
        "| target | measured | compared with | ratio | must be | reached |",
        "|---|---|---|---|---|---|",
        "| speed | 50 | rival: 20 | 2.50 | ≥ 2.50 | yes |",
        "| speed | 50 | rival: 20 | 2.50 | ≥ 2.60 | **no** |",
        "| size | 7 | – | – | ≤ 6.90 | **no** |",
        "| time | not measured | – | – | ≤ 0.500 | – |",
    ];
    assert_eq!(markdown(&targets).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn without_rivals_only_what_compares_with_the_site_itself_is_judged() {
    let own = [(GPT2, DECODE, 100.0), (GPT2, FIRST_TOKEN, 100.0), (GPT2, LOAD, 500.0), (GPT2, FLOOR, 6.0)];
    let mut figures = figures(&own);
    figures.add(GPT2_LONG, FIRST_TOKEN, 640.0);
    figures.add(GPT2_LATE, DECODE, 74.0);
    let targets = gpt2(&figures, &[WLLAMA, "other"]);
    assert_eq!(reached(&targets, "decoding, tokens/s"), [None, None]);
    assert_eq!(reached(&targets, "one token"), [Some(true)], "10 ms are 1.67 times 6 ms");
    assert_eq!(reached(&targets, "512 tokens"), [Some(true)], "800 tokens per second are 8 times 100");
    assert_eq!(reached(&targets, "position 1,000"), [Some(false)], "74 are less than three quarters of 100");
    assert_eq!((reached(&targets, "64 tokens"), reached(&targets, "storage")), (vec![None], vec![None]));
}

#[test]
fn the_kernels_are_named_once_whatever_the_threads() {
    let mut figures = Figures::default();
    assert_eq!(figures.kernels(), "no kernel named");
    for backend in ["WebAssembly SIMD, 1 thread", "WebAssembly SIMD, 2 threads"] {
        figures.computed_by(backend);
    }
    assert_eq!(figures.kernels(), "WebAssembly SIMD");
}

#[test]
fn each_target_is_compared_with_the_rival_it_names() {
    let other = "other, 2 threads";
    let figures = figures(&[
        (GPT2, DECODE, 100.0),
        (GPT2, FIRST_TOKEN, 150.0),
        (GPT2, LOAD, 500.0),
        (WLLAMA, DECODE, 25.0),
        (WLLAMA, FIRST_TOKEN, 1400.0),
        (WLLAMA, LOAD, 1200.0),
        (WLLAMA_THREADS, LOAD, 900.0),
        (other, DECODE, 41.0),
        (other, FIRST_TOKEN, 300.0),
        // Other weights than ours.
        (other, LOAD, 700.0),
    ]);
    let targets = gpt2(&figures, &[WLLAMA, WLLAMA_THREADS, other]);
    assert_eq!(
        reached(&targets, "decoding, tokens/s"),
        [Some(true), Some(false)],
        "4 times wllama, 2.4 times the best"
    );
    assert_eq!(compared_with(&targets, "decoding, tokens/s"), [WLLAMA, other]);
    assert_eq!((reached(&targets, "64 tokens"), compared_with(&targets, "64 tokens")), (vec![Some(true)], vec![other]));
    assert_eq!(reached(&targets, "storage"), [Some(false)], "more than half of the sooner of wllama's two");
    assert_eq!(compared_with(&targets, "storage"), [WLLAMA_THREADS]);
}

#[test]
fn two_threads_are_compared_with_one_and_a_start_with_what_comes_later() {
    let (one, two) = (threads_of("gpt2", 64, 1), threads_of("gpt2", 64, 2));
    let start = start_of("gpt2", "WebKitGTK");
    let mut figures = Figures::default();
    for (engine, quantity, value) in [
        (&one, DECODE, 100.0),
        (&two, DECODE, 160.0),
        (&one, FIRST_TOKEN, 70.0),
        (&two, FIRST_TOKEN, 41.0),
        (&start, COLD_TOKEN, 31.0),
        (&start, WARM_TOKEN, 10.0),
        (&start, COLD_PROMPT, 20.0),
        (&start, WARM_PROMPT, 10.0),
    ] {
        figures.add(engine, quantity, value);
    }
    figures.add(WLLAMA, DECODE, 54.0);
    figures.add(WLLAMA, FIRST_TOKEN, 82.0);
    let targets = gpt2(&figures, &[WLLAMA]);
    assert_eq!(reached(&targets, "2 threads, decoding"), [Some(true), Some(false)], "1.6 times one, 2.96 a rival");
    assert_eq!(reached(&targets, "2 threads, 64 tokens"), [Some(false), Some(true)], "1.7 times one, twice a rival");
    let words = figures_of_words(100.0, 74.0);
    assert_eq!(reached(&peargpt(&words), "5,000 words, 2 threads"), [Some(true)], "1.35 times as fast");
    assert_eq!(reached(&targets, "2 threads, 512 tokens"), [None]);
    assert_eq!(reached(&targets, COLD_TOKEN), [None, None, Some(false)], "3.1 times in the third engine");
    assert_eq!(reached(&targets, COLD_PROMPT), [None, None, Some(true)], "twice");
}

/// 5,000 words, with one thread and with two.
fn figures_of_words(one: f64, two: f64) -> Figures {
    figures(&[(WORDS, SECONDS, one), (WORDS_TWO, SECONDS, two)])
}

#[test]
fn one_long_task_in_one_run_is_one_too_many() {
    let runs = |tasks: [f64; 3]| {
        let mut figures = Figures::default();
        tasks.iter().for_each(|ms| figures.add(WORDS, LONGEST_TASK, *ms));
        reached(&peargpt(&figures), "longest task")
    };
    assert_eq!(runs([0.0, 0.0, 0.0]), [Some(true)]);
    assert_eq!(runs([0.0, 61.0, 0.0]), [Some(false)]);
}

#[test]
fn a_paste_takes_at_most_twice_as_long_as_in_a_bare_text_area() {
    let of = |ours: f64| {
        let targets = peargpt(&figures(&[(PASTE, BUSY, ours), (BARE, BUSY, 1000.0)]));
        reached(&targets, "pasted")
    };
    assert_eq!((of(2000.0), of(2001.0)), (vec![Some(true)], vec![Some(false)]));
}

/// Of one measure: what each pair gave for the old site and for the new one.
fn pairs(measure: &Measure, all: &[[Option<f64>; 2]]) -> Pairs {
    let mut pairs = Pairs::default();
    for (pair, values) in (0..).zip(all) {
        for side in order(pair) {
            values[side as usize].into_iter().for_each(|value| pairs.add(measure, pair, side, value));
        }
    }
    pairs
}

/// The rows below the heading.
fn rows(pairs: &Pairs) -> Vec<String> {
    pairs.markdown().lines().skip(2).map(str::to_string).collect()
}

#[test]
fn each_site_goes_first_in_turn() {
    let first: Vec<_> = (0..4).map(|pair| order(pair)[0]).collect();
    assert_eq!(first, [Side::Old, Side::New, Side::Old, Side::New]);
    assert!((0..4).all(|pair| order(pair)[0] != order(pair)[1]));
}

#[test]
fn the_median_of_the_pairs_ratios_is_judged_not_the_ratio_of_medians() {
    // A machine that drifts: the medians are 20 and 22, but in two of three pairs the new site is slower.
    let drift = [[10.0, 9.0], [20.0, 22.0], [40.0, 38.0]].map(|pair| pair.map(Some));
    assert_eq!(
        rows(&pairs(&Measure::rate("speed".into()), &drift)),
        ["| speed | 20 | 22 | 0.950 | 0.900 … 1.100 | 3 | ≥ 0.98 | **no** |"]
    );
}

#[test]
fn above_one_is_faster_whatever_is_measured() {
    let halves = [[Some(10.0), Some(5.0)]];
    assert_eq!(
        rows(&pairs(&Measure::rate("speed".into()), &halves)),
        ["| speed | 10 | 5 | 0.500 | – | 1 | ≥ 0.98 | **no** |"]
    );
    assert_eq!(
        rows(&pairs(&Measure::cost("time".into()), &halves)),
        ["| time | 10 | 5 | 2.000 | – | 1 | ≥ 0.97 | yes |"]
    );
}

#[test]
fn decoding_must_stay_closer_than_the_rest() {
    let three_percent_less = [[Some(1000.0), Some(975.0)]];
    let reached = |measure| rows(&pairs(&measure, &three_percent_less))[0].ends_with("yes |");
    assert!(!reached(Measure::rate("speed".into())));
    let as_much_longer = [[Some(975.0), Some(1000.0)]];
    assert!(rows(&pairs(&Measure::cost("time".into()), &as_much_longer))[0].ends_with("yes |"));
}

#[test]
fn what_a_site_lacks_is_a_dash_and_no_verdict() {
    let measure = Measure::cost("time".into());
    let lacking = [[None, Some(4.0)], [None, Some(6.0)]];
    assert_eq!(rows(&pairs(&measure, &lacking)), ["| time | – | 5 | – | – | 0 | ≥ 0.97 | – |"]);
    // A pair without a ratio counts for the sides, not for the ratios; nothing is divided by none.
    let partly = [[Some(2.0), None], [Some(4.0), Some(4.0)], [Some(0.0), Some(8.0)]];
    assert_eq!(rows(&pairs(&measure, &partly)), ["| time | 2 | 6 | 1.000 | – | 1 | ≥ 0.97 | yes |"]);
}

#[test]
fn of_several_numbers_in_a_pair_the_median_counts() {
    let (measure, mut pairs) = (Measure::cost("time".into()), Pairs::default());
    [1.0, 2.0, 90.0].iter().for_each(|value| pairs.add(&measure, 0, Side::Old, *value));
    [2.0, 1.0, 0.5].iter().for_each(|value| pairs.add(&measure, 0, Side::New, *value));
    assert_eq!(rows(&pairs), ["| time | 2 | 1 | 2.000 | – | 1 | ≥ 0.97 | yes |"]);
}

#[test]
fn measures_are_kept_apart_in_the_order_in_which_they_came() {
    let (speed, time) = (Measure::rate("speed".into()), Measure::cost("time".into()));
    let mut pairs = Pairs::default();
    for (measure, value) in [(&speed, 3.0), (&time, 5.0), (&speed, 3.0)] {
        [Side::Old, Side::New].iter().for_each(|side| pairs.add(measure, 0, *side, value));
    }
    let rows = rows(&pairs);
    assert!(rows[0].starts_with("| speed | 3 | 3 |") && rows[1].starts_with("| time | 5 | 5 |"), "{rows:?}");
    assert_eq!(rows.len(), 2);
}

#[test]
fn few_pairs_and_an_unknown_kernel_are_said() {
    let shown = heading(9, ["before", "dist/"], [None, Some("SIMD")]);
    assert!(shown.contains("Pairs: 9; medians"), "{shown}");
    assert!(shown.contains("Old: before, computed by: –"), "{shown}");
    assert!(shown.contains("New: dist/, computed by: SIMD"), "{shown}");
    assert!(heading(3, ["", ""], [None, None]).contains("Pairs: 3, fewer than the 9"));
}

#[test]
fn the_line_takes_its_time_whoever_sends_and_whoever_wakes_late() {
    let start = Instant::now();
    let second = |seconds: f64| start + Duration::from_secs_f64(seconds);
    let close = |a: Instant, b: Instant| a.max(b).duration_since(a.min(b)) < Duration::from_micros(1);
    let mut line = Line::new(start);
    // 10 Mbit/s: 1.25 million bytes each second, the second sender after the first.
    assert!(close(line.take(second(0.0), 1_250_000), second(1.0)));
    assert!(close(line.take(second(0.5), 1_250_000), second(2.0)));
    // Two milliseconds late cost nothing.
    assert!(close(line.take(second(2.002), 125_000), second(2.1)));
    // A second in which nobody sends is gone.
    let through = line.take(second(3.1), 125_000);
    assert!(through > second(3.19) && through < second(3.2), "{:?}", through.duration_since(start));
}

#[test]
fn a_busy_machine_is_seen() {
    let before = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
    let busy = |after| machine::busy_share(before, after);
    // 30 of 100 ticks at work, 70 idle or at a disk.
    assert_eq!(busy("cpu  120 0 60 860 60 0 0 0 0 0\n"), Some(1.0 - 0.7));
    assert_eq!(busy(before), None, "no time has passed");
    assert_eq!(busy("nothing of the kind"), None);
}
