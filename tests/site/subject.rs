//! The model that a test is about: what holds for pearGPT holds for GPT-2.

use anyhow::Result;

use crate::model::{Gpt2, SMALL};
use crate::reader::Reader;

/// Bytes of a slice in which the small GPT-2 is hosted; a real one's are 4 MiB.
pub const SLICE: usize = 32 << 10;

/// One of the site's two models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject {
    /// The one that the site ships.
    PearGpt,
    /// A small one of random weights, hosted in slices.
    Gpt2,
}

impl Subject {
    /// The address of its page.
    pub fn route(self) -> &'static str {
        match self {
            Subject::PearGpt => "#/peargpt",
            Subject::Gpt2 => "#/gpt2",
        }
    }

    /// Its longest window, in tokens.
    pub fn context(self) -> i64 {
        match self {
            Subject::PearGpt => 256,
            Subject::Gpt2 => SMALL.context as i64,
        }
    }

    /// A reader of a site that has it, who has opened nothing yet.
    pub async fn reader(self) -> Result<Reader> {
        let reader = Reader::new().await?;
        if self == Subject::Gpt2 {
            Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
        }
        Ok(reader)
    }

    /// A reader who has opened its page with these parameters.
    pub async fn at(self, parameters: &str) -> Result<Reader> {
        let reader = self.reader().await?;
        reader.open(&format!("{}{parameters}", self.route())).await?;
        Ok(reader)
    }

    /// A reader whose model is ready.
    pub async fn ready(self) -> Result<Reader> {
        let reader = self.at("").await?;
        reader.wait_for("ready").await?;
        Ok(reader)
    }
}

/// Makes a test of each function, for each of the two models.
macro_rules! for_both_models {
    ($($name:ident),* $(,)?) => {
        mod peargpt {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::subject::Subject::PearGpt).await;
            })*
        }
        mod gpt2 {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::subject::Subject::Gpt2).await;
            })*
        }
    };
}
pub(crate) use for_both_models;
