//! Queries that are refused at the start.

use super::*;
use datafusion_kinesis::ErrorKind;

async fn refusal(builder: StreamingQueryBuilder) -> (ErrorKind, String) {
    let error = builder.start().await.unwrap_err();
    (error.kind(), error.to_string())
}

fn insert(world: &World) -> StreamingQueryBuilder {
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    StreamingQuery::builder(&world.ctx, insert)
}

#[tokio::test(start_paused = true)]
async fn an_insert_needs_a_checkpoint_location() {
    let world = world(1).await;
    let (kind, message) = refusal(insert(&world)).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(
        message.contains("streaming.checkpoint_location"),
        "{message}"
    );
    world
        .run("SET streaming.checkpoint_location = 'memory://from-the-session'")
        .await;
    insert(&world).start().await.unwrap().stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_query_needs_exactly_one_output() {
    let world = world(1).await;
    let (_, message) = refusal(words(&world)).await;
    assert!(message.contains("foreach_batch"), "{message}");
    let both = Sink::default()
        .of(insert(&world))
        .with_checkpoint_location("memory://both");
    let (kind, message) = refusal(both).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(message.contains("INSERT"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_statement_fails_before_anything_is_written() {
    let world = world(1).await;
    let folder = crate::support::folder("wrong-statement");
    for sql in [
        "SELECT nothing FROM words",
        "SELECT count(*) FROM words",
        "SELECT * FROM out",
        "SELEC",
    ] {
        let query = StreamingQuery::builder(&world.ctx, sql).console();
        let (kind, message) =
            refusal(query.with_checkpoint_location(folder.to_str().unwrap())).await;
        assert!(
            matches!(kind, ErrorKind::InvalidOption | ErrorKind::Unsupported),
            "{sql}: {kind:?} {message}"
        );
    }
    assert!(!folder.join("metadata").exists());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_and_a_name_serve_one_query_at_a_time() {
    let world = world(1).await;
    let sink = Sink::default();
    let query = |name: &str, place: &str| {
        sink.of(words(&world))
            .with_name(name)
            .with_checkpoint_location(place)
    };
    let first = query("serving", "memory://serving").start().await.unwrap();
    let (kind, message) = refusal(query("other", "memory://serving/")).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(message.contains("memory://serving"), "{message}");
    let (_, message) = refusal(query("serving", "memory://serving-too")).await;
    assert!(message.contains("'serving'"), "{message}");
    first.stop().await.unwrap();
    query("serving", "memory://serving")
        .start()
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_belongs_to_its_streams() {
    let world = world(1).await;
    world.unbounded_table("clicks", 1, FROM_THE_START).await;
    world
        .unbounded_table_again("words_again", "words", FROM_THE_START)
        .await;
    let run = |from: &str| {
        let sql = format!("SELECT partitionKey, CAST(data AS VARCHAR) FROM {from}");
        let query = StreamingQuery::builder(&world.ctx, sql);
        Sink::default()
            .of(query)
            .with_checkpoint_location("memory://belongs")
    };
    run("words").start().await.unwrap().stop().await.unwrap();
    let (kind, message) = refusal(run("clicks")).await;
    assert_eq!(kind, ErrorKind::Checkpoint);
    for part in [
        "memory://belongs",
        "source 1",
        "words",
        "and is now",
        "clicks",
        "location of its own",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // Another table of the same stream, another filter and another output may replace it.
    let changed = run("words_again WHERE partitionKey <> 'x'").accept_changed_query();
    changed.start().await.unwrap().stop().await.unwrap();
    let insert = insert(&world).with_checkpoint_location("memory://belongs");
    let insert = insert.accept_changed_query();
    insert.start().await.unwrap().stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sources_must_agree_on_their_metadata_options() {
    let world = world(1).await;
    let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '7'");
    world.unbounded_table_again("kept", "words", &options).await;
    let sql = "SELECT data FROM words UNION ALL SELECT data FROM kept";
    let (kind, message) = refusal(StreamingQuery::builder(&world.ctx, sql).console()).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(message.contains("'words' and 'kept'"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_metadata_path_holds_the_log_and_the_checkpoint_the_stop_lock() {
    let world = World::new();
    let (log, checkpoint) = (
        crate::support::folder("log"),
        crate::support::folder("checkpoint"),
    );
    let path = log.to_str().unwrap();
    let options = format!("{FROM_THE_START}, 'kinesis.metadataPath' '{path}'");
    world.unbounded_table("words", 1, &options).await;
    world.put("words", "k", "1").await;
    let query = Sink::default().of(words(&world));
    let query = query.with_checkpoint_location(checkpoint.to_str().unwrap());
    let query = query.start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert!(log.join("metadata").exists() && log.join("commits").join("0").exists());
    assert!(!checkpoint.join("metadata").exists());
    std::fs::create_dir_all(&checkpoint).unwrap();
    std::fs::write(checkpoint.join("STOP_LOCK"), "").unwrap();
    query.await_termination().await.unwrap();
    for folder in [log, checkpoint] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}
