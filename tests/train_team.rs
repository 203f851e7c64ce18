//! Members with memories of their own train one model: the same bytes as one alone, whatever happens on the way.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use common::numbers::Numbers;
use peargpt::checkpoint::precision::Precision;
use peargpt::model::{Share, TeamError};
use peargpt::team::{Board, Memory, Seat};
use peargpt::train::{Plan, Point, Run, TrainError};

/// Sentences of a few words.
fn text() -> String {
    let words = ["the", "king", "and", "his", "fool", "speak", "of", "love", "night", "is", "long", "O", "thou", "art"];
    let mut numbers = Numbers(7);
    let mut word = || words[numbers.below(words.len())];
    (0..200).map(|_| format!("{} {} {} {}.\n", word(), word(), word(), word())).collect()
}

/// A model that learns in seconds: five leaves to a batch, of which the last is short. Muon, unless there is a learning rate.
fn plan(learning_rate: Option<f32>) -> Plan {
    Plan {
        n_layer: Some(2),
        n_head: Some(2),
        n_embd: Some(32),
        block_size: Some(32),
        batch_size: Some(18),
        dropout: Some(0.1),
        learning_rate,
        steps: Some(12),
        seed: 3,
        held_out: 0.2,
        precision: Precision::F32,
        ..Plan::default()
    }
}

fn begin(learning_rate: Option<f32>) -> Run {
    plan(learning_rate).begin(&text(), "sha", None).unwrap()
}

fn resume(file: &[u8]) -> Run {
    resume_share(file, Share::WHOLE)
}

fn resume_share(file: &[u8], share: Share) -> Run {
    Run::resume_share(&mut Cursor::new(file), &text(), "sha", share).unwrap()
}

/// Threads that follow; they end when this is dropped.
struct Team {
    seat: Rc<Seat<Arc<Memory>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Team {
    fn drop(&mut self) {
        self.seat.end();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// So many members, each of which makes the run by itself. `numbers` is how many a member exchanges at once, if not as many
/// as fit. Those who follow go on for `orders`.
fn team(
    make: impl Fn(usize) -> Run + Clone + Send + 'static,
    members: usize,
    numbers: Option<usize>,
    orders: usize,
) -> (Run, Team) {
    let mut run = make(0);
    let board = Board::for_training(run.config(), members);
    let board = Board { capacity: numbers.map_or(board.capacity, |numbers| numbers * members), ..board };
    let memory = Arc::new(Memory::new(&board));
    let follow = |member| {
        let (memory, make) = (Arc::clone(&memory), make.clone());
        thread::spawn(move || {
            let seat = Rc::new(Seat::new(memory, board, member));
            let mut run = make(member);
            run.join(Share::new(member, members), Box::new(Rc::clone(&seat))).unwrap();
            for _ in 0..orders {
                let Ok(Some(order)) = seat.next_order() else { return };
                if run.follow(&order).is_err() {
                    break;
                }
            }
            seat.leave();
        })
    };
    let threads = (1..members).map(follow).collect();
    let seat = Rc::new(Seat::new(memory, board, 0));
    run.join(Share::new(0, members), Box::new(Rc::clone(&seat))).unwrap();
    (run, Team { seat, threads })
}

fn saved(run: &Run) -> Vec<u8> {
    let mut file = Vec::new();
    run.save(&mut file).unwrap();
    file
}

/// Takes the steps up to this one, with the curve's points.
fn learn(run: &mut Run, steps: u64) {
    while run.steps() < steps && run.step().unwrap().is_some() {
        if run.has_point() {
            run.add_point().unwrap();
        }
    }
}

/// Everything that a run gives: its file, its curve, its model, and the loss on all that is held out.
fn outcome(run: &mut Run) -> (Vec<u8>, Vec<Point>, Vec<u8>, u64) {
    learn(run, u64::MAX);
    assert!(run.is_finite().unwrap());
    let loss = run.held_out_loss(usize::MAX).unwrap();
    (saved(run), run.curve().to_vec(), run.model(None, "model").unwrap(), loss.to_bits())
}

#[test]
fn any_number_of_members_learns_the_same_bytes() {
    for learning_rate in [None, Some(1e-2)] {
        let alone = outcome(&mut begin(learning_rate));
        assert!(alone.1.last().unwrap().train < alone.1[0].train - 0.03, "{:?}", alone.1);
        for (members, numbers) in [(2, None), (3, Some(1000)), (5, Some(1 << 12))] {
            let (mut run, _team) = team(move |_| begin(learning_rate), members, numbers, usize::MAX);
            assert!(outcome(&mut run) == alone, "{members} members, {learning_rate:?}");
        }
    }
}

#[test]
fn members_for_whom_nothing_is_left_do_no_harm() {
    let (mut alone, (mut run, _team)) = (begin(None), team(|_| begin(None), 30, None, usize::MAX));
    for run in [&mut alone, &mut run] {
        learn(run, 2);
    }
    assert!(saved(&run) == saved(&alone));
}

#[test]
fn a_step_that_is_given_up_changes_nothing() {
    let alone = outcome(&mut begin(None));
    for members in [2, 3] {
        let (mut run, _team) = team(|_| begin(None), members, None, usize::MAX);
        learn(&mut run, 5);
        // Given up for itself, for something else, and once all is computed.
        let mut step = run.begin_step().unwrap();
        assert!(run.go_on(&mut step).unwrap());
        let mut other = run.begin_step().unwrap();
        assert!(run.go_on(&mut other).unwrap());
        assert!(matches!(run.go_on(&mut step), Err(TrainError::Team(TeamError::GivenUp))));
        run.held_out_loss(3).unwrap();
        assert!(matches!(run.go_on(&mut other), Err(TrainError::Team(TeamError::GivenUp))));
        let mut whole = run.begin_step().unwrap();
        while run.go_on(&mut whole).unwrap() {}
        let before = saved(&run);
        assert!(matches!(run.finish(whole), Err(TrainError::Team(TeamError::GivenUp))));
        assert!(saved(&run) == before);
        assert!(outcome(&mut run) == alone, "{members} members");
    }
}

#[test]
fn a_measurement_that_is_given_up_is_begun_anew() {
    let mut alone = begin(None);
    let (mut run, _team) = team(|_| begin(None), 2, None, usize::MAX);
    for run in [&mut alone, &mut run] {
        learn(run, 3);
    }
    let windows = alone.held_out_windows();
    assert!(windows > 4, "{windows}");
    let mut evaluation = run.begin_evaluation(windows).unwrap();
    assert_eq!((run.evaluate(&mut evaluation).unwrap(), evaluation.read()), (None, 2));
    assert!(saved(&run) == saved(&alone));
    assert!(matches!(run.evaluate(&mut evaluation), Err(TrainError::Team(TeamError::GivenUp))));
    let mut evaluation = run.begin_evaluation(windows).unwrap();
    let loss = std::iter::repeat_with(|| run.evaluate(&mut evaluation).unwrap()).find_map(|loss| loss).unwrap();
    assert_eq!((loss.to_bits(), evaluation.read()), (alone.held_out_loss(usize::MAX).unwrap().to_bits(), windows));
}

#[test]
fn a_run_that_a_team_has_saved_is_gone_on_with_by_any_number() {
    let alone = outcome(&mut begin(None));
    let (mut run, _team) = team(|_| begin(None), 2, None, usize::MAX);
    learn(&mut run, 5);
    let file = saved(&run);
    assert!(outcome(&mut resume(&file)) == alone);
    // Those who follow have their shares from the start.
    let share = |member| if member == 0 { Share::WHOLE } else { Share::new(member, 3) };
    let (mut run, _team) = team(move |member| resume_share(&file, share(member)), 3, None, usize::MAX);
    assert!(outcome(&mut run) == alone);
}

#[test]
fn a_loss_that_is_not_a_number_is_told_as_alone() {
    let diverged = |run: &mut Run| loop {
        match run.step() {
            Ok(_) => {}
            Err(TrainError::Diverged { step, .. }) => return step,
            Err(error) => panic!("{error}"),
        }
    };
    let mut alone = begin(Some(1e30));
    let (mut run, _team) = team(|_| begin(Some(1e30)), 2, None, usize::MAX);
    assert_eq!(diverged(&mut run), diverged(&mut alone));
    assert_eq!(run.is_finite().unwrap(), alone.is_finite().unwrap());
}

#[test]
fn who_leaves_or_has_another_run_is_lost_and_nobody_waits() {
    let lost = |run: &mut Run| loop {
        match run.step() {
            Ok(Some(_)) => {}
            Err(TrainError::Team(lost @ TeamError::Lost { .. })) => return (run.steps(), lost),
            other => panic!("{other:?}"),
        }
    };
    let (mut run, _team) = team(|_| begin(None), 3, None, 4);
    let (steps, error) = lost(&mut run);
    // Whoever leaves behind the fourth step may be missed before the leader has seen its end.
    assert!(steps == 3 || steps == 4, "{steps}");
    assert!(matches!(error, TeamError::Lost { member: 2 | 3, members: 3 }), "{error}");
    assert!(matches!(run.save(&mut Vec::new()), Err(TrainError::Team(TeamError::Lost { .. }))));

    let make = |member| {
        let mut run = begin(None);
        learn(&mut run, member as u64);
        run
    };
    let (mut run, _team) = team(make, 2, None, usize::MAX);
    assert_eq!(lost(&mut run), (0, TeamError::Lost { member: 2, members: 2 }));
}
