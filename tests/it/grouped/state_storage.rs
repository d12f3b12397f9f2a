//! Where state is kept: in limited memory, and at the checkpoint location.

use std::sync::Arc;

use datafusion::execution::memory_pool::{FairSpillPool, GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::checkpoint::ObjectStoreCommitter;
use datafusion_kinesis::query::StreamingQuery;

use super::*;

/// Another session on the tables of a world, with `pool` as its memory.
fn session(world: &World, pool: Arc<dyn MemoryPool>) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
    let runtime = Arc::new(runtime.build().unwrap());
    let config = SessionConfig::new().with_target_partitions(2);
    let ctx = SessionContext::new_with_config_rt(config, runtime);
    let tables = world.ctx.catalog("datafusion").unwrap();
    ctx.register_catalog("datafusion", tables);
    ctx
}

fn counts(ctx: &SessionContext, lines: &Lines, place: &str) -> StreamingQueryBuilder {
    let query = StreamingQuery::builder(ctx, COUNTS).with_output_mode(OutputMode::Update);
    lines.of(query).with_checkpoint_location(place)
}

#[tokio::test(start_paused = true)]
async fn a_state_that_exceeds_memory_fails_and_resumes_with_more() {
    type Pool = fn(usize) -> Arc<dyn MemoryPool>;
    let pools: [(&str, Pool); 2] = [
        ("greedy", |bytes| Arc::new(GreedyMemoryPool::new(bytes))),
        ("fair", |bytes| Arc::new(FairSpillPool::new(bytes))),
    ];
    for (name, pool) in pools {
        let world = World::new();
        let options = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '500'");
        world.unbounded_table("words", 2, &options).await;
        let lines = Lines::default();
        let place = format!("memory://grouped-{name}-memory");
        world.put_numbers("words", 20_000).await;
        let small = session(&world, pool(600_000));
        let error = fails(counts(&small, &lines, &place)).await;
        let text = error.to_string();
        // Which of the two does not fit depends on how the pool divides its memory.
        let state = "the state of GROUP BY no longer fits into memory";
        let batch = "there is not enough memory for a batch in addition to the state of GROUP BY";
        let known = [state, batch]
            .into_iter()
            .find(|words| text.contains(words));
        assert!(known.is_some(), "{name}: {text}");
        for part in ["MiB", "memory_limit", "watermark"] {
            assert!(text.contains(part), "{name}: {text}");
        }
        let large = session(&world, pool(200_000_000));
        world.put("words", "k", "7").await;
        run(counts(&large, &lines, &place)).await;
        let newest = lines.newest();
        assert_eq!(newest.len(), 20_000, "{name}");
        let twice = newest.iter().filter(|(_, count)| *count != "1");
        let twice: Vec<_> = twice
            .map(|(word, count)| (word.as_str(), count.as_str()))
            .collect();
        assert_eq!(twice, [("7", "2")], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_committer_alone_cannot_keep_state() {
    let world = world(1).await;
    let committer = ObjectStoreCommitter::open("memory://grouped-committer-alone").unwrap();
    let query = Lines::default().of(grouped(&world, COUNTS, OutputMode::Update));
    let error = fails(query.with_committer(Arc::new(committer))).await;
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
    for part in [
        "keeps its state at the checkpoint location",
        "streaming.checkpoint_location",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_committer_with_a_checkpoint_location_keeps_state_there() {
    let mut counting = Counting::new("grouped-committer-state").await;
    let log = "memory://grouped-committer-log";
    for _ in 0..4 {
        counting.put(20).await;
        let committer = ObjectStoreCommitter::open(log).unwrap();
        run(counting.builder().with_committer(Arc::new(committer))).await;
        counting.check("");
    }
    let place = ObjectStoreCommitter::open(&counting.place).unwrap();
    let logs = datafusion_kinesis::checkpoint::Log::Commits;
    let beside = datafusion_kinesis::checkpoint::OffsetCommitter::batches(&place, logs);
    assert_eq!(beside.await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_select_without_a_checkpoint_counts_in_memory_and_starts_over() {
    let mut counting = Counting::new("").await;
    for _ in 0..2 {
        counting.put(20).await;
        let lines = Lines::default();
        let query = lines.of(grouped(&counting.world, COUNTS, OutputMode::Update));
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        counting.put(20).await;
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        counting.lines = lines;
        counting.check("");
    }
}

#[cfg(feature = "dynamodb")]
mod over_dynamodb {
    use datafusion_kinesis::checkpoint::DynamoDbCommitter;

    use super::*;
    use crate::dynamo::Dynamo;
    use crate::support::folder;

    #[tokio::test(start_paused = true)]
    async fn with_the_log_in_dynamodb_state_is_at_the_checkpoint_location() {
        let (dynamo, place) = (Dynamo::new(), folder("grouped-dynamodb"));
        let options = FROM_THE_START;
        let mut counting = Counting::with_options(place.to_str().unwrap(), options).await;
        for _ in 0..3 {
            counting.put(20).await;
            let committer = DynamoDbCommitter::over(dynamo.client(), "offsets", "counts");
            let committer = Arc::new(committer.unwrap());
            run(counting.builder().with_committer(committer)).await;
            counting.check("");
        }
        let here = std::fs::read_dir(&place).unwrap();
        let here: Vec<_> = here.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(here, ["state"]);
        std::fs::remove_dir_all(place).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_checkpoint_location_it_is_refused() {
        let (world, dynamo) = (world(1).await, Dynamo::new());
        let committer = DynamoDbCommitter::over(dynamo.client(), "offsets", "counts");
        let query = Lines::default().of(grouped(&world, COUNTS, OutputMode::Update));
        let error = fails(query.with_committer(Arc::new(committer.unwrap()))).await;
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
        assert!(
            error.to_string().contains("streaming.checkpoint_location"),
            "{error}"
        );
    }
}
