//! A static file server for a built site that fails where a test tells it to. It isolates the page as `trunk serve` does,
//! so that no service worker comes, unless a test makes it as plain as most hosts. A second one, on a port and so an origin
//! of its own, plays the hub.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::browser::PATIENCE;
pub use crate::fault::Fault;
use crate::release;
use crate::request::{self, Asked};

/// Where the site lies on the server.
const BASE: &str = "/some/deep/path/";
/// What Trunk.toml has `trunk serve` send.
const ISOLATION: [&str; 3] = [
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Embedder-Policy: require-corp",
    "Cross-Origin-Resource-Policy: same-origin",
];
/// Bytes that are sent and counted at once.
const CHUNK: usize = 1 << 12;

/// What was sent of a file: the first byte, and how many from there.
#[derive(Clone, Debug)]
pub struct Sent {
    pub file: String,
    pub from: usize,
    pub bytes: usize,
}

/// Serves until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where the site lies.
    folder: Mutex<PathBuf>,
    /// Whether its answers isolate the page.
    isolates: AtomicBool,
    /// Files beside those of the folder, or in their place.
    files: Mutex<HashMap<String, Vec<u8>>>,
    /// For the requests to come, each for so many.
    faults: Mutex<HashMap<String, VecDeque<(Fault, usize)>>>,
    rewrites: Mutex<Vec<(String, String)>>,
    /// Of files in the place of the folder's: what the page holds them against, as built and from now on.
    pins: Mutex<HashMap<String, (String, String)>>,
    requests: Mutex<Vec<String>>,
    sent: Mutex<Vec<Sent>>,
    /// Whether scripts of other origins may ask with headers that need a permission.
    refuses_preflight: AtomicBool,
    stopped: AtomicBool,
}

impl Server {
    /// Serves `dist/`.
    pub fn start() -> io::Result<Self> {
        Server::of(dist())
    }

    /// Serves a folder under a deep path of a free port of the loopback interface.
    pub fn of(folder: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (folder, isolates) = (Mutex::new(folder), AtomicBool::new(true));
        let (address, shared) = (listener.local_addr()?, Arc::new(Shared { folder, isolates, ..Shared::default() }));
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

    /// The path of a file of the site, by its name without a hash.
    pub fn path(&self, file: &str) -> String {
        release::path(&self.shared.folder(), file)
    }

    /// Whether answers isolate the page from now on; without that a service worker does.
    pub fn isolate(&self, isolates: bool) {
        self.shared.isolates.store(isolates, Ordering::SeqCst);
    }

    /// From now on another release of the site is served, and nothing of the one before.
    pub fn deploy(&self, folder: PathBuf) {
        *lock(&self.shared.folder) = folder;
    }

    /// From now on this is the file of this name, and the page knows it by its hash.
    pub fn put(&self, file: &str, bytes: Vec<u8>) {
        if let Some(file) = release::file(&self.shared.folder(), file) {
            let pin = (release::integrity(&release::bytes_of(&file.sha256)), release::integrity_of(&bytes));
            lock(&self.shared.pins).insert(file.path, pin);
        }
        lock(&self.shared.files).insert(self.path(file), bytes);
    }

    /// A file that was put here.
    pub fn added(&self, file: &str) -> Option<Vec<u8>> {
        lock(&self.shared.files).get(file).cloned()
    }

    /// From now on the file of this name is served with a fault.
    pub fn always(&self, file: &str, fault: Fault) {
        lock(&self.shared.faults).insert(self.path(file), VecDeque::from([(fault, usize::MAX)]));
    }

    /// The next `times` requests for the file of this name are served with a fault, after those that are to be already.
    pub fn times(&self, times: usize, file: &str, fault: Fault) {
        lock(&self.shared.faults).entry(self.path(file)).or_default().push_back((fault, times));
    }

    /// All files are served as they are again.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// From now on scripts of other origins may not send headers that need a permission.
    pub fn refuse_preflight(&self) {
        self.shared.refuses_preflight.store(true, Ordering::SeqCst);
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

    /// What was sent of files whose name contains `part`, in order.
    pub fn sent(&self, part: &str) -> Vec<Sent> {
        lock(&self.shared.sent).iter().filter(|sent| sent.file.contains(part)).cloned().collect()
    }

    /// Bytes that were sent of files whose name contains `part`.
    pub fn sent_bytes(&self, part: &str) -> usize {
        self.sent(part).iter().map(|sent| sent.bytes).sum()
    }

    /// Waits until so many bytes have been sent of files whose name contains `part`.
    pub fn wait_for_bytes(&self, part: &str, bytes: usize) {
        let start = Instant::now();
        while self.sent_bytes(part) < bytes {
            assert!(start.elapsed() < PATIENCE, "{part}: sent {} of {bytes} bytes", self.sent_bytes(part));
            thread::sleep(Duration::from_millis(5));
        }
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
    let Some(asked) = request::read(stream)? else { return Ok(()) };
    if asked.method == "OPTIONS" {
        let refuses = shared.refuses_preflight.load(Ordering::SeqCst);
        return send_head(stream, if refuses { 403 } else { 204 }, &["Content-Length: 0".into()]);
    }
    lock(&shared.requests).push(asked.path.clone());
    let Some(file) = asked.path.strip_prefix(BASE).map(|file| if file.is_empty() { "index.html" } else { file }) else {
        return send_text(stream, 404, "not found");
    };
    let fault = shared.take_fault(file, asked.range.map_or(0, |(from, _)| from));
    match fault {
        Some(Fault::Status(status)) => return send_text(stream, status, "a fault of the test server"),
        Some(Fault::Redirect(to)) => {
            return send_head(stream, 302, &[format!("Location: {to}"), "Content-Length: 0".into()]);
        }
        _ => {}
    }
    match shared.read(file) {
        Ok(body) => send_file(stream, shared, file, &asked, body, fault),
        Err(_) => send_text(stream, 404, "not found"),
    }
}

impl Shared {
    fn folder(&self) -> PathBuf {
        lock(&self.folder).clone()
    }

    /// The fault of an answer that begins at this byte; one whose place lies before that is over.
    fn take_fault(&self, file: &str, from: usize) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let queue = faults.get_mut(file)?;
        let is_over = |fault: &Fault| matches!(fault, Fault::CutAt(place) | Fault::StallAt(place) if *place < from);
        while queue.front().is_some_and(|(fault, times)| *times == 0 || is_over(fault)) {
            queue.pop_front();
        }
        let (fault, left) = queue.front_mut()?;
        *left -= 1;
        Some(fault.clone())
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        if let Some(bytes) = lock(&self.files).get(file) {
            return Ok(bytes.clone());
        }
        if file.split('/').any(|part| part == "..") {
            return Err(io::ErrorKind::NotFound.into());
        }
        let body = fs::read(self.folder().join(file))?;
        if file != "index.html" {
            return Ok(body);
        }
        let mut page = String::from_utf8_lossy(&body).into_owned();
        for (from, to) in lock(&self.rewrites).iter() {
            assert!(page.contains(from), "index.html does not contain `{from}`");
            page = page.replace(from, to);
        }
        for (from, to) in lock(&self.pins).values() {
            page = page.replace(from, to);
        }
        Ok(page.into_bytes())
    }

    fn count(&self, index: usize, bytes: usize) {
        lock(&self.sent)[index].bytes += bytes;
    }

    fn wait_while_running(&self) {
        while !self.stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What kind of file it is, for the browser.
pub fn mime_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("txt") => "text/plain",
        Some("webmanifest") => "application/manifest+json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// As the hub and most static servers do: scripts of all origins may read what comes.
const OPEN: &str = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: Range, If-Range\r\n\
    Access-Control-Expose-Headers: ETag, Content-Range\r\n";

fn send_head(stream: &TcpStream, status: u16, headers: &[String]) -> io::Result<()> {
    send_head_to(stream, status, OPEN, headers)
}

fn send_head_to(mut stream: &TcpStream, status: u16, whom: &str, headers: &[String]) -> io::Result<()> {
    let headers = headers.join("\r\n");
    write!(stream, "HTTP/1.1 {status} Status\r\nConnection: close\r\n{whom}{headers}\r\n\r\n")
}

fn send_text(mut stream: &TcpStream, status: u16, text: &str) -> io::Result<()> {
    send_head(stream, status, &["Content-Type: text/plain".into(), format!("Content-Length: {}", text.len())])?;
    stream.write_all(text.as_bytes())
}

fn send_file(
    stream: &TcpStream,
    shared: &Shared,
    file: &str,
    asked: &Asked,
    mut body: Vec<u8>,
    fault: Option<Fault>,
) -> io::Result<()> {
    if let Some(Fault::Other(other)) = &fault {
        body.clone_from(other);
    }
    let etag = format!("\"{:x}\"", Sha256::digest(&body)[0]);
    if let Some(Fault::FlipAt(place)) = fault {
        body[place] ^= 0xff;
    }
    let is_same = asked.if_range.as_ref().is_none_or(|wanted| *wanted == etag);
    let knows_ranges = is_same && !matches!(fault, Some(Fault::NoRanges));
    let range = asked.range.filter(|(from, _)| knows_ranges && *from < body.len());
    let (from, end) = range.map_or((0, body.len()), |(from, end)| (from, end.unwrap_or(body.len()).min(body.len())));
    let lie = if let Some(Fault::Lie(lie)) = fault { lie } else { 0 };
    let length = (end - from) as i64 + lie;
    let kind = if let Some(Fault::Type(kind)) = fault { kind } else { mime_type(file) };
    let mut headers = vec![format!("Content-Type: {kind}"), format!("Content-Length: {length}")];
    if shared.isolates.load(Ordering::SeqCst) {
        headers.extend(ISOLATION.map(String::from));
    }
    // Of files that have a version Chromium's cache asks for more than the page does.
    headers.extend(file.starts_with("hub/").then(|| format!("ETag: {etag}")));
    headers.extend(range.map(|_| format!("Content-Range: bytes {from}-{}/{}", end - 1, body.len())));
    let whom = if let Some(Fault::Closed) = fault { "" } else { OPEN };
    send_head_to(stream, if range.is_some() { 206 } else { 200 }, whom, &headers)?;
    let index = {
        let mut sent = lock(&shared.sent);
        sent.push(Sent { file: file.to_string(), from, bytes: 0 });
        sent.len() - 1
    };
    send_body(stream, shared, index, &body[..end], from, fault)
}

fn send_body(
    mut stream: &TcpStream,
    shared: &Shared,
    index: usize,
    body: &[u8],
    from: usize,
    fault: Option<Fault>,
) -> io::Result<()> {
    let end = match fault {
        Some(Fault::CutAt(place) | Fault::StallAt(place)) => place.clamp(from, body.len()),
        _ => body.len(),
    };
    let chunk = if let Some(Fault::Slow(per_second)) = fault { (per_second / 20).max(1) } else { CHUNK };
    for chunk in body[from..end].chunks(chunk) {
        if let Some(Fault::Slow(_)) = fault {
            thread::sleep(Duration::from_millis(50));
        }
        stream.write_all(chunk)?;
        shared.count(index, chunk.len());
    }
    match fault {
        Some(Fault::StallAt(_)) => shared.wait_while_running(),
        // What Chromium has received, but not yet handed over when the connection ends, is lost.
        Some(Fault::CutAt(_)) => thread::sleep(Duration::from_millis(300)),
        _ => {}
    }
    Ok(())
}
