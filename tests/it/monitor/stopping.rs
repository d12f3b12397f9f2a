//! Stopping a query from the page, and the page of the command.

use datafusion_kinesis::query::QueryEnd;

use super::*;
use crate::process::{Running, command};

#[tokio::test]
async fn the_button_stops_a_query() {
    let served = Served::new("").await;
    let client = served.client;
    let query = served.query("stopped").await;
    let path = format!("/queries/{}/stop", query.run_id());
    assert!(client.page("/").contains(&path));
    let foreign = "Origin: http://evil.example\r\nContent-Length: 0\r\n";
    assert_eq!(client.request("POST", &path, foreign).status, 403);
    assert_eq!(
        client
            .request("POST", &path, "Content-Length: 0\r\n")
            .status,
        403
    );
    assert!(query.is_active());
    let answer = client.post(&path);
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/queries/{}", query.run_id()))
    );
    query.await_termination().await.unwrap();
    assert_eq!(query.end(), Some(QueryEnd::Stopped));
    let page = client.page("/");
    assert!(
        page.contains("0 running, 1 ended") && !page.contains(&path),
        "{page}"
    );
}

#[tokio::test]
async fn the_api_stops_a_query_once() {
    let served = Served::new("").await;
    let query = served.query("stopped").await;
    let stop = "/api/v1/queries/stopped/stop";
    assert_eq!(served.client.post(stop).status, 202);
    query.await_termination().await.unwrap();
    assert_eq!(served.client.post(stop).status, 409);
    assert_eq!(served.client.post("/api/v1/queries/x/stop").status, 404);
}

/// The URL that a command prints.
fn url(run: &Running) -> String {
    let lines = run.until_stderr_contains("status page on ");
    let line = lines.last().unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_command_is_not_ready_while_it_waits_to_start_a_statement_again() {
    // Nothing listens there any more.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url_of_kinesis = format!("http://{}", away.local_addr().unwrap());
    drop(away);
    let mut with_page = command();
    with_page.args(["--endpoint-url", &url_of_kinesis, "--ui", "0"]);
    with_page.args(["--restart", "on-failure", "-c", ENDLESS]);
    with_page.env("AWS_REGION", "us-east-1");
    with_page
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    let run = Running::spawn(&mut with_page);
    let client = Client::at(&url(&run));
    run.until_stderr_contains("restart 1 in ");
    loop {
        let ready = client.get("/health/ready");
        assert_eq!(ready.status, 503, "{}", ready.body);
        if ready
            .body
            .contains("is about to be started again (restart ")
        {
            break;
        }
        std::thread::yield_now();
    }
    assert!(client.page("/").contains("is about to be started again"));
    run.signal("-TERM");
    assert_eq!(run.wait().status.code(), Some(143));
}

const ENDLESS: &str = "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
                       OPTIONS ('kinesis.createStream' 'true'); \
                       SET streaming.query_name = 'endless'; SELECT data FROM words";

#[test]
fn the_command_serves_its_queries_and_goes_on_when_one_is_stopped() {
    let statements = format!("{ENDLESS}; SELECT 'done' AS last");
    let mut with_page = command();
    with_page.args([
        "--embedded",
        "--output",
        "csv",
        "--ui",
        "0",
        "-c",
        &statements,
    ]);
    let run = Running::spawn(&mut with_page);
    let client = Client::at(&url(&run));
    while !client.page("/").contains("endless") {
        std::thread::yield_now();
    }
    assert_eq!(client.post("/api/v1/queries/endless/stop").status, 202);
    let ended = run.wait();
    assert!(ended.status.success(), "{:?}", ended.stderr);
    assert!(
        ended.stdout.contains(&"done".to_owned()),
        "{:?}",
        ended.stdout
    );
}

#[test]
fn two_commands_have_a_page_each() {
    let start = || {
        let mut with_page = command();
        with_page.args(["--embedded", "-c", ENDLESS, "--ui"]);
        Running::spawn(&mut with_page)
    };
    let runs = [start(), start()];
    let urls = runs.each_ref().map(url);
    assert_ne!(urls[0], urls[1]);
    for url in &urls {
        let port = Client::at(url).0.port();
        assert!((4040..=4055).contains(&port), "{url}");
        assert!(Client::at(url).page("/").contains("kinesis-sql"));
    }
}

#[test]
fn the_command_refuses_an_open_page_and_a_token_without_a_page() {
    let failed = |arguments: &[&str], variable: &str| {
        let mut refused = command();
        refused.args(arguments).args(["-c", "SELECT 1"]);
        let output = refused
            .env("KINESIS_SQL_UI_TOKEN", variable)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let none = failed(&["--ui", "0.0.0.0:0"], "short");
    assert!(none.contains("expected at least 16"), "{none}");
    let mut open = command();
    let open = open
        .args(["--ui", "0.0.0.0:0", "-c", "SELECT 1"])
        .output()
        .unwrap();
    let open = String::from_utf8(open.stderr).unwrap();
    assert!(open.contains("--ui-token"), "{open}");
    let alone = failed(&["--ui-token", "0123456789abcdef"], "");
    assert!(alone.contains("--ui"), "{alone}");
    let host = failed(&["--ui", "example.org:80"], "");
    assert!(
        host.contains("expected an address such as 127.0.0.1:4040"),
        "{host}"
    );
}

#[test]
fn the_command_shows_variables_instead_of_their_values() {
    let statements = "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION '${STREAM}' \
                      OPTIONS ('kinesis.createStream' 'true'); \
                      SET streaming.query_name = 'endless'; \
                      SELECT data FROM words WHERE partitionKey <> '${KEY}'";
    let mut with_page = command();
    with_page.args(["--embedded", "--expand-env", "--ui", "0", "-c", statements]);
    with_page
        .env("STREAM", "canary-stream")
        .env("KEY", "canary-key");
    let run = Running::spawn(&mut with_page);
    let client = Client::at(&url(&run));
    while !client.page("/").contains("endless") {
        std::thread::yield_now();
    }
    let queries = client.json("/api/v1/queries");
    let run_id = queries["queries"][0]["runId"].as_str().unwrap();
    let paths = pages(run_id, 0).into_iter().chain(resources(run_id, 0));
    for path in paths {
        let shown = client.get(&path).body;
        assert!(!shown.contains("canary"), "{path}: {shown}");
    }
    let shown = queries.to_string();
    assert!(
        shown.contains("'${KEY}'") && shown.contains("\"${STREAM}\""),
        "{shown}"
    );
    assert!(client.page("/settings").contains("${STREAM}"));
    run.signal("-TERM");
    run.wait();
}
