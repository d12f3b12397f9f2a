//! Probes and metrics over HTTP.

use datafusion_kinesis::monitor::{Metrics, ShardMetrics};
use datafusion_kinesis::query::StreamingQueries;
use serde_json::Value;

use super::*;
use crate::streaming::metrics::exposition::Exposition;

const TOKEN: &str = "correct-horse-battery";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn metrics_are_those_of_the_program() {
    let served = Served::new("").await;
    let query = served.query("counted").await;
    query.stop().await.unwrap();
    let metrics = Metrics::of(&served.world.ctx);
    let answer = served.client.get("/metrics");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some(Metrics::CONTENT_TYPE))
    );
    Exposition::of(&answer.body);
    assert_eq!(answer.body, metrics.prometheus_text(ShardMetrics::UpTo100));
    let rows = r#"input_rows_total{query="counted",stream="words"} 20"#;
    assert!(answer.body.contains(rows), "{}", answer.body);
    assert_eq!(
        served.client.page("/metrics?shards=all"),
        metrics.prometheus_text(ShardMetrics::All)
    );
    assert_eq!(served.client.get("/metrics?shards=some").status, 400);
}

#[tokio::test]
async fn probes_say_whether_a_query_works() {
    let served = Served::new("").await;
    let client = served.client;
    let none = client.get("/health/ready");
    assert_eq!(none.status, 200);
    assert_eq!(
        none.header("content-type"),
        Some("application/json"),
        "{none:?}"
    );
    assert_eq!(
        json(&none.body),
        json(r#"{"ok":true,"queries":[],"reasons":[]}"#)
    );
    let query = served.query("probed").await;
    let ready = client.json("/health/ready");
    assert_eq!(
        (&ready["ok"], &ready["queries"][0]["name"]),
        (&true.into(), &"probed".into())
    );
    assert_eq!(
        client.json("/health/live")["queries"][0]["state"],
        "healthy"
    );
    query.stop().await.unwrap();
    assert_eq!(client.request("HEAD", "/health/live", "").status, 200);
    assert_eq!(client.post("/health/live").status, 405);
}

#[tokio::test]
async fn a_program_that_has_not_started_its_queries_is_not_ready() {
    let served = Served::new("").await;
    let client = served.client;
    let queries = StreamingQueries::of(&served.world.ctx);
    let hold = queries.hold_readiness("the tables are <created>");
    let ready = client.get("/health/ready");
    assert_eq!(ready.status, 503);
    let reasons = &json(&ready.body)["reasons"];
    assert_eq!(*reasons, serde_json::json!(["the tables are <created>"]));
    assert_eq!(client.get("/health/live").status, 200);
    assert!(client.page("/").contains("the tables are &lt;created&gt;"));
    assert_eq!(client.json("/api/v1/queries")["notReady"], *reasons);
    drop(hold);
    assert_eq!(client.get("/health/ready").status, 200);
}

#[tokio::test]
async fn a_probe_without_the_token_learns_only_whether_all_is_well() {
    let world = World::new();
    let builder = StatusServer::builder(&world.ctx).with_token(TOKEN);
    let server = builder.bind("127.0.0.1:0").unwrap();
    let client = Client::of(&server);
    let start = async |end_with: &'static str| {
        let builder = words(&world).with_name("secret name");
        let builder = builder.foreach_batch(move |_, _| async move {
            match end_with {
                "" => Ok(()),
                error => Err(datafusion::error::DataFusionError::Execution(
                    error.to_owned(),
                )),
            }
        });
        builder.start().await.unwrap()
    };
    world.unbounded_table("words", 1, FROM_THE_START).await;
    world.put_numbers("words", 1).await;
    let query = start("the target is full").await;
    query.await_termination().await.unwrap_err();
    for path in ["/health/ready", "/health/ready?token=wrong-wrong-wrong"] {
        let without = client.get(path);
        assert_eq!((without.status, &*without.body), (503, r#"{"ok":false}"#));
    }
    let live = client.get("/health/live");
    assert_eq!((live.status, &*live.body), (200, r#"{"ok":true}"#));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let with = client.request("GET", "/health/ready", &bearer);
    assert_eq!(with.status, 503);
    assert_eq!(json(&with.body)["queries"][0]["name"], "secret name");
    // Metrics tell more, so they need the token.
    assert_eq!(client.get("/metrics").status, 401);
    assert_eq!(client.request("GET", "/metrics", &bearer).status, 200);
    assert_eq!(client.post("/health/live").status, 401);
}
