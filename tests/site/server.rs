//! A static file server for `dist/`, as plain as any, that fails where a test tells it to.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Where the site lies on the server.
const BASE: &str = "/some/deep/path/";

/// What goes wrong with the answer to a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This status instead of the file.
    Status(u16),
    /// The connection ends after this share of the body, in percent.
    CutAt(usize),
    /// All bits of the byte at this share of the body, in percent, are flipped.
    FlipAt(usize),
    /// Nothing comes after this share of the body, in percent, and the connection stays open.
    StallAt(usize),
    /// This many bytes per second.
    Slow(usize),
}

/// Serves until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    faults: Mutex<HashMap<String, (Fault, usize)>>,
    rewrites: Mutex<Vec<(String, String)>>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Server {
    /// Serves `dist/` under a deep path of a free port of the loopback interface.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, shared) = (listener.local_addr()?, Arc::<Shared>::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Ok(Server { address, shared })
    }

    /// The address of a file of the site; `""` or `"#/peargpt"` for the page.
    pub fn url(&self, rest: &str) -> String {
        format!("{}{BASE}{rest}", self.origin())
    }

    /// `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on the file of this name is served with a fault.
    pub fn always(&self, file: &str, fault: Fault) {
        self.times(usize::MAX, file, fault);
    }

    /// The next `times` requests for the file of this name are served with a fault.
    pub fn times(&self, times: usize, file: &str, fault: Fault) {
        lock(&self.shared.faults).insert(file.to_string(), (fault, times));
    }

    /// All files are served as they are again.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// From now on the page is served with `from` replaced.
    pub fn rewrite(&self, from: &str, to: &str) {
        lock(&self.shared.rewrites).push((from.to_string(), to.to_string()));
    }

    /// How often files whose name contains `part` were asked for.
    pub fn count(&self, part: &str) -> usize {
        lock(&self.shared.requests).iter().filter(|path| path.contains(part)).count()
    }

    /// Paths asked for, in order.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }

    /// From now on connections are refused.
    pub fn stop(&self) {
        if !self.shared.stopped.swap(true, Ordering::SeqCst) {
            // Wakes the thread that accepts; it then drops the listener.
            drop(TcpStream::connect(self.address));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where the built site lies.
pub fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopped.load(Ordering::SeqCst) {
            break;
        }
        let shared = Arc::clone(shared);
        // A browser that closes a connection early is none of the server's business.
        thread::spawn(move || drop(answer(&stream, &shared)));
    }
}

fn answer(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    // Browsers open connections that they may never use.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let Some(path) = read_path(stream)? else { return Ok(()) };
    lock(&shared.requests).push(path.clone());
    let Some(file) = path.strip_prefix(BASE).map(|file| if file.is_empty() { "index.html" } else { file }) else {
        return send(stream, shared, 404, "text/plain", b"not found", None);
    };
    let fault = shared.take_fault(file);
    if let Some(Fault::Status(status)) = fault {
        return send(stream, shared, status, "text/plain", b"a fault of the test server", None);
    }
    match shared.read(file) {
        Ok(body) => send(stream, shared, 200, mime_type(file), &body, fault),
        Err(_) => send(stream, shared, 404, "text/plain", b"not found", None),
    }
}

/// The request's path without its query; nothing if the connection closes without one.
fn read_path(stream: &TcpStream) -> io::Result<Option<String>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    // The headers say nothing that matters here, but an unread request would reset the connection.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let target = first.split(' ').nth(1).unwrap_or_default();
    Ok(target.split('?').next().map(str::to_string))
}

impl Shared {
    fn take_fault(&self, file: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let (fault, left) = faults.get_mut(file)?;
        *left = left.checked_sub(1)?;
        Some(*fault)
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        if file.split('/').any(|part| part == "..") {
            return Err(io::ErrorKind::NotFound.into());
        }
        let body = fs::read(dist().join(file))?;
        if file != "index.html" {
            return Ok(body);
        }
        let mut page = String::from_utf8_lossy(&body).into_owned();
        for (from, to) in lock(&self.rewrites).iter() {
            assert!(page.contains(from), "index.html does not contain `{from}`");
            page = page.replace(from, to);
        }
        Ok(page.into_bytes())
    }

    fn wait_while_running(&self) {
        while !self.stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn mime_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn send(
    mut stream: &TcpStream,
    shared: &Shared,
    status: u16,
    mime_type: &str,
    body: &[u8],
    fault: Option<Fault>,
) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Type: {mime_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    let share = |percent: usize| length * percent / 100;
    match fault {
        Some(Fault::CutAt(percent)) => stream.write_all(&body[..share(percent)]),
        Some(Fault::StallAt(percent)) => {
            stream.write_all(&body[..share(percent)])?;
            shared.wait_while_running();
            Ok(())
        }
        Some(Fault::FlipAt(percent)) => {
            let mut body = body.to_vec();
            body[share(percent)] ^= 0xff;
            stream.write_all(&body)
        }
        Some(Fault::Slow(bytes_per_second)) => body.chunks((bytes_per_second / 20).max(1)).try_for_each(|chunk| {
            thread::sleep(Duration::from_millis(50));
            stream.write_all(chunk)
        }),
        Some(Fault::Status(_)) | None => stream.write_all(body),
    }
}
