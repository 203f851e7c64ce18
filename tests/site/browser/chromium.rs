//! Headless Chromium, driven through chromedriver, which also speaks the Chrome DevTools Protocol.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::common::capabilities::desiredcapabilities::CapabilitiesHelper;
use thirtyfour::prelude::*;

use super::process::Driver;
use super::{Browser, PATIENCE, PLAIN_HOST};
use crate::trap::Trap;

/// Hosts that Chromium talks to whatever page is open, in spite of all switches against it.
pub const BROWSERS_OWN: &[&str] = &[
    "accounts.google.com",
    "clients2.google.com",
    "content-autofill.googleapis.com",
    "optimizationguide-pa.googleapis.com",
    "start.duckduckgo.com",
    "update.googleapis.com",
];

const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--window-size=1280,900",
    "--force-device-scale-factor=1",
];

/// Starts chromedriver.
pub fn driver() -> Result<Driver> {
    let command = || {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        command
    };
    Driver::that_chooses(command, "started successfully on port ")
}

/// How Chromium is to start.
pub fn capabilities(profile: &Path, trap: &Trap) -> Result<Capabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    ARGUMENTS.iter().try_for_each(|argument| capabilities.add_arg(argument))?;
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    // The loopback interface never goes through a proxy.
    capabilities.add_arg(&format!("--proxy-server=http://{}", trap.address()))?;
    capabilities.add_arg(&format!("--proxy-bypass-list={PLAIN_HOST}"))?;
    capabilities.add_arg(&format!("--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"))?;
    capabilities.set("goog:loggingPrefs", json!({ "browser": "ALL" }))?;
    Ok(capabilities.into())
}

/// What only Chromium is asked for.
impl Browser {
    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        self.driver.cdp().send_raw(command, parameters).await.with_context(|| format!("{command} failed"))
    }

    /// Runs a script in this tab before every page from now on.
    pub async fn before_every_page(&self, script: &str) -> Result<()> {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await.map(drop)
    }

    /// Lets pages of this origin read and write the clipboard.
    pub async fn allow_clipboard(&self, origin: &str) -> Result<()> {
        let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        self.devtools("Browser.grantPermissions", json!({ "origin": origin, "permissions": permissions }))
            .await
            .map(drop)
    }

    /// What is in the clipboard, once something is; it starts empty.
    pub async fn clipboard(&self) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = self.promise("navigator.clipboard.readText()").await?;
            match text.as_str() {
                Some(text) if !text.is_empty() => return Ok(text.to_string()),
                _ if start.elapsed() > PATIENCE => bail!("the clipboard stayed empty"),
                _ => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }

    /// Stores what is downloaded in this folder, without a question.
    pub(super) async fn download_into(&self, folder: &Path) -> Result<()> {
        let behaviour = json!({ "behavior": "allow", "downloadPath": folder });
        self.devtools("Browser.setDownloadBehavior", behaviour).await.map(drop)
    }

    /// Warnings and errors that came into the console since the last call.
    pub async fn console(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let grave = entries.into_iter().filter(|entry| ["WARNING", "SEVERE"].contains(&entry.level.as_str()));
        Ok(grave.map(|entry| format!("{}: {}", entry.level, entry.message)).collect())
    }

    /// Sets the width and height of the page, in CSS pixels, and whether the system's setting is dark.
    pub async fn set_look(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await.map(drop)
    }
}
