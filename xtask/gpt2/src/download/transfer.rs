//! One request: what arrives of its answer, piece by piece.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Bytes in a piece.
const PIECE: usize = 1 << 16;

/// Why a transfer ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// May go well when tried again.
    Passing(String),
    /// Will not.
    Lasting(String),
}

/// Where a transfer goes on, and what it goes on with.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Bytes that are there.
    pub from: u64,
    /// The entity tag of the file that they are from, where its host gave one.
    pub tag: Option<String>,
}

/// The beginning of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// Where the body begins in the file, and the file's length, of a part; nothing of a whole file.
    pub part: Option<(u64, u64)>,
    /// Length of the body, where the host says so.
    pub length: Option<u64>,
    /// The file's entity tag.
    pub tag: Option<String>,
}

type Arrival<T> = Result<T, Fault>;

/// A request under way.
///
/// It runs in a thread, since `ureq` limits the time of a whole body and not that of a silence. The thread of one that
/// has stalled ends with its connection, or with the program.
pub struct Transfer {
    heads: Receiver<Arrival<Head>>,
    pieces: Receiver<Arrival<Vec<u8>>>,
    stall: Duration,
}

impl Transfer {
    /// Asks for a file, or for the rest of it.
    pub fn start(address: String, resume: Option<Resume>, stall: Duration) -> Transfer {
        let (head, heads) = sync_channel(1);
        let (piece, pieces) = sync_channel(16);
        thread::spawn(move || run(&address, resume, &head, &piece));
        Transfer { heads, pieces, stall }
    }

    /// Waits for the answer.
    pub fn head(&self) -> Arrival<Head> {
        self.next(&self.heads)?.unwrap_or_else(|| Err(Fault::Passing("the connection ended".to_string())))
    }

    /// Waits for more of the body; nothing at its end.
    pub fn piece(&self) -> Arrival<Option<Vec<u8>>> {
        self.next(&self.pieces)?.transpose()
    }

    fn next<T>(&self, receiver: &Receiver<T>) -> Arrival<Option<T>> {
        match receiver.recv_timeout(self.stall) {
            Ok(arrived) => Ok(Some(arrived)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(Fault::Passing(format!("nothing arrived for {} s", self.stall.as_secs_f32())))
            }
        }
    }
}

/// Sends what arrives until nobody listens any more.
fn run(
    address: &str,
    resume: Option<Resume>,
    head: &SyncSender<Arrival<Head>>,
    piece: &SyncSender<Arrival<Vec<u8>>>,
) -> Option<()> {
    let response = match request(address, resume) {
        Ok(response) => response,
        Err(fault) => return head.send(Err(fault)).ok(),
    };
    head.send(read_head(address, &response)).ok()?;
    let mut body = response.into_body().into_reader();
    loop {
        let mut bytes = vec![0; PIECE];
        match body.read(&mut bytes) {
            Ok(0) => return Some(()),
            Ok(count) => bytes.truncate(count),
            Err(error) => return piece.send(Err(Fault::Passing(format!("the connection broke ({error})")))).ok(),
        }
        piece.send(Ok(bytes)).ok()?;
    }
}

fn request(address: &str, resume: Option<Resume>) -> Arrival<Response<Body>> {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(address).header("accept-encoding", "identity");
    if let Some(Resume { from, tag }) = resume {
        request = request.header("range", format!("bytes={from}-"));
        if let Some(tag) = tag {
            request = request.header("if-range", tag);
        }
    }
    request.call().map_err(|error| match error {
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            Fault::Passing(error.to_string())
        }
        // An answer that breaks off in its head.
        ureq::Error::Protocol(_) => Fault::Passing(error.to_string()),
        _ => Fault::Lasting(format!("{address}: {error}")),
    })
}

fn read_head(address: &str, response: &Response<Body>) -> Arrival<Head> {
    let told = || format!("{address}: the host answers {}", response.status());
    let headers = response.headers();
    let head = |part| Head { part, length: length(headers), tag: text(headers, "etag").map(str::to_string) };
    match response.status().as_u16() {
        200 => Ok(head(None)),
        206 => match text(headers, "content-range").and_then(part) {
            Some(part) => Ok(head(Some(part))),
            None => Err(Fault::Lasting(told() + " with no range")),
        },
        // The file ends before that: a part that begins nowhere.
        416 => Ok(head(Some((u64::MAX, 0)))),
        408 | 429 | 500..=599 => Err(Fault::Passing(told())),
        _ => Err(Fault::Lasting(told())),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, "content-length")?.parse().ok()
}

/// Begin and total of `bytes 5-9/10`.
fn part(range: &str) -> Option<(u64, u64)> {
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    Some((span.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}
