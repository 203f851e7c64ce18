//! WebKitGTK's MiniBrowser on a screen in memory, driven through WebKitWebDriver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use thirtyfour::prelude::*;

use super::Scheme;
use super::process::{Driver, Profile, Screen};
use crate::trap::Trap;

/// Starts WebKitWebDriver; the browser that it starts inherits what it is told here.
pub fn driver(profile: &Profile, scheme: Scheme) -> Result<Driver> {
    name_downloads(profile)?;
    Driver::that_is_told(|port, screen| command(port, screen, &profile.0, scheme))
}

fn command(port: u16, screen: &Screen, profile: &Path, scheme: Scheme) -> Command {
    let mut command = Command::new("WebKitWebDriver");
    command.arg(format!("--port={port}")).env("DISPLAY", &screen.name).env("HOME", profile);
    for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")] {
        command.env(name, profile.join(folder));
    }
    // The system's setting is that of GTK.
    let theme = if scheme == Scheme::Dark { "Adwaita:dark" } else { "Adwaita" };
    command.env("GTK_THEME", theme);
    // It says that pages are isolated and has none without this; Safari has.
    command.env("JSC_useSharedArrayBuffer", "1");
    command
}

/// How MiniBrowser is to start.
pub fn capabilities(trap: &Trap) -> Result<Capabilities> {
    let mut capabilities = Capabilities::new();
    capabilities.set("webkitgtk:browserOptions", json!({ "binary": mini_browser()?, "args": ["--automation"] }))?;
    let trap = trap.address();
    let proxy = json!({ "proxyType": "manual", "httpProxy": trap, "sslProxy": trap, "noProxy": ["127.0.0.1"] });
    capabilities.set("proxy", proxy)?;
    Ok(capabilities)
}

/// It is not on PATH, but beside the library: `/usr/lib/<machine>/webkit2gtk-4.1/MiniBrowser`.
fn mini_browser() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib")?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found = folders.map(|folder| folder.join("webkit2gtk-4.1/MiniBrowser")).filter(|path| path.is_file());
    found.next().context("there is no MiniBrowser below /usr/lib; `cargo xtask test` installs webkit2gtk-driver")
}

/// Downloads go where the desktop's user has them go.
fn name_downloads(profile: &Profile) -> Result<()> {
    let config = profile.0.join("config");
    fs::create_dir_all(&config)?;
    let line = format!("XDG_DOWNLOAD_DIR=\"{}\"\n", profile.downloads().display());
    fs::write(config.join("user-dirs.dirs"), line).context("user-dirs.dirs cannot be written")
}
