//! What the page asks of its workers.

use macro_rules_attribute::derive;
use serde::Serialize;

use super::{Answers, At, Export, GgufFile, ModelFile, Program, Publication, TransferPolicy, View};
use crate::app::catalog::Entry;
use crate::app::threads::Threads;
use crate::generation::Settings;
use crate::wire::Read;

/// Page → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum Request {
    /// Fetch, verify and open a model. The model that is open is closed first.
    Load {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog, which the parts' URLs are relative to.
        catalog_url: String,
        /// How its parts are fetched.
        policy: TransferPolicy,
        /// Whether the reader has agreed to fetch it. If it is on another origin and not here yet, the answer is
        /// [`Event::ToFetch`](super::Event::ToFetch), or [`Event::Asking`](super::Event::Asking) without that consent.
        consent: bool,
        /// How many threads are to compute.
        threads: Threads,
    },
    /// Open a GGUF that the converter has made, or found to run unchanged. The file comes with the message unless it is
    /// in storage. The model that is open is closed first.
    Open {
        /// The page's number of the import that ends with this; `None` after [`Request::Fetch`].
        run: Option<u32>,
        /// The file.
        file: GgufFile,
        /// How many threads are to compute.
        threads: Threads,
    },
    /// Fetch a model from Hugging Face, and convert it while it arrives. Ends in
    /// [`Event::Fetched`](super::Event::Fetched).
    Fetch {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog, which the parts' URLs are relative to.
        catalog_url: String,
        /// How it is fetched.
        policy: TransferPolicy,
    },
    /// Interrupt the download; [`Request::Load`] resumes it.
    Pause,
    /// End an interrupted download, and remove what is stored of the model with this id. If that fails,
    /// [`Event::Failed`](super::Event::Failed) says so, and nothing changes.
    Cancel {
        /// The catalog's id.
        id: String,
    },
    /// Remove what is stored of the model with this id, unless a tab is using it.
    Discard {
        /// The catalog's id.
        id: String,
    },
    /// Ask for [`Event::Stored`](super::Event::Stored).
    ListStored,
    /// Identify the files that come with this; in the background.
    Inspect {
        /// The page's number of this question.
        run: u32,
        /// The files' names; behind that of its folder, where a file lies in one.
        names: Vec<String>,
        /// The reader's answers about them.
        answers: Answers,
    },
    /// Convert the files that come with this to a GGUF. Ends in [`Event::Converted`](super::Event::Converted).
    Import {
        /// The page's number of this run.
        run: u32,
        /// The files' names; behind that of its folder, where a file lies in one.
        names: Vec<String>,
        /// The reader's answers about them.
        answers: Answers,
    },
    /// Store a model of the reader's own. Its file comes with this unless it is in storage. The page sends this without
    /// the file, and the bridge adds it.
    Keep {
        /// The model's title.
        title: String,
        /// The file.
        model: Option<ModelFile>,
    },
    /// Rename a stored model of the reader's own.
    Rename {
        /// SHA-256 of its file, in hex.
        id: String,
        /// The new name.
        title: String,
    },
    /// Write a text from its beginning. `settings.seed` must be set.
    Generate {
        /// The page's number of this run.
        run: u32,
        /// The settings of the run.
        settings: Settings,
    },
    /// Continue from the end of the last run, with the same settings.
    Continue {
        /// The page's number of this run.
        run: u32,
        /// Words to add.
        words: u32,
    },
    /// Continue a text that this worker did not write, or has closed since. It goes on as it would have gone on then.
    Resume {
        /// The page's number of this run.
        run: u32,
        /// The settings of the text, with its seed.
        settings: Settings,
        /// All tokens that were drawn for it.
        ids: Vec<u32>,
        /// Bytes of their text that the page shows. The rest is sent first.
        shown: u32,
        /// Words to add.
        words: u32,
    },
    /// Take other tokens of the text that was generated last, from where these settings take others on, and go on from there.
    Fork {
        /// The page's number of this run.
        run: u32,
        /// The settings of the text, with its seed and what it takes now.
        settings: Settings,
    },
    /// Read a text as the prompt of these settings without writing, to look inside.
    Read {
        /// The page's number of this run.
        run: u32,
        /// The settings, with a seed.
        settings: Settings,
        /// Tokens that were drawn for the text already.
        ids: Vec<u32>,
    },
    /// Look at a token of the text, beside the run or between two. Answered by [`Event::Seen`](super::Event::Seen).
    Look {
        /// The page's number of this run. An older one about another token ends with
        /// [`Event::Interrupted`](super::Event::Interrupted).
        run: u32,
        /// Which token.
        at: At,
        /// What is asked about it.
        view: View,
    },
    /// Say of each token that is written from now on how surprising it is, or no more; and, once, of those before.
    Mark {
        /// The page's number of this run; 0 where the tokens before are known.
        run: u32,
        /// Whether it is said.
        on: bool,
    },
    /// The tokens of a text that is to be taken instead of one. Answered by [`Event::Encoded`](super::Event::Encoded).
    Encode {
        /// The page's number of this run.
        run: u32,
        /// The text.
        text: String,
    },
    /// End the run. It ends after at most one decode step, or one prefill tile, that begins within 4 ms.
    Stop,
    /// Measure prefill and decoding; see [`BenchReport`](super::BenchReport).
    Bench {
        /// The page's number of this run.
        run: u32,
        /// Length of the prompt, in tokens.
        prompt_tokens: u32,
        /// Tokens to decode after it.
        tokens: u32,
    },
    /// Compare the model with figures published for GPT-2.
    Verify {
        /// The page's number of this run.
        run: u32,
    },
    /// Export a model as a file for other programs. The page sends this without the model's file, and the bridge adds
    /// it.
    Export {
        /// The page's number of this run.
        run: u32,
        /// The format of the file.
        format: Export,
        /// The model's file.
        model: Option<ModelFile>,
    },
    /// Make a site whose home is a model, as a zip file. Answered as [`Request::Export`] is. The page sends this without the
    /// model's file, and the bridge adds it.
    Publish {
        /// The page's number of this run.
        run: u32,
        /// What is asked for.
        publication: Publication,
        /// Absolute URL of the site that this page is of.
        base: String,
        /// The SHA-256 of its `release.json`.
        release: String,
        /// The model's file.
        model: Option<ModelFile>,
    },
    /// End [`Request::Import`], [`Request::Export`] or [`Request::Publish`].
    StopConverting,
    /// Count the tokens of a text, in the background. Answered only while a model is open; if several of these wait,
    /// only the newest is answered.
    Tokenize {
        /// The page's number of this question.
        number: u32,
        /// The text.
        text: String,
    },
}

impl Request {
    /// The worker that answers. [`Request::Pause`] and [`Request::Cancel`] go to the worker that is fetching.
    pub fn program(&self) -> Program {
        match self {
            Request::Fetch { .. }
            | Request::Inspect { .. }
            | Request::Import { .. }
            | Request::Keep { .. }
            | Request::Export { .. }
            | Request::Publish { .. }
            | Request::StopConverting => Program::Converter,
            _ => Program::Engine,
        }
    }

    /// The same with the file of the model that is open, where it is about that.
    pub fn with_model(mut self, file: Option<ModelFile>) -> Self {
        if let Request::Keep { model, .. } | Request::Export { model, .. } | Request::Publish { model, .. } = &mut self
        {
            *model = file;
        }
        self
    }

    /// Whether this is answered in the background, and ends no run.
    pub fn is_background(&self) -> bool {
        matches!(
            self,
            Request::Tokenize { .. }
                | Request::Inspect { .. }
                | Request::Keep { .. }
                | Request::ListStored
                | Request::Discard { .. }
                | Request::Rename { .. }
                | Request::Encode { .. }
        )
    }

    /// Whether this is answered between two steps of the run, and ends none.
    pub fn is_aside(&self) -> bool {
        matches!(self, Request::Look { .. } | Request::Mark { .. })
    }
}
