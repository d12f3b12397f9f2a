//! Sessions that expire while a streaming query runs.

use std::time::Duration;

use datafusion_kinesis::query::StreamingQuery;
use tokio::time::Instant;

use super::cloud::{Cloud, SINK, SOURCE, catch_up, with};

/// Lifetime of sessions, which are renewed in their last third.
const LIFE: Duration = Duration::from_secs(2);

/// Copies two tables of one account to another account.
const COPY: &str = "INSERT INTO copied (partitionKey, data)
    SELECT partitionKey, data FROM words UNION ALL SELECT partitionKey, data FROM clicks";

/// The tables of [`COPY`], with eight shards to read, and the roles that read and write.
async fn copy_world(life: Option<Duration>) -> (Cloud, [String; 2]) {
    let cloud = Cloud::new().await;
    cloud.stream(SOURCE, "words", 4).await;
    cloud.stream(SOURCE, "clicks", 4).await;
    cloud.stream(SINK, "copied", 4).await;
    let life = life.map(|life| u64::try_from(life.as_millis()).unwrap());
    let reader = cloud.role(SOURCE, "reader", life);
    let writer = cloud.role(SINK, "writer", life);
    let waits = [
        ("clientRetryIntervalsMs", "100"),
        ("clientMaxRetryIntervalMs", "500"),
        ("clientNumRetries", "100"),
    ];
    let reading = with(cloud.through(&reader), &waits);
    cloud.unbounded("words", &reading).await;
    // Uses its own client, with the same identity.
    let reading = with(reading, &[("allowHttp", "true")]);
    cloud.unbounded("clicks", &reading).await;
    let writing = with(cloud.through(&writer), &waits);
    cloud.table("copied", &writing).await;
    (cloud, [reader, writer])
}

async fn start(cloud: &Cloud, place: &str) -> StreamingQuery {
    StreamingQuery::builder(&cloud.world.ctx, COPY)
        .with_checkpoint_location(place)
        .start()
        .await
        .unwrap()
}

/// Puts ten numbers into each source table and waits until they are written.
async fn copy_more(cloud: &Cloud, query: &StreamingQuery, put: &mut u64) {
    cloud.put(SOURCE, "words", *put..*put + 10).await;
    cloud.put(SOURCE, "clicks", *put + 10..*put + 20).await;
    *put += 20;
    catch_up(query).await;
}

/// Asserts that each number was written once and no batch ran twice.
async fn assert_copied_once(cloud: &Cloud, query: &StreamingQuery, put: u64) {
    assert_eq!(
        cloud.numbers(SINK, "copied").await,
        (0..put).collect::<Vec<_>>()
    );
    assert!(query.error().is_none());
    let batches = query.recent_progress();
    let batches: Vec<u64> = batches.iter().map(|batch| batch.batch_id.0).collect();
    assert!(batches.is_sorted_by(|a, b| a < b), "{batches:?}");
}

#[tokio::test]
async fn a_copy_between_accounts_renews_each_session_once() {
    let began = Instant::now();
    let (cloud, roles) = copy_world(Some(LIFE)).await;
    let query = start(&cloud, "memory://outlives").await;
    let mut put = 0;
    while roles.iter().any(|role| cloud.sts.assumed(role).len() < 4) {
        copy_more(&cloud, &query, &mut put).await;
    }
    query.stop().await.unwrap();
    // A session lives at least two thirds of its lifetime before it is renewed.
    let sessions = began.elapsed().as_millis() / (LIFE.as_millis() * 2 / 3) + 1;
    for (role, account) in roles.iter().zip([SOURCE, SINK]) {
        let asked = cloud.sts.assumed(role).len();
        assert!(asked as u128 <= sessions + 1, "{role}: {asked} {sessions}");
        let used = cloud.accounts.keys(account).len();
        assert!((3..=asked).contains(&used), "{role}: {asked} {used}");
    }
    assert_copied_once(&cloud, &query, put).await;
}

#[tokio::test]
async fn revoked_sessions_are_replaced_without_an_error() {
    let (cloud, roles) = copy_world(None).await;
    let query = start(&cloud, "memory://revoked").await;
    let mut put = 0;
    copy_more(&cloud, &query, &mut put).await;
    for role in &roles {
        cloud.directory.end_sessions(role);
    }
    copy_more(&cloud, &query, &mut put).await;
    query.stop().await.unwrap();
    assert!(cloud.accounts.refused("ExpiredTokenException") >= 2);
    for role in &roles {
        assert_eq!(cloud.sts.assumed(role).len(), 2, "{role}");
    }
    assert_copied_once(&cloud, &query, put).await;
}
