//! A host that behaves as the hub does, and misbehaves as networks do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a server that has stalled keeps the connection.
pub const SILENCE: Duration = Duration::from_secs(60);

/// What one answer does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// What is asked for, ranges included.
    Right,
    /// A redirect to the same file under another address.
    Redirect,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The whole file, whatever range is asked for, cut after so many bytes.
    Whole(usize),
    /// This status, and no file.
    Status(u16),
    /// Some bytes, then silence.
    Stall(usize),
    /// Another length of the file than there is.
    Announce(usize),
    /// One byte is another.
    Flip(usize),
    /// A part of another file: another entity tag.
    OtherTag,
}

/// A request as it came: the range and the tag that it asked for.
pub type Asked = (Option<String>, Option<String>);

/// Serves one file on localhost, answering each request by the next act, and rightly when there are no more.
pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn new(file: Vec<u8>, acts: Vec<Act>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        thread::spawn(move || {
            let mut acts = acts.into_iter();
            for stream in listener.incoming() {
                let (mut stream, act) = (stream.unwrap(), acts.next().unwrap_or(Act::Right));
                let request = read_request(&stream);
                seen.lock().unwrap().push((header(&request, "range"), header(&request, "if-range")));
                let file = file.clone();
                // A silence must not keep others waiting; and the client may have gone before the end.
                thread::spawn(move || drop(answer(&mut stream, &file, &request, act)));
            }
        });
        Server { address, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream.try_clone().unwrap().take(10_000)).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

fn header(request: &[String], name: &str) -> Option<String> {
    let found = |line: &String| Some(line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name))?.1.into());
    request.iter().find_map(found)
}

fn answer(stream: &mut TcpStream, file: &[u8], request: &[String], act: Act) -> std::io::Result<()> {
    let range = header(request, "range").filter(|_| !matches!(act, Act::Whole(_)));
    let start: usize = range.map_or(0, |range| range["bytes=".len()..range.len() - 1].parse().unwrap());
    let act = if start >= file.len() { Act::Status(416) } else { act };
    let body = &file[start.min(file.len())..];
    let mut head = if start > 0 {
        format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len())
    } else {
        "HTTP/1.1 200 OK\r\n".to_string()
    };
    let tag = if act == Act::OtherTag { "\"b\"" } else { "\"a\"" };
    head += &format!("etag: {tag}\r\nconnection: close\r\n");
    let mut send = |length: usize, body: &[u8]| {
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n").as_bytes())?;
        stream.write_all(body)?;
        stream.flush()
    };
    match act {
        Act::Right | Act::OtherTag => send(body.len(), body),
        Act::Cut(count) | Act::Whole(count) => send(body.len(), &body[..count.min(body.len())]),
        Act::Announce(length) => send(length, body),
        Act::Flip(at) => send(body.len(), &[&body[..at], &[!body[at]], &body[at + 1..]].concat()),
        Act::Stall(count) => {
            send(body.len(), &body[..count])?;
            thread::sleep(SILENCE);
            Ok(())
        }
        Act::Redirect => {
            let line = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(line.as_bytes())
        }
        Act::Status(status) => {
            let line = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(line.as_bytes())
        }
    }
}
