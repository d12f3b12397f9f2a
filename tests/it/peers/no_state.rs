//! State of `GROUP BY` between batches does not exist yet, so there is none that could be restored by
//! half: groups without their keys, windows without their rows. What would need it is refused by name
//! when the query starts, before anything is written that a later start could take for a checkpoint.
//! Once such state is kept, this is the place for a restore in the middle of a window.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::query::StreamingQuery;

use crate::streaming::FROM_THE_START;
use crate::support::{World, folder};

const STATEFUL: &[(&str, &str)] = &[
    ("SELECT count(*) FROM words", "over the unbounded table"),
    (
        "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey",
        "GROUP BY",
    ),
    (
        "SELECT date_bin(INTERVAL '1 minute', approximateArrivalTimestamp), max(data)
         FROM words GROUP BY 1",
        "GROUP BY",
    ),
    ("SELECT DISTINCT partitionKey FROM words", "DISTINCT"),
    ("SELECT data FROM words ORDER BY data", "ORDER BY"),
    ("SELECT data FROM words LIMIT 5", "LIMIT"),
    (
        "SELECT row_number() OVER (PARTITION BY partitionKey) FROM words",
        "OVER",
    ),
    (
        "SELECT a.data FROM words a JOIN more b ON a.partitionKey = b.partitionKey",
        "join",
    ),
    (
        "SELECT data FROM words WHERE data = (SELECT max(data) FROM words)",
        "scalar subquery",
    ),
];

#[tokio::test(start_paused = true)]
async fn d12_a_statement_that_needs_state_is_refused_by_name_and_leaves_no_checkpoint() {
    let world = World::new();
    world.unbounded_table("words", 1, FROM_THE_START).await;
    world.unbounded_table("more", 1, FROM_THE_START).await;
    world.put_numbers("words", 10).await;
    let place = folder("d12");
    for (sql, named) in STATEFUL {
        let query = StreamingQuery::builder(&world.ctx, *sql)
            .with_checkpoint_location(place.to_str().unwrap())
            .console();
        let error = query.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
        let message = error.to_string().to_lowercase();
        assert!(message.contains(&named.to_lowercase()), "{sql}: {message}");
        assert!(
            message.contains("'words'") || message.contains("'more'"),
            "{message}"
        );
        assert!(!place.exists(), "{sql} has written to its checkpoint");
    }
}

#[tokio::test(start_paused = true)]
async fn d12_a_running_query_cannot_be_started_again_with_state() {
    let world = World::new();
    world.unbounded_table("words", 1, FROM_THE_START).await;
    world.put_numbers("words", 10).await;
    let sink = crate::streaming::Sink::default();
    let place = folder("d12-again");
    let start = |sql: &str| {
        let query = StreamingQuery::builder(&world.ctx, sql);
        let query = query.with_checkpoint_location(place.to_str().unwrap());
        sink.of(query).start()
    };
    let plain = "SELECT partitionKey, CAST(data AS VARCHAR) FROM words";
    let query = start(plain).await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let counting = "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey";
    let error = start(counting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    world.put("words", "k", "10").await;
    let query = start(plain).await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers(), (0..=10).collect::<Vec<_>>());
    assert_eq!(sink.batches(), [0, 1]);
    std::fs::remove_dir_all(place).unwrap();
}
