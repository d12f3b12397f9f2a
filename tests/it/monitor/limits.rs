//! Requests that are too large or too slow.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::*;

#[tokio::test]
async fn large_requests_are_refused() {
    let served = Served::new("").await;
    let client = served.client;
    let large = format!("X-Large: {}\r\n", "x".repeat(20_000));
    assert_eq!(client.request("GET", "/", &large).status, 431);
    let many: String = (0..100)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    assert_eq!(client.request("GET", "/", &many).status, 431);
    let long = format!("/{}", "x".repeat(20_000));
    assert!(matches!(client.get(&long).status, 414 | 431));
    let body = format!("Content-Length: 5000\r\nOrigin: http://{}\r\n", client.0);
    assert_eq!(client.request("POST", "/queries/x/stop", &body).status, 413);
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_eq!(
        client.request("POST", "/queries/x/stop", chunked).status,
        411
    );
    assert_eq!(client.get("/").status, 200);
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_out() {
    let served = Served::new("").await;
    let client = served.client;
    let host = client.0;
    let mut slow: Vec<_> = (0..64).map(|_| client.connect()).collect();
    for connection in &mut slow {
        write!(connection, "GET / HTTP/1.1\r\nHost: {host}\r\n").unwrap();
    }
    assert!(client.page("/").contains("Queries"));
    // The oldest one gave way, and the newest one was not too slow yet.
    let mut rest = Vec::new();
    let _ = slow[0].read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let mut newest = slow.pop().unwrap();
    newest.write_all(b"Connection: close\r\n\r\n").unwrap();
    newest.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn clients_that_say_nothing_are_cut_off() {
    let served = Served::new("").await;
    let client = served.client;
    let mut slow: Vec<_> = (0..70).map(|_| client.connect()).collect();
    slow[0].write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    // All places are taken, and the oldest one gives way.
    assert!(client.page("/").contains("Queries"));
    let mut rest = Vec::new();
    // Closed, with or without an answer.
    let _ = slow[0].read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    let _ = slow[0].shutdown(Shutdown::Both);
}
