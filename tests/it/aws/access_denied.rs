//! Errors of denied actions and their advice.

use datafusion_kinesis::ErrorKind;

use super::cloud::{Cloud, REGION, SOURCE, statement, with};

/// A statement that needs each operation.
const NEEDED: [(&str, &str); 4] = [
    ("ListShards", "SELECT * FROM words"),
    ("GetShardIterator", "SELECT * FROM words"),
    ("GetRecords", "SELECT * FROM words"),
    (
        "PutRecords",
        "INSERT INTO words (partitionKey, data) VALUES ('k', 'v')",
    ),
];

/// Asserts that `text` names the denied action and its stream.
fn assert_names(kind: ErrorKind, text: &str, action: &str, stream: &str) {
    assert_eq!(kind, ErrorKind::AccessDenied, "{action}: {text}");
    for part in [
        "AccessDeniedException",
        &format!("kinesis:{action}"),
        stream,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_denied_action_is_reported_with_its_stream() {
    let cloud = Cloud::new().await;
    cloud.stream(SOURCE, "words", 1).await;
    cloud.put(SOURCE, "words", 0..3).await;
    let role = cloud.role(SOURCE, "worker", None);
    let options = cloud.through(&role);
    let arn = format!("arn:aws:kinesis:{REGION}:{SOURCE}:stream/words");
    let describe = "DescribeStreamSummary";
    let action = |operation: &str| format!("kinesis:{operation}");
    for (location, named) in [("words", "'words'"), (arn.as_str(), arn.as_str())] {
        let create = statement("EXTERNAL TABLE", "words", location, &options);
        cloud.accounts.deny(&role, &action(describe));
        let (kind, text) = cloud.world.refusal(&create).await;
        assert_names(kind, &text, describe, named);
        cloud.accounts.allow(&role, &action(describe));
        cloud.world.run(&create).await;
        for (operation, statement) in NEEDED {
            cloud.accounts.deny(&role, &action(operation));
            let (kind, text) = cloud.world.refusal(statement).await;
            assert_names(kind, &text, operation, named);
            if operation == "GetRecords" && named == "'words'" {
                // GetRecords does not send a stream name, so the service cannot report it.
                let advice = "allow kinesis:GetRecords on stream 'words'";
                assert!(text.contains(advice), "{text}");
            }
            cloud.accounts.allow(&role, &action(operation));
            cloud.world.run(statement).await;
        }
        cloud.world.run("DROP TABLE words").await;
    }
}

#[tokio::test]
async fn a_region_other_than_the_endpoints_is_reported_with_the_option() {
    let cloud = Cloud::new().await;
    cloud.stream(SOURCE, "words", 1).await;
    let elsewhere = with(cloud.keys(), &[("kinesisRegion", "us-east-1")]);
    let (kind, text) = cloud.refusal("words", &elsewhere).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(
        text.contains("a region other than the endpoint's"),
        "{text}"
    );
    assert!(text.contains("'kinesis.kinesisRegion'"), "{text}");
    assert_eq!(cloud.accounts.refused("InvalidSignatureException"), 1);
}
