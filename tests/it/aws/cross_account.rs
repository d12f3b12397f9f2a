//! Copies from a stream of one account to a stream of another, each through its own role.

use datafusion_kinesis::query::StreamingQuery;

use super::cloud::{Cloud, HOME, SINK, SOURCE, catch_up};

const COPY: &str = "INSERT INTO copied (partitionKey, data) SELECT partitionKey, data FROM words";

/// The streams `words` and `copied` in both accounts, and the roles to reach them.
async fn accounts() -> (Cloud, [String; 2]) {
    let cloud = Cloud::new().await;
    for account in [SOURCE, SINK] {
        cloud.stream(account, "words", 2).await;
        cloud.stream(account, "copied", 3).await;
    }
    let reader = cloud.role(SOURCE, "reader", None);
    let writer = cloud.role(SINK, "writer", None);
    (cloud, [reader, writer])
}

/// Asserts that exactly `numbers` were copied to the sink account.
async fn assert_copied(cloud: &Cloud, numbers: std::ops::Range<u64>) {
    let numbers: Vec<u64> = numbers.collect();
    assert_eq!(cloud.numbers(SINK, "copied").await, numbers);
    assert!(cloud.numbers(SOURCE, "copied").await.is_empty());
    assert!(cloud.numbers(SINK, "words").await.is_empty());
    assert_eq!(cloud.accounts.calls(SOURCE, "PutRecords"), 0);
    assert_eq!(cloud.accounts.calls(SINK, "GetRecords"), 0);
    assert!(cloud.accounts.keys(HOME).is_empty());
}

#[tokio::test]
async fn a_bounded_copy_reads_and_writes_with_different_roles() {
    let (cloud, [reader, writer]) = accounts().await;
    cloud.table("words", &cloud.through(&reader)).await;
    cloud.table("copied", &cloud.through(&writer)).await;
    cloud.put(SOURCE, "words", 0..50).await;
    cloud.world.run(COPY).await;
    assert_copied(&cloud, 0..50).await;
    for role in [&reader, &writer] {
        assert_eq!(cloud.sts.assumed(role).len(), 1, "{role}");
    }
}

#[tokio::test]
async fn a_streaming_copy_reads_and_writes_with_different_roles() {
    let (cloud, [reader, writer]) = accounts().await;
    cloud.unbounded("words", &cloud.through(&reader)).await;
    cloud.table("copied", &cloud.through(&writer)).await;
    let query = start(&cloud, "memory://across").await;
    for round in 0..3 {
        cloud
            .put(SOURCE, "words", round * 20..(round + 1) * 20)
            .await;
        catch_up(&query).await;
    }
    query.stop().await.unwrap();
    assert_copied(&cloud, 0..60).await;
    for role in [&reader, &writer] {
        assert_eq!(cloud.sts.assumed(role).len(), 1, "{role}");
    }
}

/// Starts the copy.
async fn start(cloud: &Cloud, place: &str) -> StreamingQuery {
    StreamingQuery::builder(&cloud.world.ctx, COPY)
        .with_checkpoint_location(place)
        .start()
        .await
        .unwrap()
}

#[cfg(feature = "dynamodb")]
#[tokio::test]
async fn offsets_are_committed_with_a_third_role() {
    use datafusion_kinesis::checkpoint::{Log, OffsetCommitter};

    let (cloud, [reader, writer]) = accounts().await;
    let keeper = cloud.role(HOME, "keeper", None);
    let tables = crate::dynamo::Dynamo::new();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(dynoxide::server::serve_on(
        listener,
        tables.database.clone(),
    ));
    let sts = cloud.sts.endpoint_url();
    let options = super::cloud::with(
        cloud.through(&reader),
        &[
            ("metadataCommitterType", "DYNAMODB"),
            ("dynamodb.endpointUrl", &url),
            ("dynamodb.tableName", "offsets"),
            ("dynamodb.stsRoleArn", &keeper),
            ("dynamodb.stsEndpointUrl", &sts),
            ("dynamodb.stsSessionName", "keeping"),
        ],
    );
    cloud.unbounded("words", &options).await;
    cloud.table("copied", &cloud.through(&writer)).await;
    cloud.put(SOURCE, "words", 0..10).await;
    let query = StreamingQuery::builder(&cloud.world.ctx, COPY).with_name("copy");
    let query = query.start().await.unwrap();
    catch_up(&query).await;
    query.stop().await.unwrap();
    assert_copied(&cloud, 0..10).await;
    for (role, name) in [
        (&reader, "datafusion-kinesis"),
        (&writer, "datafusion-kinesis"),
        (&keeper, "keeping"),
    ] {
        let calls = cloud.sts.assumed(role);
        assert_eq!(calls.len(), 1, "{role}");
        assert_eq!(calls[0].session_name.as_deref(), Some(name), "{role}");
        // The keeper role is assumed with the keys, not by the reader role.
        let key = Some(cloud.ada.access_key_id.clone());
        assert_eq!(calls[0].access_key_id, key, "{role}");
    }
    let committer =
        datafusion_kinesis::checkpoint::DynamoDbCommitter::over(tables.client(), "offsets", "copy");
    let batches = committer.unwrap().batches(Log::Commits).await.unwrap();
    assert!(!batches.is_empty());
    serving.abort();
}
