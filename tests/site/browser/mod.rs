//! A browser with a profile of its own: headless Chromium, Firefox, or WebKitGTK's MiniBrowser. What they share is plain
//! WebDriver; what differs is in a file for each.

mod chromium;
mod firefox;
mod process;
mod webkit;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use thirtyfour::prelude::*;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::process::{Driver, Profile};
use crate::trap::Trap;

/// What a test waits for at most; loading and a few hundred words take seconds, also on two busy cores.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long a browser may take to start. WebKitWebDriver waits for ever for one that it has missed, one time in a dozen.
const START: Duration = Duration::from_secs(30);

/// A host name that leads to this machine but does not count as secure, as a class room's server would not.
pub const PLAIN_HOST: &str = "peargpt.test";

/// Two browsers at a time, however many tests the harness starts: they measure nothing, but they wait for each other.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// What draws and runs a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Blink and V8.
    Chromium,
    /// Gecko and SpiderMonkey.
    Firefox,
    /// WebKit and JavaScriptCore, in its GTK port.
    WebKit,
}

/// What the system's setting asks pages for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark letters on light ground.
    Light,
    /// The other way round.
    Dark,
}

/// A browser; it ends when this is dropped: the session closes the browser, then its driver goes, then the profile.
pub struct Browser {
    engine: Engine,
    driver: WebDriver,
    process: Driver,
    profile: Profile,
    trap: Trap,
    _slot: SemaphorePermit<'static>,
}

impl Browser {
    /// Starts a Chromium that has never seen the site.
    pub async fn start() -> Result<Self> {
        Browser::of(Engine::Chromium, Scheme::Light).await
    }

    /// Starts a browser of this engine that has never seen the site.
    pub async fn of(engine: Engine, scheme: Scheme) -> Result<Self> {
        let slot = SLOTS.acquire().await?;
        let trap = Trap::start()?;
        // The second time everything is new, so that nothing of the first is in its way.
        let (driver, process, profile) = match session(engine, scheme, &trap).await {
            Ok(started) => started,
            Err(_) => session(engine, scheme, &trap).await?,
        };
        driver.set_script_timeout(PATIENCE).await?;
        let browser = Browser { engine, driver, process, profile, trap, _slot: slot };
        match engine {
            Engine::Chromium if scheme == Scheme::Dark => browser.set_look(1280, 900, true).await?,
            Engine::Chromium => {}
            Engine::Firefox | Engine::WebKit => browser.driver.set_window_rect(0, 0, 1280, 900).await?,
        }
        Ok(browser)
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

    /// Nanoseconds that all web workers have computed; Chromium only.
    pub fn workers_computed_ns(&self) -> Result<u64> {
        Ok(self.process.computed_ns("DedicatedWorker")?)
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

    /// Requests for other hosts than the test's, without those that the browser makes of its own accord.
    pub fn left_the_machine(&self) -> Vec<String> {
        let own = match self.engine {
            Engine::Chromium => chromium::BROWSERS_OWN,
            Engine::Firefox => firefox::BROWSERS_OWN,
            Engine::WebKit => &[],
        };
        let is_own = |request: &String| own.iter().any(|host| request.contains(host));
        self.trap.seen().into_iter().filter(|request| !is_own(request)).collect()
    }

    /// The folder for what is downloaded.
    pub async fn downloads(&self) -> Result<PathBuf> {
        let folder = self.profile.downloads();
        if self.engine == Engine::Chromium {
            self.download_into(&folder).await?;
        }
        Ok(folder)
    }

    /// Saves what is to be seen as `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder)?;
        let png = self.driver.screenshot_as_png().await?;
        fs::write(folder.join(format!("{name}.png")), png).with_context(|| format!("{name}.png cannot be written"))
    }
}

/// A driver with an empty profile, and a session of it.
async fn session(engine: Engine, scheme: Scheme, trap: &Trap) -> Result<(WebDriver, Driver, Profile)> {
    let profile = Profile::new()?;
    let (process, capabilities) = match engine {
        Engine::Chromium => (chromium::driver()?, chromium::capabilities(&profile.0, trap)?),
        Engine::Firefox => (firefox::driver(&profile)?, firefox::capabilities(&profile, trap, scheme)?),
        Engine::WebKit => (webkit::driver(&profile, scheme)?, webkit::capabilities(trap)?),
    };
    let session = tokio::time::timeout(START, WebDriver::new(process.address(), capabilities));
    let session = session.await.with_context(|| format!("{engine:?} did not start within {} s", START.as_secs()))?;
    Ok((session.with_context(|| format!("{engine:?} does not start"))?, process, profile))
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's own drop waits for a runtime that this very drop keeps waiting.
        drop(self.process.end_session(self.driver.session_id()));
        drop(self.driver.clone().leak());
    }
}
