//! A plain HTTP client, which sends exactly what a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use datafusion_kinesis::monitor::StatusServer;
use serde_json::Value;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) SocketAddr);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(header, _)| header.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }
}

impl Client {
    pub(super) fn of(server: &StatusServer) -> Self {
        Self(server.local_addr())
    }

    /// The client of the server at a URL.
    pub(super) fn at(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        Self(address.parse().unwrap())
    }

    pub(super) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(self.0).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection
    }

    /// Sends a request and reads the answer.
    pub(super) fn send(&self, request: &str) -> Answer {
        let mut connection = self.connect();
        // The server may have answered before it has read all.
        let _ = connection.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// A request with the Host header of the address, and further headers.
    pub(super) fn request(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = self.0;
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"
        ))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// The body of a page that is there.
    pub(super) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// A resource of the API that is there.
    pub(super) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path)).unwrap()
    }

    /// A request from a page of the server itself.
    pub(super) fn post(&self, path: &str) -> Answer {
        let origin = format!("Origin: http://{}\r\nContent-Length: 0\r\n", self.0);
        self.request("POST", path, &origin)
    }
}
