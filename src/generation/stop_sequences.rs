//! Finds where a text ends because a stop sequence came.

/// Holds back what may be the beginning of a stop sequence, and says when one has come.
///
/// An occurrence counts if it begins behind everything that has been shown; its end must lie in the text that was added
/// last. So whether a text ends with a stop sequence depends on the text and on its last token alone.
#[derive(Clone, Debug, Default)]
pub struct StopSequences {
    sequences: Vec<String>,
    /// The end of the text: as much as an occurrence that goes on in the next token can have, and all that is held back.
    recent: String,
    /// How many bytes of `recent` have been shown. The rest is held back.
    shown: usize,
    /// Where in `recent` the occurrence begins that the text added last has completed.
    found: Option<usize>,
}

impl StopSequences {
    /// Looks for these sequences, in a text without any so far.
    pub fn new(sequences: Vec<String>) -> Self {
        StopSequences { sequences, ..StopSequences::default() }
    }

    /// Adds text, and holds it back. Returns whether it completes a stop sequence.
    pub fn push(&mut self, text: &str) -> bool {
        let before = self.recent.len();
        self.recent.push_str(text);
        self.found = self.first_ending_after(before).filter(|start| *start >= self.shown);
        self.found.is_some()
    }

    /// The text that goes on: all that cannot become a stop sequence any more.
    pub fn proceed(&mut self) -> String {
        let begins_one = |start: &usize| {
            let rest = &self.recent[*start..];
            self.sequences.iter().any(|sequence| sequence.len() > rest.len() && sequence.starts_with(rest))
        };
        let starts = self.recent.char_indices().map(|(start, _)| start);
        let held = starts.skip_while(|start| *start < self.shown).find(begins_one);
        self.show(held.unwrap_or(self.recent.len()))
    }

    /// The text that ends: all before the stop sequence that came, or all that is held back.
    pub fn finish(&mut self) -> String {
        self.show(self.found.unwrap_or(self.recent.len()))
    }

    /// All that is held back, a stop sequence that came included.
    pub fn release(&mut self) -> String {
        self.show(self.recent.len())
    }

    /// Where the occurrence begins that ends first behind the first `before` bytes; of several with that end, the longest.
    fn first_ending_after(&self, before: usize) -> Option<usize> {
        let occurrences = self.sequences.iter().filter(|sequence| !sequence.is_empty()).filter_map(|sequence| {
            let from = (before + 1).saturating_sub(sequence.len());
            let mut windows = self.recent.as_bytes()[from..].windows(sequence.len());
            let start = from + windows.position(|window| window == sequence.as_bytes())?;
            Some((start + sequence.len(), start))
        });
        occurrences.min().map(|(_, start)| start)
    }

    /// Shows `recent` up to `end`, and drops what no occurrence can begin in any more.
    fn show(&mut self, end: usize) -> String {
        let text = self.recent[self.shown..end].to_string();
        let longest = self.sequences.iter().map(String::len).max().unwrap_or(0);
        let past = self.recent.len().saturating_sub(longest).min(end);
        let past = self.recent.floor_char_boundary(past);
        self.recent.drain(..past);
        self.shown = end - past;
        self.found = None;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::random::Pcg32;

    fn of(sequences: &[&str]) -> StopSequences {
        StopSequences::new(sequences.iter().map(|sequence| sequence.to_string()).collect())
    }

    /// What is shown after each of these pieces, up to the one that completes a sequence.
    fn shown(stops: &mut StopSequences, pieces: &[&str]) -> Vec<String> {
        let mut shown = Vec::new();
        for piece in pieces {
            if stops.push(piece) {
                shown.push(stops.finish());
                break;
            }
            shown.push(stops.proceed());
        }
        shown
    }

    #[test]
    fn the_text_ends_before_a_sequence_of_which_nothing_is_shown() {
        for pieces in [&["Ay, JUL", "IET", ": who"][..], &["Ay, ", "J", "ULIET:", "who"], &["Ay, JULIET: who", "?"]] {
            let mut stops = of(&["KING", "JULIET:"]);
            assert_eq!(shown(&mut stops, pieces).concat(), "Ay, ", "{pieces:?}");
            assert!(stops.release().starts_with("JULIET:"), "it is shown once the text goes on");
        }
    }

    #[test]
    fn what_may_begin_a_sequence_waits_until_it_is_clear() {
        let pieces = ["To J", "U", "L", "Y", "Jane", " J", "J", "\n"];
        assert_eq!(shown(&mut of(&["JULIET:"]), &pieces), ["To ", "", "", "JULY", "Jane", " ", "J", "J\n"]);
        let mut stops = of(&["JULIET:"]);
        shown(&mut stops, &["To JU"]);
        assert_eq!(stops.finish(), "JU", "a text that ends for another reason ends with it");
    }

    #[test]
    fn the_sequence_that_ends_first_counts_and_of_those_the_longest() {
        assert_eq!(shown(&mut of(&["abcd", "bc"]), &["xabcd"]), ["xa"]);
        assert_eq!(shown(&mut of(&["abcd", "bc"]), &["x", "a", "b", "c", "d"]).concat(), "xa");
        assert_eq!(shown(&mut of(&["bc", "abc"]), &["xab", "c"]).concat(), "x");
        assert_eq!(shown(&mut of(&["ab"]), &["aab", "ab"]), ["a"]);
    }

    #[test]
    fn sequences_of_long_characters_are_found_wherever_they_are_cut() {
        let text = "né 你好 👩‍🚀, naïve";
        for (sequence, before) in [("好", "né 你"), ("👩‍🚀", "né 你好 "), ("é", "n"), (", naïve", "né 你好 👩‍🚀")]
        {
            let characters: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = characters.iter().map(String::as_str).collect();
            assert_eq!(shown(&mut of(&[sequence, "nothing of this"]), &pieces).concat(), before);
        }
    }

    #[test]
    fn what_was_shown_is_not_the_beginning_of_a_sequence_any_more() {
        let mut stops = of(&["\n\n"]);
        assert_eq!(shown(&mut stops, &["a\n", "\n"]).concat(), "a");
        assert_eq!(stops.release(), "\n\n");
        assert_eq!(shown(&mut stops, &["\n", "b", "\n", "c\n", "\n"]).concat(), "\nb\nc");
        assert_eq!(stops.release(), "\n\n");
    }

    #[test]
    fn without_sequences_nothing_is_held_back() {
        assert_eq!(shown(&mut of(&[]), &["a", "", "\n\n", "é"]), ["a", "", "\n\n", "é"]);
    }

    /// One reader stops and continues at will; another has the same text written up to where it stands then, and past
    /// each sequence before. Both see the same.
    #[test]
    fn the_end_depends_on_the_text_alone() {
        let mut random = Pcg32::new(3, 1);
        let mut ends = 0;
        for round in 0..20_000 {
            let mut string = |most: u32| -> String {
                (0..=random.below(most)).map(|_| ['a', 'b', 'é'][random.below(3) as usize]).collect()
            };
            let sequences = [string(3), string(3), string(2)];
            let pieces: Vec<String> = (0..12).map(|_| string(2)).collect();
            let (mut stops, mut text) = (StopSequences::new(sequences.to_vec()), String::new());
            for (index, piece) in pieces.iter().enumerate() {
                let is_end = stops.push(piece);
                if is_end {
                    text.push_str(&stops.finish());
                    let mut other = StopSequences::new(sequences.to_vec());
                    let mut repeat = String::new();
                    for earlier in &pieces[..index] {
                        other.push(earlier);
                        repeat.push_str(&other.proceed());
                    }
                    other.push(piece);
                    assert_eq!(repeat + &other.finish(), text, "round {round}: {sequences:?} in {pieces:?}");
                    ends += 1;
                } else {
                    text.push_str(&stops.proceed());
                }
                if is_end || random.below(4) == 0 {
                    text.push_str(&stops.release());
                    assert_eq!(text, pieces[..=index].concat());
                }
            }
        }
        assert!(ends > 20_000, "{ends} ends");
    }
}
