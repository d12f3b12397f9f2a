//! How queries end.

use super::*;
use std::fs;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::QueryEnd;

/// A query whose batches wait for `go`.
fn waiting(world: &World, go: &Arc<Notify>, begun: &Arc<Notify>) -> StreamingQueryBuilder {
    let (go, begun) = (Arc::clone(go), Arc::clone(begun));
    words(world).foreach_batch(move |_batch, mut rows| {
        let (go, begun) = (Arc::clone(&go), Arc::clone(&begun));
        async move {
            begun.notify_one();
            go.notified().await;
            while let Some(batch) = rows.next().await {
                batch?;
            }
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_the_batch_in_flight() {
    let world = world(1).await;
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let query = waiting(&world, &go, &begun).start().await.unwrap();
    world.put("words", "k", "1").await;
    begun.notified().await;
    let stops = [query.clone(), query.clone(), query.clone()];
    let stops = stops.map(|query| tokio::spawn(async move { query.stop().await }));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(query.is_active() && query.status().is_trigger_active);
    go.notify_one();
    for stop in stops {
        stop.await.unwrap().unwrap();
    }
    query.await_termination().await.unwrap();
    assert_eq!(query.last_progress().unwrap().num_input_rows, 1);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_exceeds_the_stop_timeout_is_abandoned_and_rerun() {
    let world = world(1).await;
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let query = waiting(&world, &go, &begun)
        .with_checkpoint_location("memory://abandoned")
        .with_stop_timeout(Duration::from_secs(4));
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    begun.notified().await;
    let asked = tokio::time::Instant::now();
    query.stop().await.unwrap();
    assert_eq!(query.end(), Some(QueryEnd::Stopped));
    assert_eq!(asked.elapsed(), Duration::from_secs(4));
    assert!(query.last_progress().is_none());
    let sink = Sink::default();
    let query = sink
        .of(words(&world))
        .with_checkpoint_location("memory://abandoned");
    let query = query.start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!((sink.numbers(), sink.batches()), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lock_stops_the_query_and_is_removed() {
    let world = world(1).await;
    let folder = crate::support::folder("stop-lock");
    let start = || {
        Sink::default()
            .of(words(&world))
            .with_checkpoint_location(folder.to_str().unwrap())
            .start()
    };
    let query = start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    fs::write(folder.join("STOP_LOCK"), "").unwrap();
    query.await_termination().await.unwrap();
    assert_eq!(query.end(), Some(QueryEnd::StopLock));
    assert!(!folder.join("STOP_LOCK").exists());
    let again = start().await.unwrap();
    again.process_all_available().await.unwrap();
    assert_eq!(again.end(), None);
    again.stop().await.unwrap();
    assert_eq!(again.end(), Some(QueryEnd::Stopped));
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_finished_trigger_and_a_stop_lock_are_distinguished() {
    let world = world(1).await;
    let folder = crate::support::folder("finished");
    for (lock, end) in [(false, QueryEnd::Finished), (true, QueryEnd::StopLock)] {
        let query = Sink::default()
            .of(words(&world))
            .with_trigger(Trigger::AvailableNow)
            .with_checkpoint_location(folder.to_str().unwrap());
        let query = query.start().await.unwrap();
        if lock {
            fs::write(folder.join("STOP_LOCK"), "").unwrap();
        }
        query.await_termination().await.unwrap();
        assert_eq!(query.end(), Some(end));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_lock_older_than_the_start_is_refused_and_kept() {
    let world = world(1).await;
    let folder = crate::support::folder("stale-stop-lock");
    fs::create_dir_all(&folder).unwrap();
    let lock = folder.join("STOP_LOCK");
    fs::write(&lock, "").unwrap();
    let sink = Sink::default();
    let start = || {
        let query = sink.of(words(&world)).with_trigger(Trigger::AvailableNow);
        query
            .with_checkpoint_location(folder.to_str().unwrap())
            .start()
    };
    world.put("words", "k", "1").await;
    for _ in 0..2 {
        let error = start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        for part in [folder.to_str().unwrap(), "STOP_LOCK", "Remove the object"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert!(lock.exists());
        assert!(!folder.join("metadata").exists());
    }
    fs::remove_file(lock).unwrap();
    start().await.unwrap().await_termination().await.unwrap();
    assert_eq!(sink.numbers(), [1]);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_the_query_and_names_the_batch() {
    let world = world(1).await;
    let query = words(&world)
        .with_name("failing")
        .foreach_batch(|_batch, _rows| async {
            Err(DataFusionError::Execution("disk full".into()))
        })
        .start()
        .await
        .unwrap();
    world.put("words", "k", "1").await;
    let behind = query.process_all_available().await.unwrap_err();
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(behind.to_string(), error.to_string());
    let message = error.to_string();
    for part in [
        "query 'failing'",
        "batch 0",
        "'words'",
        "shardId-000000000000",
        "disk full",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(query.status().message.contains("disk full"));
    assert_eq!(query.end(), Some(QueryEnd::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_query_with_an_error() {
    let world = world(1).await;
    let query = words(&world).foreach_batch(|_batch, _rows| async { panic!("a bug") });
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("a bug"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_query_without_handles_ends() {
    let world = world(1).await;
    let sink = Sink::default();
    let query = sink
        .of(words(&world))
        .with_name("dropped")
        .start()
        .await
        .unwrap();
    let other = query.clone();
    drop(query);
    world.put("words", "k", "1").await;
    other.process_all_available().await.unwrap();
    drop(other);
    world.put("words", "k", "2").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(sink.numbers(), [1]);
    let again = sink
        .of(words(&world))
        .with_name("dropped")
        .start()
        .await
        .unwrap();
    again.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_query_that_ends_early_is_an_error() {
    let world = world(1).await;
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let query = waiting(&world, &go, &begun).with_stop_timeout(Duration::ZERO);
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    begun.notified().await;
    let (waited, stopped) = tokio::join!(query.process_all_available(), query.stop());
    stopped.unwrap();
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Unavailable);
}
