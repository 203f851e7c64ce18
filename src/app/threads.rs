//! How many threads compute a model: as many as the reader says, or as many as were measured to be fastest here.

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};

use crate::checkpoint::decimal;
use crate::wire::Read;

/// The most threads of a page.
pub const MOST: u32 = 8;

/// By how much more threads must be faster than fewer.
const GAIN: f64 = 0.95;

/// By how much another number must be faster than the one that computes, for the model to be opened anew.
const CHANGE: f64 = 0.85;

/// By how much a text must be faster than what was measured for that to be of no use.
const BUSY: f64 = 1.4;

/// How many threads are to compute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Read!)]
pub struct Threads {
    /// As many as this; `None` for as many as are fastest.
    pub exactly: Option<u32>,
    /// What was measured before on this device.
    pub measured: Vec<Speeds>,
}

impl Threads {
    /// What was measured for this shape.
    pub fn speeds(&self, shape: &str) -> Option<&Speeds> {
        self.measured.iter().find(|speeds| speeds.shape == shape && !speeds.ms.is_empty())
    }

    /// Takes a measurement in the place of an earlier one.
    pub fn note(&mut self, speeds: Speeds) {
        self.measured.retain(|earlier| earlier.shape != speeds.shape);
        self.measured.push(speeds);
    }
}

/// How fast models of a shape are computed on this device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Read!)]
pub struct Speeds {
    /// The shape, as [`Shape::name`](super::catalog::Shape::name) has it.
    pub shape: String,
    /// Numbers of threads, ascending, and milliseconds of a token.
    pub ms: Vec<(u32, f64)>,
}

impl Speeds {
    /// Holds what was measured against a text, whose tokens took so long with so many threads. Where they were much faster,
    /// something else kept the machine busy then, and all of it is forgotten, so that it is measured anew.
    pub fn check(&mut self, threads: u32, ms: f64) {
        let measured = self.ms.iter().find(|(others, _)| *others == threads);
        match measured.is_some_and(|(_, measured)| ms * BUSY < *measured) {
            true => self.ms.clear(),
            false => self.note(threads, ms),
        }
    }

    /// Notes how long a token takes with so many threads.
    pub fn note(&mut self, threads: u32, ms: f64) {
        match self.ms.iter_mut().find(|(others, _)| *others == threads) {
            Some(entry) => entry.1 = ms,
            None => self.ms.push((threads, ms)),
        }
        self.ms.sort_by_key(|(threads, _)| *threads);
    }

    /// The number of threads that is fastest; fewer where more gain next to nothing.
    pub fn best(&self) -> Option<u32> {
        let faster = |best: (u32, f64), next: (u32, f64)| if next.1 < GAIN * best.1 { next } else { best };
        self.ms.iter().copied().reduce(faster).map(|(threads, _)| threads)
    }

    /// The number of threads that is to take the place of `threads`: the best where that is much faster, or where nobody
    /// knows how fast this one is.
    pub fn instead_of(&self, threads: u32) -> Option<u32> {
        let ms = |of: u32| self.ms.iter().find(|(others, _)| *others == of).map(|(_, ms)| *ms);
        let best = self.best()?;
        let gains_little = ms(threads).zip(ms(best)).is_some_and(|(now, then)| then >= CHANGE * now);
        Some(if gains_little { threads } else { best })
    }
}

/// Days after which a measurement is made anew.
const DAYS: u32 = 7;

/// A measurement, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// The day, counted from 1970.
    pub day: u32,
    /// What was measured.
    pub speeds: Speeds,
}

impl Dated {
    /// Takes what was measured today, or what a text has corrected, which makes it no younger.
    pub fn note(measured: &mut Vec<Dated>, today: u32, speeds: Speeds) {
        let earlier = measured.iter().position(|dated| dated.speeds.shape == speeds.shape);
        let corrected = earlier.map(|earlier| measured.remove(earlier)).filter(|dated| !dated.speeds.ms.is_empty());
        measured.push(Dated { day: corrected.map_or(today, |dated| dated.day), speeds });
    }

    /// A line for each, `20785 8x320x1280x5x65 1:0.912 2:0.620`.
    pub fn write(measured: &[Dated]) -> String {
        let line = |Dated { day, speeds }: &Dated| {
            let ms = speeds.ms.iter().map(|(threads, ms)| format!(" {threads}:{ms:.3}"));
            format!("{day} {}{}", speeds.shape, ms.collect::<String>())
        };
        measured.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Those lines that are of this form and not too old today.
    pub fn read(text: &str, today: u32) -> Vec<Dated> {
        let entry = |word: &str| {
            let (threads, ms) = word.split_once(':')?;
            let (threads, ms) = (threads.parse().ok()?, decimal::parse(ms)?);
            ((1..=MOST).contains(&threads) && ms >= 0.0).then_some((threads, ms))
        };
        let read = |line: &str| {
            let mut words = line.split(' ');
            let (day, shape) = (words.next()?.parse().ok()?, words.next()?.to_string());
            Some(Dated { day, speeds: Speeds { shape, ms: words.map(entry).collect::<Option<_>>()? } })
        };
        let is_new = |dated: &Dated| dated.day <= today && today - dated.day < DAYS;
        text.lines().filter_map(read).filter(is_new).collect()
    }
}

/// The numbers of threads that are tried on so many cores: 1, 2, 4, and so on.
pub fn candidates(cores: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(1), |threads| Some(threads * 2)).take_while(move |threads| *threads <= cores.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speeds(ms: &[(u32, f64)]) -> Speeds {
        Speeds { shape: "8x320x1280x5x65".to_string(), ms: ms.to_vec() }
    }

    #[test]
    fn the_fastest_number_is_chosen_and_fewer_where_more_gain_nothing() {
        assert_eq!(speeds(&[]).best(), None);
        assert_eq!(speeds(&[(1, 9.0), (2, 5.0), (4, 4.9)]).best(), Some(2));
        assert_eq!(speeds(&[(1, 9.0), (2, 5.0), (4, 3.0), (8, 7.0)]).best(), Some(4));
        assert_eq!(speeds(&[(1, 1.0), (2, 1.2)]).best(), Some(1));
    }

    #[test]
    fn a_text_corrects_what_was_measured() {
        let mut speeds = speeds(&[(1, 9.0), (2, 5.0)]);
        speeds.note(2, 30.0);
        assert_eq!(speeds.best(), Some(1));
        speeds.note(1, 40.0);
        assert_eq!((speeds.best(), speeds.ms.len()), (Some(2), 2), "one thread is slower still");
        speeds.note(4, 10.0);
        assert_eq!(speeds.ms, [(1, 40.0), (2, 30.0), (4, 10.0)]);
    }

    #[test]
    fn a_little_faster_is_no_reason_to_open_a_model_anew() {
        let speeds = speeds(&[(1, 9.0), (2, 8.0), (4, 5.0)]);
        assert_eq!(speeds.best(), Some(4));
        assert_eq!((speeds.instead_of(1), speeds.instead_of(4), speeds.instead_of(3)), (Some(4), Some(4), Some(4)));
        let alike = Speeds { ms: vec![(1, 9.0), (2, 8.0)], ..speeds };
        assert_eq!((alike.best(), alike.instead_of(1), alike.instead_of(2)), (Some(2), Some(1), Some(2)));
        assert_eq!(Speeds::default().instead_of(1), None);
    }

    #[test]
    fn what_was_measured_on_a_busy_machine_is_forgotten_once_a_text_is_faster() {
        let mut speeds = speeds(&[(1, 9.0), (2, 25.0)]);
        speeds.check(1, 8.0);
        assert_eq!(speeds.ms, [(1, 8.0), (2, 25.0)]);
        speeds.check(1, 5.0);
        let mut threads = Threads::default();
        threads.note(speeds);
        assert_eq!(threads.speeds("8x320x1280x5x65"), None);
    }

    #[test]
    fn a_shape_is_remembered_once() {
        let mut threads = Threads::default();
        threads.note(speeds(&[(1, 9.0)]));
        threads.note(speeds(&[(1, 8.0)]));
        assert_eq!(threads.measured.len(), 1);
        assert_eq!(threads.speeds("8x320x1280x5x65"), Some(&speeds(&[(1, 8.0)])));
        assert_eq!(threads.speeds("12x768x3072x12x50257"), None);
    }

    #[test]
    fn what_was_measured_is_read_as_it_was_written_for_seven_days() {
        let measured = [
            Dated { day: 20785, speeds: speeds(&[(1, 0.912), (2, 0.5)]) },
            Dated { day: 20790, speeds: Speeds { shape: "1x2x3x4x5".to_string(), ms: Vec::new() } },
        ];
        let text = Dated::write(&measured);
        assert_eq!(text, "20785 8x320x1280x5x65 1:0.912 2:0.500\n20790 1x2x3x4x5");
        assert_eq!(Dated::read(&text, 20791), measured);
        assert_eq!(Dated::read(&text, 20792), measured[1..]);
        assert_eq!(Dated::read(&text, 20789), measured[..1], "of a day that has not come");
        for damaged in ["", "x", "20785", "x 8x320 1:2", "20785 8x320 1:", "20785 8x320 9:1", "20785 8x320 2:-1"] {
            assert!(Dated::read(damaged, 20785).is_empty(), "{damaged}");
        }
    }

    #[test]
    fn a_correction_makes_a_measurement_no_younger() {
        let mut measured = Vec::new();
        for (today, ms, day) in [(5, [(1, 9.0)].as_slice(), 5), (8, &[(1, 8.0)], 5), (9, &[], 5), (9, &[(1, 7.0)], 9)] {
            Dated::note(&mut measured, today, speeds(ms));
            assert_eq!(measured, [Dated { day, speeds: speeds(ms) }]);
        }
    }

    #[test]
    fn powers_of_two_are_tried_up_to_the_cores_and_to_eight() {
        assert_eq!(candidates(1).collect::<Vec<_>>(), [1]);
        assert_eq!(candidates(6).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(candidates(64).collect::<Vec<_>>(), [1, 2, 4, 8]);
    }
}
