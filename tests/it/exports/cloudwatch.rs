//! `--cloudwatch-namespace`.

use std::collections::BTreeMap;

use super::{STATEMENTS, embedded, ended, receiver, stderr};

const NAMESPACE: &[&str] = &["--cloudwatch-namespace", "Our Streams"];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_publishes_its_figures_and_tells_the_cost() {
    let (server, received) = receiver(200, "<PutMetricDataResponse/>").await;
    let mut run = embedded(NAMESPACE);
    run.args(["-c", STATEMENTS]);
    run.env("AWS_ENDPOINT_URL_CLOUDWATCH", server.url());
    let output = ended(run).await;
    let errors = stderr(&output);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("'Our Streams' in eu-west-1"), "{errors}");
    assert!(errors.contains("$1.80 a month"), "{errors}");

    let received = received.lock().unwrap();
    let [request] = &received[..] else {
        panic!("what a short run counts is one request: {received:?}");
    };
    let has = |start: &str| {
        request
            .headers
            .iter()
            .any(|header| header.starts_with(start))
    };
    assert!(has(
        "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"
    ));
    assert!(
        request
            .headers
            .iter()
            .any(|header| header.contains("/eu-west-1/monitoring/"))
    );
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    assert_eq!(form["Action"], "PutMetricData");
    assert_eq!(form["Namespace"], "Our Streams");
    let value = |metric: &str, stream: Option<&str>| {
        let named = form.iter().find(|(_, value)| *value == metric);
        let member = named.unwrap().0.strip_suffix(".MetricName").unwrap();
        let field = |name: &str| form.get(&format!("{member}.{name}")).map(String::as_str);
        assert_eq!(field("Dimensions.member.1.Name"), Some("query"));
        assert_eq!(field("Dimensions.member.1.Value"), Some("exported"));
        assert_eq!(field("Dimensions.member.2.Value"), stream);
        field("Value").unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("RecordsProcessed", Some("words")), 3.0);
    // A key and a value of one byte each.
    assert_eq!(value("BytesProcessed", Some("words")), 6.0);
    assert_eq!(value("ThrottledCalls", Some("words")), 0.0);
    assert!(value("CommitSuccess", None) >= 1.0);
    assert_eq!(value("CommitFailure", None), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_logged_and_does_not_affect_the_query() {
    let refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not allowed</Message></Error></ErrorResponse>";
    let (server, received) = receiver(403, refusal).await;
    let mut run = embedded(NAMESPACE);
    run.args(["-c", STATEMENTS]);
    run.env("AWS_ENDPOINT_URL_CLOUDWATCH", server.url());
    let output = ended(run).await;
    let errors = stderr(&output);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("AccessDenied: not allowed (status 403)"),
        "{errors}"
    );
    assert!(!errors.contains("canary"), "{errors}");
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_cloudwatch_refuses_is_refused_at_the_start() {
    let mut run = embedded(&["--cloudwatch-namespace", "AWS/Kinesis"]);
    run.args(["-c", "SELECT 1"]);
    let output = ended(run).await;
    let errors = stderr(&output);
    assert!(!output.status.success());
    assert!(
        errors.contains("\"AWS/Kinesis\"") && errors.contains("expected"),
        "{errors}"
    );
    assert!(output.stdout.is_empty());
}
