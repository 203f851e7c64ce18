//! `cargo xtask bench`: the site measures itself in headless Chromium.

use anyhow::Result;

use crate::run::run;
use crate::{checks, site, tools};

/// Builds the site and prints a table of what its bench page measures.
pub fn bench() -> Result<()> {
    tools::ensure_browser()?;
    site::dist(&[])?;
    run(checks::whole_site("--bench"))
}
