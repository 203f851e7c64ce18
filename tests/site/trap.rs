//! The proxy that the browser is told to use for every host but its own: what arrives here wanted to leave.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Records requests and answers none.
pub struct Trap {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    /// Listens on a free port until the process ends.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let trap = Trap { address: listener.local_addr()?, seen: Arc::default() };
        let seen = Arc::clone(&trap.seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || record(stream, &seen));
            }
        });
        Ok(trap)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its host.
    pub fn host(&self) -> String {
        self.address.ip().to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The first lines of all requests, `CONNECT example.org:443 HTTP/1.1`.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Browsers also open connections on which they ask for nothing, and close them later.
fn record(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut line = String::new();
    drop(stream.set_read_timeout(Some(Duration::from_secs(60))));
    drop(BufReader::new(stream).read_line(&mut line));
    if !line.is_empty() {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim().to_string());
    }
}
