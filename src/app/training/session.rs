//! What the page knows of a text, and of the run that learns it, from the events of the trainer's worker.

use crate::app::protocol::{Ended, Estimate, RunFacts, StoredRun, TextFacts, TrainEvent, TrainProgress};

/// What has become of a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer<T> {
    /// None was asked.
    #[default]
    None,
    /// It is not answered yet.
    Asked,
    /// The answer.
    Here(T),
    /// There is none, for this reason, as a sentence.
    Failed(String),
}

impl<T> Answer<T> {
    /// The answer, once it is here.
    pub fn here(&self) -> Option<&T> {
        match self {
            Answer::Here(answer) => Some(answer),
            _ => None,
        }
    }

    /// Why there is none.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Answer::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// There is none.
    #[default]
    Idle,
    /// It is being begun.
    Beginning,
    /// It takes steps.
    Learning,
    /// It waits.
    Paused,
    /// It has learned, and is measured on all that is held out: windows that were read, and windows there are.
    Evaluating(u64, u64),
    /// It has ended.
    Ended(Ended),
    /// It cannot go on, as a sentence.
    Failed(String),
}

/// A text and a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// A run that is stored and could be gone on with.
    pub stored: Option<StoredRun>,
    /// Why runs live in this tab only.
    pub obstacle: Option<String>,
    /// The text.
    pub text: Answer<TextFacts>,
    /// How long a run on it takes.
    pub estimate: Answer<Estimate>,
    /// What the run learns, how it went, what it wrote.
    pub run: Option<RunFacts>,
    /// How far it is.
    pub phase: Phase,
    /// The last numbers.
    pub progress: Option<TrainProgress>,
    /// The step that was stored last.
    pub saved: Option<u64>,
    /// Why the run is not stored.
    pub unsaved: Option<String>,
    /// Why one thread learns.
    pub alone: Option<String>,
    /// The number of the question whose answer counts.
    number: u32,
}

impl Session {
    /// A text is being read; returns the question's number.
    pub fn ask_for_text(&mut self) -> u32 {
        (self.text, self.estimate) = (Answer::Asked, Answer::None);
        self.number += 1;
        self.number
    }

    /// A text is on its way.
    pub fn await_text(&mut self) {
        self.ask_for_text();
    }

    /// Forgets the run, so that another one can be chosen.
    pub fn start_over(&mut self) {
        let Session { text, estimate, obstacle, number, .. } = std::mem::take(self);
        *self = Session { text, estimate, obstacle, number, ..Session::default() };
    }

    /// Whether the answer to this question still counts.
    pub fn is_asked(&self, number: u32) -> bool {
        number == self.number
    }

    /// There is no text any more.
    pub fn clear_text(&mut self) {
        self.ask_for_text();
        self.text = Answer::None;
    }

    /// The text could not be had.
    pub fn fail_text(&mut self, reason: String) {
        self.ask_for_text();
        self.text = Answer::Failed(reason);
    }

    /// A run is being measured; returns the question's number.
    pub fn ask_for_estimate(&mut self) -> u32 {
        self.estimate = Answer::Asked;
        self.number += 1;
        self.number
    }

    /// A run is being begun, or gone on with.
    pub fn begin(&mut self) {
        (self.phase, self.progress) = (Phase::Beginning, None);
        (self.saved, self.unsaved, self.alone) = (None, None, None);
    }

    /// Whether a run takes steps or could take some.
    pub fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Beginning | Phase::Learning | Phase::Paused | Phase::Evaluating(..))
    }

    /// Whether a stored run could be gone on with: none is here, or it has failed.
    pub fn can_be_gone_on_with(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Failed(_))
    }

    /// The state's name, for tests and styles.
    pub fn state(&self) -> &'static str {
        match &self.phase {
            Phase::Learning | Phase::Beginning | Phase::Evaluating(..) => "training",
            Phase::Paused => "paused",
            Phase::Ended(_) => "done",
            Phase::Failed(_) => "failed",
            Phase::Idle if self.text.here().is_some() => "ready",
            Phase::Idle => "idle",
        }
    }

    /// What went wrong with the run, as a sentence.
    pub fn failure(&self) -> Option<String> {
        match &self.phase {
            Phase::Failed(sentence) => Some(sentence.clone()),
            Phase::Ended(Ended::Diverged(reason, step)) => {
                Some(format!("{reason} The model is that of the last good state, after step {step}."))
            }
            _ => None,
        }
    }

    /// The losses of the curve's last point, in nats per token: on what is learned, and on what is held out.
    pub fn losses(&self) -> Option<(&str, &str)> {
        let (_, losses) = self.run.as_ref()?.curve.csv.lines().skip(1).last()?.split_once(',')?;
        losses.split_once(',')
    }

    /// The trainer's worker has broken.
    pub fn crash(&mut self, reason: &str) {
        if self.is_under_way() {
            let kept = match self.saved {
                Some(step) if self.unsaved.is_none() => format!(" The run is stored as it was after step {step}."),
                _ => String::new(),
            };
            self.phase = Phase::Failed(format!("The trainer crashed ({reason}).{kept}"));
        }
        for failed in [matches!(self.text, Answer::Asked), matches!(self.estimate, Answer::Asked)] {
            if failed {
                (self.text, self.estimate) = (Answer::Failed(format!("The trainer crashed ({reason}).")), Answer::None);
            }
        }
        self.stored = None;
    }

    /// Takes what the worker says.
    pub fn take(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Stored(run, obstacle) => (self.stored, self.obstacle) = (run, obstacle),
            TrainEvent::Text(number, facts) if self.is_asked(number) => self.text = Answer::Here(facts),
            TrainEvent::Measured(number, estimate) if self.is_asked(number) => {
                self.estimate = Answer::Here(estimate);
            }
            TrainEvent::Failed(Some(number), message) if self.is_asked(number) => match self.text {
                Answer::Here(_) => self.estimate = Answer::Failed(message),
                _ => self.text = Answer::Failed(message),
            },
            TrainEvent::Failed(None, message) => self.phase = Phase::Failed(message),
            TrainEvent::Begun(run) => {
                (self.phase, self.stored, self.progress) = (Phase::Learning, None, None);
                self.saved = Some(run.step).filter(|step| *step > 0);
                self.run = Some(*run);
            }
            TrainEvent::Alone(sentence) => self.alone = Some(sentence),
            TrainEvent::Progress(progress) => self.progress = Some(progress),
            TrainEvent::Point(curve, sample) => {
                if let Some(run) = &mut self.run {
                    run.curve = curve;
                    run.samples.push(sample);
                }
            }
            TrainEvent::Saved(step, failure) => {
                if failure.is_none() {
                    self.saved = Some(step);
                }
                self.unsaved = failure;
            }
            TrainEvent::Paused(is_paused) => self.phase = if is_paused { Phase::Paused } else { Phase::Learning },
            TrainEvent::Evaluating(read, all) => self.phase = Phase::Evaluating(read, all),
            TrainEvent::Ended(ended) => self.phase = Phase::Ended(ended),
            // Answers to what is not asked any more; and the file is the page's.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::protocol::{Curve, Sample};
    use crate::app::training::TrainSettings;

    fn facts() -> TextFacts {
        TextFacts { bytes: 5, characters: 5, alphabet: "ab".into(), added: String::new(), sha256: "00".into() }
    }

    fn run() -> RunFacts {
        RunFacts {
            title: "text".into(),
            settings: TrainSettings::default(),
            parameters: 10,
            step: 0,
            steps: 4,
            curve: Curve::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn only_the_newest_question_is_answered() {
        let mut session = Session::default();
        let first = session.ask_for_text();
        let second = session.ask_for_text();
        session.take(TrainEvent::Text(first, facts()));
        assert_eq!((session.text.clone(), session.state()), (Answer::Asked, "idle"));
        session.take(TrainEvent::Text(second, facts()));
        assert_eq!((session.text.here(), session.state()), (Some(&facts()), "ready"));
        let third = session.ask_for_estimate();
        session.take(TrainEvent::Failed(Some(second), "late".into()));
        assert_eq!(session.estimate, Answer::Asked);
        session.take(TrainEvent::Failed(Some(third), "too large".into()));
        assert_eq!(session.estimate.failure(), Some("too large"));
        assert!(session.text.here().is_some());
    }

    #[test]
    fn a_run_is_followed_from_its_beginning_to_its_end() {
        let mut session = Session::default();
        session.begin();
        session.take(TrainEvent::Begun(Box::new(run())));
        session.take(TrainEvent::Saved(0, None));
        let sample = Sample { step: 2, prompt: "a".into(), text: "b".into() };
        assert_eq!(session.losses(), None);
        let csv = "step,train,held_out\n2,1.50000,1.75000\n".to_string();
        session.take(TrainEvent::Point(Curve { csv, svg: String::new() }, sample.clone()));
        assert_eq!(session.losses(), Some(("1.50000", "1.75000")));
        assert_eq!(session.run.as_ref().unwrap().samples, [sample]);
        session.take(TrainEvent::Paused(true));
        assert_eq!(session.state(), "paused");
        session.take(TrainEvent::Paused(false));
        session.take(TrainEvent::Saved(3, Some("The disk is full.".into())));
        assert_eq!((session.saved, session.unsaved.as_deref()), (Some(0), Some("The disk is full.")));
        session.take(TrainEvent::Evaluating(3, 7));
        assert!(session.is_under_way());
        session.take(TrainEvent::Ended(Ended::Learned(Some(1.25))));
        assert_eq!(session.state(), "done");
    }

    #[test]
    fn a_crash_says_what_is_kept_and_ends_what_was_asked() {
        let mut session = Session::default();
        session.begin();
        session.take(TrainEvent::Begun(Box::new(run())));
        session.take(TrainEvent::Saved(2, None));
        session.crash("out of memory");
        let kept = "The trainer crashed (out of memory). The run is stored as it was after step 2.";
        assert_eq!(session.phase, Phase::Failed(kept.into()));
        session.ask_for_text();
        session.crash("again");
        assert_eq!(session.text.failure(), Some("The trainer crashed (again)."));
    }
}
