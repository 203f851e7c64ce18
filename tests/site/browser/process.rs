//! The programs that a browser stands on: its driver, a screen where it needs one, a folder for its files. Each ends with
//! the value that holds it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thirtyfour::SessionId;

/// How often a driver is started that ends at once, since the port it has chosen is taken.
const TRIES: usize = 5;
/// How long a driver may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A running program; it is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running chromedriver, geckodriver or WebKitWebDriver.
pub struct Driver {
    process: Process,
    /// Ends after the driver, whose browser draws on it.
    _screen: Option<Screen>,
    port: u16,
}

impl Driver {
    /// Starts a driver that chooses its port and says so on its output, behind `before`.
    pub fn that_chooses(command: impl Fn() -> Command, before: &str) -> Result<Self> {
        for _ in 0..TRIES {
            let mut command = command();
            let mut process = start(command.stdout(Stdio::piped()))?;
            let mut lines = lines(&mut process)?;
            // Without a port it is dropped, so that nothing is left of it.
            let Some(port) = lines.find_map(|line| port_in(&line, before)) else { continue };
            // Its pipe must stay open, or it dies of its next line.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(Driver { process, _screen: None, port });
        }
        bail!("the driver ended without naming its port, {TRIES} times")
    }

    /// Starts a driver that has to be told its port, on a screen of its own.
    pub fn that_is_told(command: impl Fn(u16, &Screen) -> Command) -> Result<Self> {
        for _ in 0..TRIES {
            let (screen, port) = (Screen::start()?, free_port()?);
            let mut process = start(command(port, &screen).stdout(Stdio::null()))?;
            // Somebody else may have taken the port meanwhile; then it ends.
            if listens(&mut process, port)? {
                return Ok(Driver { process, _screen: Some(screen), port });
            }
        }
        bail!("the driver did not listen on the port that it was given, {TRIES} times")
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nanoseconds that all threads of this name have computed, in the processes that it has started (proc(5)).
    pub fn computed_ns(&self, thread: &str) -> io::Result<u64> {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let named = |task: &Path| read(task.join("comm")).trim() == thread;
        let ns = |task: PathBuf| read(task.join("schedstat")).split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
        let mut sum = 0;
        for process in descendants(self.process.0.id())? {
            // A process may end meanwhile.
            let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
            sum += tasks.map(|task| task.path()).filter(|task| named(task)).filter_map(ns).sum::<u64>();
        }
        Ok(sum)
    }

    /// Has a session's browser closed.
    pub fn end_session(&self, session: &SessionId) -> io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        // geckodriver answers only who names its port.
        let host = format!("127.0.0.1:{}", self.port);
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        stream.read(&mut [0; 64]).map(drop)
    }
}

/// A screen in memory, for a browser that draws on nothing else.
pub struct Screen {
    _process: Process,
    /// What `DISPLAY` says of it.
    pub name: String,
}

impl Screen {
    fn start() -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]).stdout(Stdio::piped());
        let mut process = start(&mut command)?;
        let number = lines(&mut process)?.next().context("Xvfb ended without naming its display")?;
        Ok(Screen { _process: process, name: format!(":{number}") })
    }
}

/// The processes that a process has started, and theirs.
fn descendants(ancestor: u32) -> io::Result<Vec<u32>> {
    let process = |name: &str| {
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        // Behind the name of the program, which may have spaces: the state, and the process that started it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        Some((name.parse::<u32>().ok()?, parent))
    };
    let names = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let processes: Vec<(u32, u32)> = names.filter_map(|name| process(&name)).collect();
    let mut found = vec![ancestor];
    for index in 0.. {
        let Some(&of) = found.get(index) else { break };
        found.extend(processes.iter().filter(|(_, parent)| *parent == of).map(|(child, _)| child));
    }
    Ok(found)
}

/// Starts a program that is not heard.
fn start(command: &mut Command) -> Result<Process> {
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let name = command.get_program().to_string_lossy().into_owned();
    Ok(Process(child.with_context(|| format!("{name} does not start; `cargo xtask test` installs it"))?))
}

/// What it says.
fn lines(process: &mut Process) -> Result<impl Iterator<Item = String> + Send + use<>> {
    let output = process.0.stdout.take().context("the program has no output")?;
    Ok(BufReader::new(output).lines().map_while(Result::ok))
}

fn port_in(line: &str, before: &str) -> Option<u16> {
    line.rsplit_once(before)?.1.trim_matches('.').parse().ok()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until it listens; false if it ends before.
fn listens(process: &mut Process, port: u16) -> Result<bool> {
    let since = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if process.0.try_wait()?.is_some() {
            return Ok(false);
        }
        if since.elapsed() > START {
            bail!("the driver did not listen on port {port} within {} s", START.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// An empty folder for a browser's profile, removed when this is dropped.
pub struct Profile(pub PathBuf);

impl Profile {
    /// Makes it, with a folder for what is downloaded.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("peargpt-browser-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("downloads"))?;
        Ok(Profile(folder))
    }

    /// Where the browser puts what is downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // A browser that was told to end may hang, and outlive its driver.
        for process in processes_with(&self.0) {
            drop(Command::new("kill").args(["-KILL", &process]).stderr(Stdio::null()).status());
        }
        // It may still be writing its last files.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The ids of all processes whose command line has this folder in it.
fn processes_with(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let ids = ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    ids.filter(|id| names(&fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default(), folder)).collect()
}

/// Whether a command line names this folder, and not one whose number only begins as this one's.
fn names(line: &[u8], folder: &Path) -> bool {
    let (line, folder) = (String::from_utf8_lossy(line), folder.display().to_string());
    line.match_indices(&folder)
        .any(|(at, _)| !line[at + folder.len()..].starts_with(|next: char| next.is_ascii_digit()))
}
