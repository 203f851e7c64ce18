//! The files that a reader has handed over, and the next step with them.

use crate::app::protocol::{Answers, Asked, Description, Finding, Question};

/// The stage of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Stage {
    /// No files yet.
    #[default]
    Empty,
    /// The files are being identified.
    Identifying,
    /// The reader has to answer questions.
    Asking(Vec<Question>),
    /// The model can be opened.
    Ready(Description),
    /// The model is being opened.
    Opening {
        /// Bytes written or hashed.
        done: u64,
        /// All bytes, 0 until that is known.
        all: u64,
    },
    /// The files cannot be opened; the sentence says why.
    Failed(String),
}

/// Files with their names, and the reader's answers. `F` is the browser's type of a file.
#[derive(Clone, Debug)]
pub struct ImportSession<F> {
    files: Vec<(String, F)>,
    /// The reader's answers.
    pub answers: Answers,
    /// How far it has come.
    pub stage: Stage,
    /// The last questions. They are asked again if the answers were wrong.
    asked: Vec<Question>,
    described: Option<Description>,
}

impl<F> Default for ImportSession<F> {
    fn default() -> Self {
        let (answers, stage) = (Answers::default(), Stage::Empty);
        ImportSession { files: Vec::new(), answers, stage, asked: Vec::new(), described: None }
    }
}

impl<F> ImportSession<F> {
    /// Adds files, which are then identified. A file replaces an earlier one of the same name. Unless the reader was
    /// asked for files, the session starts over, since the files are another model's.
    pub fn add(&mut self, files: impl IntoIterator<Item = (String, F)>) {
        if !matches!(self.stage, Stage::Asking(_) | Stage::Identifying) {
            *self = ImportSession::default();
        }
        for (name, file) in files {
            self.files.retain(|(earlier, _)| *earlier != name);
            self.files.push((name, file));
        }
        self.identify();
    }

    /// What was handed over has no files, or cannot be read; the sentence says why. Files that came before it stay, if
    /// more of them were asked for.
    pub fn fail(&mut self, sentence: String) {
        if !matches!(self.stage, Stage::Asking(_)) {
            *self = ImportSession::default();
        }
        self.stage = self.refused(sentence);
    }

    /// The stage after a failure: what was asked before is asked again.
    fn refused(&self, sentence: String) -> Stage {
        if self.asked.is_empty() {
            return Stage::Failed(sentence);
        }
        let said = Question { sentence, asks: Asked::File };
        Stage::Asking(std::iter::once(said).chain(self.asked.iter().cloned()).collect())
    }

    /// Identifies the files again, with the current answers.
    pub fn identify(&mut self) {
        self.stage = if self.files.is_empty() { Stage::Empty } else { Stage::Identifying };
    }

    /// Takes the result of identifying the files. Ignores it if none is awaited any more.
    pub fn find(&mut self, finding: Finding) {
        if self.stage != Stage::Identifying {
            return;
        }
        self.stage = match finding {
            Finding::Ready(description) => {
                self.asked.clear();
                self.described = Some(description.clone());
                Stage::Ready(description)
            }
            Finding::Needs(questions) => {
                self.propose(&questions);
                self.asked.clone_from(&questions);
                Stage::Asking(questions)
            }
            Finding::Failed(sentence) => self.refused(sentence),
        };
    }

    /// The opening was stopped: back to the description of the model.
    pub fn stop(&mut self) {
        self.stage = self.described.clone().map_or(Stage::Empty, Stage::Ready);
    }

    /// Takes a question's proposal as the answer, unless the reader has given one.
    fn propose(&mut self, questions: &[Question]) {
        for Question { asks, .. } in questions {
            match asks {
                Asked::Heads { proposed } => self.answers.heads = self.answers.heads.or(*proposed),
                Asked::Alphabet { proposed } if self.answers.alphabet.is_none() => {
                    self.answers.alphabet.clone_from(proposed);
                }
                _ => {}
            }
        }
    }

    /// The files' names; behind that of its folder, where a file lies in one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &F> {
        self.files.iter().map(|(_, file)| file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Finding {
        Finding::Ready(Description { name: "ckpt".into(), facts: Vec::new(), as_they_are: false })
    }

    fn need(asks: Asked) -> Finding {
        Finding::Needs(vec![Question { sentence: "missing".into(), asks }])
    }

    fn with(files: &[(&str, u32)]) -> ImportSession<u32> {
        let mut session = ImportSession::default();
        session.add(files.iter().map(|(name, file)| (name.to_string(), *file)));
        session
    }

    #[test]
    fn a_further_file_adds_to_what_is_missing() {
        let mut session = with(&[("model.safetensors", 1), ("vocab.json", 2)]);
        assert_eq!(session.stage, Stage::Identifying);
        session.find(need(Asked::File));
        session.add([("merges.txt".to_string(), 3), ("vocab.json".to_string(), 4)]);
        assert_eq!(session.files().copied().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(session.names().collect::<Vec<_>>(), ["model.safetensors", "merges.txt", "vocab.json"]);
        assert_eq!(session.stage, Stage::Identifying);
    }

    #[test]
    fn what_is_handed_over_after_a_model_or_a_failure_is_another_model() {
        for finding in [ready(), Finding::Failed("an image".into())] {
            let mut session = with(&[("a", 1)]);
            session.answers.heads = Some(3);
            session.find(finding);
            session.add([("b".to_string(), 2)]);
            assert_eq!(session.names().collect::<Vec<_>>(), ["b"]);
            assert_eq!(session.answers, Answers::default());
        }
    }

    #[test]
    fn files_of_one_name_in_two_folders_are_two_files() {
        let session = with(&[("a/model.safetensors", 1), ("b/model.safetensors", 2), ("a/model.safetensors", 3)]);
        assert_eq!(session.names().collect::<Vec<_>>(), ["b/model.safetensors", "a/model.safetensors"]);
        assert_eq!(session.files().copied().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_chosen_model_stays_chosen_through_further_questions() {
        let models = vec!["a.pt".to_string(), "b.pt".to_string()];
        let mut session = with(&[("a.pt", 1), ("b.pt", 2)]);
        session.find(need(Asked::Model { models: models.clone() }));
        assert_eq!(session.answers.model, None, "nothing is chosen for the reader");
        session.answers.model = Some("b.pt".to_string());
        session.identify();
        session.find(need(Asked::Heads { proposed: None }));
        assert_eq!(session.answers.model.as_deref(), Some("b.pt"));
        session.identify();
        session.find(ready());
        assert!(matches!(session.stage, Stage::Ready(_)));
    }

    #[test]
    fn a_folder_without_files_is_no_model() {
        let mut session = with(&[("a", 1)]);
        session.find(ready());
        session.fail("The folder is empty.".to_string());
        assert_eq!((session.files().count(), &session.stage), (0, &Stage::Failed("The folder is empty.".to_string())));
        // Where a file is asked for, the question stays.
        let mut session = with(&[("a", 1)]);
        session.find(need(Asked::File));
        session.fail("The folder is empty.".to_string());
        let Stage::Asking(questions) = &session.stage else { panic!("{:?}", session.stage) };
        assert_eq!((questions.len(), session.files().count()), (2, 1));
    }

    #[test]
    fn a_proposal_counts_until_the_reader_says_otherwise() {
        let mut session = with(&[("a", 1)]);
        session.find(need(Asked::Heads { proposed: Some(6) }));
        assert_eq!(session.answers.heads, Some(6));
        session.answers.heads = Some(4);
        session.identify();
        session.find(need(Asked::Heads { proposed: Some(6) }));
        assert_eq!(session.answers.heads, Some(4));
        session.identify();
        session.find(need(Asked::Alphabet { proposed: Some("ab".into()) }));
        assert_eq!(session.answers.alphabet.as_deref(), Some("ab"));
    }

    #[test]
    fn an_answer_that_does_not_do_is_asked_for_again() {
        let mut session = with(&[("a", 1)]);
        session.find(need(Asked::Heads { proposed: None }));
        session.identify();
        session.find(Finding::Failed("5 does not divide 32".into()));
        let Stage::Asking(questions) = &session.stage else { panic!("{:?}", session.stage) };
        let sentences: Vec<&str> = questions.iter().map(|question| question.sentence.as_str()).collect();
        assert_eq!(sentences, ["5 does not divide 32", "missing"]);
        session.identify();
        session.find(Finding::Failed("6 does not divide 32".into()));
        let Stage::Asking(questions) = &session.stage else { panic!("{:?}", session.stage) };
        assert_eq!(questions.len(), 2, "the reason before is gone");
    }

    #[test]
    fn what_was_found_too_late_does_not_count() {
        let mut session = with(&[]);
        assert_eq!(session.stage, Stage::Empty);
        session.find(ready());
        assert_eq!(session.stage, Stage::Empty);
    }

    #[test]
    fn an_opening_that_was_stopped_can_begin_again() {
        let mut session = with(&[("a", 1)]);
        session.find(ready());
        let before = session.stage.clone();
        session.stage = Stage::Opening { done: 3, all: 30 };
        session.stop();
        assert_eq!(session.stage, before);
    }
}
