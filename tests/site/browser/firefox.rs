//! Headless Firefox, driven through geckodriver.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use super::Scheme;
use super::process::{Driver, Profile};
use crate::trap::Trap;

/// Hosts that Firefox talks to whatever page is open, in spite of all preferences against it.
pub const BROWSERS_OWN: &[&str] = &[
    "content-signature-2.cdn.mozilla.net",
    "firefox.settings.services.mozilla.com",
    "firefox-settings-attachments.cdn.mozilla.net",
];

/// Starts geckodriver. Debian's Firefox is called `firefox-esr`, which geckodriver looks for only where it is told to.
pub fn driver(profile: &Profile) -> Result<Driver> {
    let command = || {
        let mut command = Command::new("geckodriver");
        command.args(["--port=0", "--profile-root"]).arg(&profile.0);
        // Firefox refuses a home that belongs to somebody else, and leaves its traces there.
        command.env("HOME", &profile.0);
        command
    };
    Driver::that_chooses(command, "Listening on 127.0.0.1:")
}

/// How Firefox is to start.
pub fn capabilities(profile: &Profile, trap: &Trap, scheme: Scheme) -> Result<Capabilities> {
    let mut capabilities = Capabilities::new();
    let mut options = json!({ "args": ["-headless"], "prefs": preferences(&profile.downloads(), trap, scheme) });
    if let Some(binary) = binary() {
        options["binary"] = binary.into();
    }
    capabilities.set("moz:firefoxOptions", options)?;
    Ok(capabilities)
}

/// Debian's Firefox; any other is found by geckodriver itself.
fn binary() -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("firefox-esr")).find(|path| path.is_file())?;
    Some(found.display().to_string())
}

fn preferences(downloads: &Path, trap: &Trap, scheme: Scheme) -> Value {
    let mut preferences = json!({
        // What is downloaded is stored without a question.
        "browser.download.folderList": 2,
        "browser.download.dir": downloads,
        "browser.download.useDownloadDir": true,
        "browser.download.always_ask_before_handling_new_types": false,
        // The system's setting: 0 is dark, 1 light.
        "layout.css.prefers-color-scheme.content-override": i32::from(scheme == Scheme::Light),
    });
    // The loopback interface never goes through a proxy.
    let (host, port) = (trap.host(), trap.port());
    for kind in ["http", "ssl"] {
        preferences[format!("network.proxy.{kind}")] = host.clone().into();
        preferences[format!("network.proxy.{kind}_port")] = port.into();
    }
    preferences["network.proxy.type"] = 1.into();
    preferences
}
