//! Headless Chromium with a profile of its own, driven through chromedriver.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::SessionId;
use thirtyfour::common::capabilities::desiredcapabilities::CapabilitiesHelper;
use thirtyfour::prelude::*;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::trap::Trap;

/// What a test waits for at most; loading and a few hundred words take seconds, also on two busy cores.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A host name that leads to this machine but does not count as secure, as a class room's server would not.
pub const PLAIN_HOST: &str = "peargpt.test";

/// Two browsers at a time, however many tests the harness starts: they measure nothing, but they wait for each other.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// Hosts that Chromium talks to whatever page is open, in spite of all switches against it.
const BROWSERS_OWN: [&str; 6] = [
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

/// A browser; it ends when this is dropped: the session closes the browser, then chromedriver goes, then the profile.
pub struct Browser {
    driver: WebDriver,
    chromedriver: Chromedriver,
    _profile: Profile,
    trap: Trap,
    _slot: SemaphorePermit<'static>,
}

impl Browser {
    /// Starts a browser that has never seen the site.
    pub async fn start() -> Result<Self> {
        let slot = SLOTS.acquire().await?;
        let (trap, profile, chromedriver) = (Trap::start()?, Profile::new()?, Chromedriver::start()?);
        let address = format!("http://127.0.0.1:{}", chromedriver.port);
        let capabilities = capabilities(&profile.0, &trap)?;
        // On a busy machine Chromium may take longer to start than chromedriver waits.
        let driver = match WebDriver::new(&address, capabilities.clone()).await {
            Ok(driver) => driver,
            Err(_) => WebDriver::new(&address, capabilities).await.context("Chromium does not start")?,
        };
        driver.set_script_timeout(PATIENCE).await?;
        Ok(Browser { driver, chromedriver, _profile: profile, trap, _slot: slot })
    }

    /// The session, for what is not wrapped here.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Opens an address. Two addresses of one page differ in the part after `#` only, which loads nothing anew.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.driver.goto(url).await.with_context(|| format!("{url} did not open"))
    }

    /// Opens an address in a new tab, which becomes the current one.
    pub async fn open_tab(&self, url: &str) -> Result<()> {
        let tab = self.driver.new_tab().await?;
        self.driver.switch_to_window(tab).await?;
        self.open(url).await
    }

    /// The element of this `data-testid`, once it is there.
    pub async fn find(&self, testid: &str) -> Result<WebElement> {
        let selector = format!("[data-testid=\"{testid}\"]");
        let query = self.driver.query(By::Css(selector)).wait(PATIENCE, Duration::from_millis(50));
        query.first().await.with_context(|| format!("the page has no `{testid}`"))
    }

    /// What JavaScript returns.
    pub async fn script(&self, script: &str) -> Result<Value> {
        let result = self.driver.execute(script, Vec::new()).await;
        Ok(result.with_context(|| format!("`{script}` failed"))?.json().clone())
    }

    /// What a promise ends in.
    pub async fn promise(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0]; ({expression}).then(value => done({{ value }}), error => done({{ error: `${{error}}` }}))"
        );
        let result = self.driver.execute_async(script, Vec::new()).await?.json().clone();
        match result.get("error") {
            Some(error) => bail!("`{expression}` failed: {error}"),
            None => Ok(result["value"].clone()),
        }
    }

    /// Waits until an expression is truthy, and returns its value.
    pub async fn wait_until(&self, expression: &str) -> Result<Value> {
        let start = Instant::now();
        loop {
            let value = self.script(&format!("return ({expression})")).await?;
            let is_empty = value == Value::Null || value == false || value == "";
            if !is_empty {
                return Ok(value);
            }
            if start.elapsed() > PATIENCE {
                bail!("waited {} s in vain for `{expression}`", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

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

    /// Warnings and errors that came into the console since the last call.
    pub async fn console(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let grave = entries.into_iter().filter(|entry| ["WARNING", "SEVERE"].contains(&entry.level.as_str()));
        Ok(grave.map(|entry| format!("{}: {}", entry.level, entry.message)).collect())
    }

    /// Requests for other hosts than the test's, without those that the browser makes of its own accord.
    pub fn left_the_machine(&self) -> Vec<String> {
        let is_own = |request: &String| BROWSERS_OWN.iter().any(|host| request.contains(host));
        self.trap.seen().into_iter().filter(|request| !is_own(request)).collect()
    }

    /// Sets the width and height of the page, in CSS pixels, and whether the system's setting is dark.
    pub async fn set_look(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await.map(drop)
    }

    /// Saves what is to be seen as `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder)?;
        let png = self.driver.screenshot_as_png().await?;
        fs::write(folder.join(format!("{name}.png")), png).with_context(|| format!("{name}.png cannot be written"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's own drop waits for a runtime that this very drop keeps waiting.
        drop(self.chromedriver.end_session(self.driver.session_id()));
        drop(self.driver.clone().leak());
    }
}

fn capabilities(profile: &Path, trap: &Trap) -> Result<Capabilities> {
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

/// A running chromedriver; it ends when this is dropped.
struct Chromedriver {
    process: Child,
    port: u16,
}

impl Chromedriver {
    /// Starts chromedriver on a port of its choice. The port that it chooses may be taken on one of the two loopback
    /// addresses; then it ends, and the next one chooses another.
    fn start() -> Result<Self> {
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            if let Some(chromedriver) = Chromedriver::try_start()? {
                return Ok(chromedriver);
            }
        }
        bail!("chromedriver ended without naming its port, {TRIES} times")
    }

    fn try_start() -> Result<Option<Self>> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().context("chromedriver does not start; `cargo xtask test` installs it")?;
        let output = process.stdout.take().context("chromedriver has no output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.rsplit_once("started successfully on port ")?.1.trim_matches('.').parse().ok());
        // Its pipe must stay open, or it dies of its next line.
        std::thread::spawn(move || lines.for_each(drop));
        // Dropped without a port, so that nothing is left of it.
        let chromedriver = Chromedriver { process, port: port.unwrap_or(0) };
        Ok(port.map(|_| chromedriver))
    }

    /// Has a session's browser closed.
    fn end_session(&self, session: &SessionId) -> io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read(&mut [0; 64]).map(drop)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// An empty folder for a browser's profile, removed when this is dropped.
struct Profile(PathBuf);

impl Profile {
    fn new() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("peargpt-browser-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Profile(folder))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // The browser may still be writing its last files.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
