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
async fn clients_that_say_nothing_are_cut_off() {
    let served = Served::new("").await;
    let client = served.client;
    let mut slow: Vec<_> = (0..70).map(|_| client.connect()).collect();
    slow[0].write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    // All places are taken: this waits until the slow ones have lost theirs.
    assert!(client.page("/").contains("Queries"));
    let mut rest = Vec::new();
    // Closed, with or without an answer.
    let _ = slow[0].read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    let _ = slow[0].shutdown(Shutdown::Both);
}
