//! A static server behind one slow line that all its connections share.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::line::{BYTES_PER_SECOND, Line};
use crate::server::mime_type;

/// Bytes that take the line at once, 3 ms.
const CHUNK: usize = 1 << 12;

/// Serves a folder until it is dropped.
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    /// What is sent compressed to those who take it.
    compressed: Arc<BTreeMap<String, Vec<u8>>>,
    line: Mutex<Line>,
    sent: AtomicUsize,
    stopped: AtomicBool,
}

impl Link {
    /// Serves on a free port of the loopback interface.
    pub fn start(folder: &Path, compressed: Arc<BTreeMap<String, Vec<u8>>>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (sent, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (folder, line) = (folder.to_path_buf(), Mutex::new(Line::new(Instant::now())));
        let shared = Arc::new(Shared { folder, compressed, line, sent, stopped });
        let (address, for_thread) = (listener.local_addr()?, Arc::clone(&shared));
        thread::spawn(move || accept(&listener, &for_thread));
        Ok(Link { address, shared })
    }

    /// The address of a route of the site.
    pub fn url(&self, route: &str) -> String {
        format!("http://{}/{route}", self.address)
    }

    /// Bytes that have gone over the line, heads included.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Seconds that the line takes for so many bytes.
    pub fn seconds(bytes: usize) -> f64 {
        bytes as f64 / BYTES_PER_SECOND
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
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
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(()) };
    let target = first.split(' ').nth(1).and_then(|target| target.split('?').next()).unwrap_or_default();
    let file = Some(target.trim_start_matches('/')).filter(|file| !file.is_empty()).unwrap_or("index.html");
    let (mut takes_brotli, mut known) = (false, None);
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "accept-encoding" => takes_brotli = value.contains("br"),
            "if-none-match" => known = Some(value.to_string()),
            _ => {}
        }
    }
    let compressed = shared.compressed.get(file).filter(|_| takes_brotli);
    let body = match compressed {
        Some(compressed) => Ok(compressed.clone()),
        None if file.contains("..") => Err(io::ErrorKind::NotFound.into()),
        None => fs::read(shared.folder.join(file)),
    };
    let (mut status, mut body) = body.map_or((404, Vec::new()), |body| (200, body));
    // As most hosts do: what the browser has is not sent again. Of one build two lengths tell two contents apart.
    let etag = format!("\"{}\"", body.len());
    if status == 200 && known.as_ref() == Some(&etag) {
        (status, body) = (304, Vec::new());
    }
    let mut headers = format!("Connection: close\r\nContent-Type: {}\r\nETag: {etag}\r\n", mime_type(file));
    if compressed.is_some() {
        headers += "Content-Encoding: br\r\nVary: Accept-Encoding\r\n";
    }
    // Of a 304 the browser would take it as the length of what it has.
    if status != 304 {
        headers += &format!("Content-Length: {}\r\n", body.len());
    }
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}\r\n");
    shared.send(stream, head.as_bytes())?;
    shared.send(stream, &body)
}

impl Shared {
    fn send(&self, mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            let now = Instant::now();
            let through = self.line.lock().unwrap_or_else(PoisonError::into_inner).take(now, chunk.len());
            thread::sleep(through.saturating_duration_since(now));
            stream.write_all(chunk)?;
            self.sent.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        Ok(())
    }
}
