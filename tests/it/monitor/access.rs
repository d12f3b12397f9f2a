//! Who may look, and what every answer says to browsers.

use datafusion_kinesis::ErrorKind;

use super::*;

const TOKEN: &str = "correct-horse-battery";

#[tokio::test]
async fn every_answer_forbids_scripts_frames_and_caching() {
    let served = Served::new("").await;
    for path in [
        "/",
        "/settings",
        "/static/app.js",
        "/static/style.css",
        "/static/icon.svg",
        "/nothing",
        "/api/v1/queries",
    ] {
        let answer = served.client.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    let page = served.client.page("/");
    for inline in ["<style", " style=", " onclick", "<script>"] {
        assert!(!page.contains(inline), "{inline}: {page}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_refused() {
    let served = Served::new("").await;
    let with_host = |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        served.client.send(&request).status
    };
    assert_eq!(with_host("evil.example"), 403);
    assert_eq!(with_host("localhost:4040"), 200);
    assert_eq!(with_host("127.0.0.1"), 200);
    let without = served.client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(without.status, 400);
}

#[tokio::test]
async fn a_token_is_asked_for_once() {
    let world = World::new();
    let builder = StatusServer::builder(&world.ctx).with_token(TOKEN);
    assert!(!format!("{builder:?}").contains(TOKEN));
    // All addresses of the machine; the test uses loopback only.
    let server = builder.bind("0.0.0.0:0").unwrap();
    let client = Client::at(&format!("127.0.0.1:{}", server.local_addr().port()));
    for path in [
        "/",
        "/settings",
        "/static/app.js",
        "/api/v1/queries",
        "/nothing",
        "/?token=wrong-wrong-wrong",
    ] {
        let answer = client.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("<h1>"), "{}", answer.body);
    }
    let first = client.get(&format!("/?token={TOKEN}"));
    assert_eq!(first.status, 200);
    assert!(!first.body.contains(TOKEN));
    let cookie = first.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let second = client.request("GET", "/", &cookie);
    assert_eq!((second.status, second.header("set-cookie")), (200, None));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(
        client.request("GET", "/api/v1/queries", &bearer).status,
        200
    );
    assert_eq!(
        client
            .request("GET", "/", "Authorization: Bearer wrong\r\n")
            .status,
        401
    );
    // Other hosts may be names of this machine.
    let request =
        format!("GET / HTTP/1.1\r\nHost: box.example\r\n{bearer}Connection: close\r\n\r\n");
    assert_eq!(client.send(&request).status, 200);
}

#[tokio::test]
async fn other_addresses_need_a_token() {
    let world = World::new();
    let error = StatusServer::builder(&world.ctx)
        .bind("0.0.0.0:0")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let error = StatusServer::builder(&world.ctx)
        .with_token("short")
        .bind("127.0.0.1:0")
        .unwrap_err();
    assert!(
        error.to_string().contains("expected at least 16"),
        "{error}"
    );
}

#[tokio::test]
async fn a_taken_port_is_an_error_or_the_next_one_is_used() {
    let served = Served::new("").await;
    let taken = served.client.0;
    let again = || StatusServer::builder(&served.world.ctx);
    let error = again().bind(taken).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    let next = again().bind_near(taken).unwrap();
    assert!(next.local_addr().port() > taken.port());
    assert!(Client::of(&next).page("/").contains("Queries"));
}
