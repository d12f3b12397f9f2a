//! A query that is killed and started again resumes as if nothing had happened.

use super::*;
use datafusion_kinesis::model::{StreamIdentity, Trigger};

/// Kills a query at `step` of its second batch, or at the first occurrence of a step before that,
/// and starts it again.
async fn killed_at(step: Step) -> (Sink, Sink) {
    let world = world(3).await;
    let place = format!("memory://killed-at-{step:?}");
    let (sink, calm) = (Sink::default(), Sink::default());
    let nth = if step < Step::Planned { 1 } else { 2 };
    let freeze = Freeze::at(step, nth);
    world.put_numbers("words", 60).await;
    let query = sink
        .of(words(&world))
        .with_checkpoint_location(&place)
        .with_step_hook(freeze.hook.clone())
        .start()
        .await
        .unwrap();
    if nth == 2 {
        query.process_all_available().await.unwrap();
    }
    for n in 60..90 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    freeze.reached().await;
    drop(query);
    world.put("words", "last", "90").await;
    let query = sink
        .of(words(&world))
        .with_checkpoint_location(&place)
        .start()
        .await
        .unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let uninterrupted = calm.of(words(&world)).start().await.unwrap();
    uninterrupted.process_all_available().await.unwrap();
    (sink, calm)
}

#[tokio::test(start_paused = true)]
async fn a_query_killed_at_any_step_loses_and_repeats_nothing() {
    for step in Step::ALL {
        let (sink, calm) = killed_at(step).await;
        assert_eq!(sink.numbers(), calm.numbers(), "{step:?}");
        assert_eq!(sink.numbers(), (0..=90).collect::<Vec<_>>(), "{step:?}");
        let batches = sink.batches();
        assert_eq!(
            batches,
            (0..batches.len() as u64).collect::<Vec<_>>(),
            "{step:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_restarts_lose_nothing() {
    let world = world(4).await;
    let sink = Sink::default();
    let mut random = fastrand::Rng::with_seed(7);
    let mut ids = Vec::new();
    for round in 0..100_u32 {
        for n in round * 5..round * 5 + 5 {
            world.put("words", &n.to_string(), n.to_string()).await;
        }
        let step = Step::ALL[random.usize(..Step::ALL.len())];
        let freeze = Freeze::at(step, 1);
        let query = sink
            .of(words(&world))
            .with_checkpoint_location("memory://hundred-restarts")
            .with_step_hook(freeze.hook.clone())
            .start()
            .await
            .unwrap();
        // A committed batch may leave nothing to do.
        let _ = tokio::time::timeout(Duration::from_secs(5), freeze.reached()).await;
        ids.push(query.id().to_owned());
    }
    let query = sink
        .of(words(&world))
        .with_checkpoint_location("memory://hundred-restarts")
        .start()
        .await
        .unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers(), (0..500).collect::<Vec<_>>());
    assert!(ids.iter().all(|id| id == query.id()));
}

#[tokio::test(start_paused = true)]
async fn the_older_of_two_runs_is_fenced() {
    let world = world(2).await;
    let sink = Sink::default();
    let start = || {
        let query = sink
            .of(words(&world))
            .with_checkpoint_location("memory://fenced");
        query.as_in_another_process().start()
    };
    let older = start().await.unwrap();
    world.put_numbers("words", 10).await;
    older.process_all_available().await.unwrap();
    let newer = start().await.unwrap();
    newer.process_all_available().await.unwrap();
    for n in 10..30 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    newer.process_all_available().await.unwrap();
    let error = older.await_termination().await.unwrap_err();
    assert_eq!(
        error.kind(),
        datafusion_kinesis::ErrorKind::Fenced,
        "{error}"
    );
    assert_eq!(older.error().unwrap().to_string(), error.to_string());
    assert!(newer.is_active());
    assert_eq!(sink.numbers(), (0..30).collect::<Vec<_>>());
    assert_ne!(older.run_id(), newer.run_id());
    assert_eq!(older.id(), newer.id());
}

#[tokio::test(start_paused = true)]
async fn latest_is_the_time_of_the_first_start() {
    let world = World::new();
    world.unbounded_table("words", 2, "").await;
    world.put("words", "k", "1").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sink = Sink::default();
    let start = || {
        sink.of(words(&world))
            .with_checkpoint_location("memory://latest")
            .start()
    };
    let query = start().await.unwrap();
    drop(query);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.put("words", "k", "2").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_ends_completes_the_planned_batch_first() {
    for trigger in [Trigger::AvailableNow, Trigger::Once] {
        let world = world(2).await;
        let place = format!("memory://finishes-{trigger}").replace(' ', "-");
        let sink = Sink::default();
        let freeze = Freeze::at(Step::OffsetsLogged, 1);
        world.put_numbers("words", 20).await;
        let query = words(&world)
            .foreach_batch(|_batch, _rows| async { Ok(()) })
            .with_checkpoint_location(&place)
            .with_step_hook(freeze.hook.clone());
        let query = query.start().await.unwrap();
        freeze.reached().await;
        drop(query);
        world.put("words", "k", "20").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let query = sink.of(words(&world)).with_checkpoint_location(&place);
        let query = query.with_trigger(trigger).start().await.unwrap();
        query.await_termination().await.unwrap();
        assert_eq!(sink.numbers(), (0..=20).collect::<Vec<_>>());
        assert_eq!(sink.batches(), [0, 1], "{trigger}");
        assert_eq!(sink.0.lock().unwrap()[&1], ["20"], "{trigger}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reshard_between_runs_loses_nothing() {
    let world = world(2).await;
    let sink = Sink::default();
    let stream = StreamIdentity::parse("words").unwrap();
    let run = || async {
        let query = sink
            .of(words(&world))
            .with_checkpoint_location("memory://resharded");
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        query
    };
    let mut next = 0;
    let mut put = async || {
        for n in next..next + 30_u32 {
            world.put("words", &n.to_string(), n.to_string()).await;
        }
        next += 30;
    };
    for shards in [4, 3, 6, 5] {
        put().await;
        let query = run().await;
        put().await;
        world
            .kinesis
            .update_shard_count(&stream, shards)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        put().await;
        // Half of the runs are stopped during the reshard, the others meet it at their start.
        if shards % 2 == 0 {
            query.process_all_available().await.unwrap();
        }
        query.stop().await.unwrap();
    }
    run().await.stop().await.unwrap();
    assert_eq!(sink.numbers(), (0..360).collect::<Vec<_>>());
}
