//! The queries of a session, and what can be seen of them from outside.

use super::*;
use datafusion_kinesis::model::{HashKey, ShardId, ShardPosition, StreamIdentity, StreamName};
use datafusion_kinesis::query::{
    PlanNode, QueryEnd, ShardStage, StreamingQueries, StreamingQueryListener,
    StreamingQueryStarted, StreamingQueryTerminated,
};

fn names(node: &PlanNode, into: &mut Vec<String>) {
    into.push(node.name.clone());
    for child in &node.children {
        names(child, into);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_knows_its_queries_until_after_their_end() {
    let world = world(2).await;
    let queries = StreamingQueries::of(&world.ctx);
    assert!(queries.active().is_empty());
    assert!(queries.await_any_termination().await.is_none());
    queries.keep_plans();
    let query = Sink::default().of(words(&world)).with_name("seen").start();
    let query = query.await.unwrap();
    for text in ["seen", query.id(), query.run_id()] {
        assert_eq!(queries.get(text).unwrap().run_id(), query.run_id());
    }
    assert!(queries.get("unseen").is_none());
    world.put_numbers("words", 10).await;
    query.process_all_available().await.unwrap();

    let [observed] = &queries.observed()[..] else {
        panic!("one query was started");
    };
    assert_eq!(observed.name(), Some("seen"));
    assert!(observed.description().statement.contains("words"));
    assert_eq!(observed.description().sources[0].stream.as_str(), "words");
    let batch = observed.last_progress().unwrap().batch_id;
    let mut nodes = Vec::new();
    let plan = observed.plan(batch).unwrap();
    names(&plan, &mut nodes);
    assert!(nodes.contains(&"KinesisReadExec".to_owned()), "{nodes:?}");
    let [source] = &observed.shards()[..] else {
        panic!("the query reads one stream");
    };
    assert_eq!(source.shards.len(), 2);
    for shard in &source.shards {
        assert_eq!(shard.stage, ShardStage::AtTip);
        assert_eq!(shard.lag, Some(Duration::ZERO));
        assert_eq!(shard.taken_position, shard.read_position);
        assert!(shard.hash_range.is_some());
    }
    let [readers] = &observed.readers()[..] else {
        panic!("the query reads one stream");
    };
    assert_eq!(readers.stream.as_str(), "words");
    assert_eq!(readers.metrics.open_shards, 2);
    assert_eq!(readers.metrics.max_behind_latest, Some(Duration::ZERO));
    let rows: u64 = source.shards.iter().map(|shard| shard.last_rows).sum();
    assert_eq!(rows, observed.last_progress().unwrap().num_input_rows);

    let (ended, stopped) = tokio::join!(queries.await_any_termination(), query.stop());
    stopped.unwrap();
    assert_eq!(ended.unwrap().end(), Some(QueryEnd::Stopped));
    assert!(queries.active().is_empty());
    assert!(observed.ended_at() >= Some(observed.description().started_at));
    assert!(observed.shards()[0].shards.is_empty());
    assert!(observed.readers().is_empty());
}

/// Names the queries whose events it receives.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn add(&self, event: &str, name: Option<&str>) {
        let text = format!("{} {event}", name.unwrap_or("?"));
        self.0.lock().unwrap().push(text);
    }
}

impl StreamingQueryListener for Heard {
    fn on_started(&self, event: &StreamingQueryStarted) {
        self.add("starts", event.name.as_deref());
    }

    fn on_terminated(&self, event: &StreamingQueryTerminated) {
        self.add("ends", event.name.as_deref());
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_of_the_session_hears_all_queries_that_start_later() {
    let world = world(1).await;
    let start = |name: &'static str| Sink::default().of(words(&world)).with_name(name).start();
    let before = start("before").await.unwrap();
    let heard = Arc::new(Heard::default());
    StreamingQueries::of(&world.ctx).add_listener(Arc::<Heard>::clone(&heard));
    let (one, two) = (start("one").await.unwrap(), start("two").await.unwrap());
    for query in [before, one, two] {
        query.stop().await.unwrap();
    }
    let heard = heard.0.lock().unwrap();
    assert_eq!(*heard, ["one starts", "two starts", "one ends", "two ends"]);
}

#[tokio::test(start_paused = true)]
async fn looking_at_a_query_does_not_keep_it_alive() {
    let world = world(1).await;
    let query = Sink::default().of(words(&world)).start().await.unwrap();
    let observed = StreamingQueries::of(&world.ctx).observed().remove(0);
    assert!(observed.is_active() && observed.query().is_some());
    drop(query);
    assert!(!observed.is_active() && observed.query().is_none());
    assert_eq!(observed.end(), Some(QueryEnd::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_shards_show_a_split_and_who_waits() {
    let world = world(1).await;
    let query = Sink::default().of(words(&world)).start().await.unwrap();
    world.put_numbers("words", 3).await;
    query.process_all_available().await.unwrap();
    let stream = StreamIdentity::named(StreamName::new("words").unwrap());
    let parent = ShardId::new("shardId-000000000000");
    let split = world
        .kinesis
        .split_shard(&stream, &parent, HashKey(1 << 127));
    split.await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    query.process_all_available().await.unwrap();
    let observed = StreamingQueries::of(&world.ctx).observed().remove(0);
    let shards = observed.shards().remove(0).shards;
    let stages: Vec<_> = shards.iter().map(|shard| shard.stage).collect();
    use ShardStage::{AtTip, Ended};
    assert_eq!(stages, [Ended, AtTip, AtTip]);
    assert!(shards[0].is_closed && !shards[1].is_closed);
    assert_eq!(shards[0].read_position, ShardPosition::ShardEnd);
    for child in &shards[1..] {
        assert_eq!(child.parents, std::slice::from_ref(&parent));
    }
    query.stop().await.unwrap();
}
