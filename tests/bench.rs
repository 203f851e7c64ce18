//! What `cargo xtask bench` makes of its numbers.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // the bench uses the rest
#[path = "../benches/site/line.rs"]
mod line;
#[allow(dead_code)]
#[path = "../benches/site/machine.rs"]
mod machine;
#[path = "../benches/site/samples.rs"]
mod samples;
#[path = "../benches/site/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "../benches/site/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

use line::Line;
use samples::{Figures, Samples, round};
use table::{Bound, Finding, Target, markdown};
use targets::*;

fn figures(all: &[(&str, &'static str, f64)]) -> Figures {
    let mut figures = Figures::default();
    all.iter().for_each(|(engine, quantity, value)| figures.add(engine, quantity, *value));
    figures
}

fn reached(targets: &[Target], what: &str) -> Vec<Option<bool>> {
    targets.iter().filter(|target| target.what.contains(what)).map(Target::reached).collect()
}

fn compared_with<'a>(targets: &'a [Target], what: &str) -> Vec<&'a str> {
    let of = |target: &'a Target| match &target.finding {
        Finding::Compared { with, .. } => with.as_str(),
        _ => "nothing",
    };
    targets.iter().filter(|target| target.what.contains(what)).map(of).collect()
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
