//! Secrets and HTML from options, statements, data and errors.

use datafusion::error::DataFusionError;
use datafusion_kinesis::query::StreamingQuery;

use super::*;
use crate::streaming::metrics::exposition::Exposition;

const SECRET: &str = "canary-4f8e\\\"q&uot<e>";
const KEY_ID: &str = "AKIACANARY0123456789";
const HTML: &str = "<img src=x onerror=alert(1)>";

#[tokio::test]
async fn secrets_and_html_reach_no_page_and_no_answer() {
    let options = format!("'kinesis.awsAccessKeyId' '{KEY_ID}', 'kinesis.awsSecretKey' '{SECRET}'");
    let served = Served::new(&options).await;
    // Names, statement, data and error hold both.
    let sql = format!(
        "SELECT partitionKey, CAST(data AS VARCHAR), '{HTML}' AS \"{HTML}\" FROM words \
         WHERE partitionKey <> '{SECRET}' AND partitionKey <> 'OPTIONS (''kinesis.sessionToken'' ''canary-token'')'"
    );
    let builder = StreamingQuery::builder(&served.world.ctx, sql.as_str())
        .with_name(format!("{HTML} {SECRET}"))
        .foreach_batch(|batch, _| async move {
            match batch.0 {
                0 => Ok(()),
                _ => Err(DataFusionError::Execution(format!(
                    "denied {KEY_ID} with {SECRET}: {HTML}"
                ))),
            }
        });
    let query = builder.start().await.unwrap();
    let client = served.client;
    client.page("/");
    served.world.put("words", HTML, HTML).await;
    query.process_all_available().await.unwrap();
    client.page("/");
    served.world.put("words", SECRET, SECRET).await;
    query.await_termination().await.unwrap_err();
    let run_id = query.run_id();
    let escaped = "&lt;img src=x onerror=alert(1)&gt;";
    for path in pages(run_id, 0) {
        let page = client.page(&path);
        assert!(!page.contains("<img"), "{path}: {page}");
        assert_hidden(&path, &page);
        if path != "/settings" {
            assert!(page.contains(escaped), "{path}: {page}");
        }
    }
    let settings = client.page("/settings");
    assert!(
        settings.contains("kinesis.awsSecretKey") && settings.contains("***"),
        "{settings}"
    );
    for path in resources(run_id, 0) {
        let answer = client.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_hidden(&path, &answer.body);
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap();
    }
    for path in ["/metrics", "/metrics?shards=all"] {
        let text = client.page(path);
        Exposition::of(&text);
        assert_hidden(path, &text);
        assert!(text.contains("query=\""), "{text}");
    }
    let ready = client.get("/health/ready");
    assert_eq!(ready.status, 503, "the query has failed");
    assert!(ready.body.contains("denied"), "{}", ready.body);
    assert_hidden("/health/ready", &ready.body);
    served.world.run("DROP TABLE words").await;
    for path in ["/", "/api/v1/queries"] {
        assert_hidden(path, &client.page(path));
    }
    let unknown = client.get("/queries/%3Cimg%20src=x%3E");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body.contains("&lt;img src=x&gt;"),
        "{}",
        unknown.body
    );
}

fn assert_hidden(path: &str, text: &str) {
    for secret in ["canary", KEY_ID, "q&amp;uot"] {
        assert!(!text.contains(secret), "{path} shows {secret}: {text}");
    }
}
