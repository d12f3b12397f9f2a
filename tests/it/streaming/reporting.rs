//! Listeners, progress, status and log messages of a query.

use super::*;
use crate::peers::heard::Heard;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::{
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryProgress, StreamingQueryStarted,
    StreamingQueryTerminated,
};

#[derive(Debug, Default)]
struct RecordingListener(Mutex<Vec<String>>);

impl RecordingListener {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
}

impl StreamingQueryListener for RecordingListener {
    fn on_started(&self, event: &StreamingQueryStarted) {
        self.note(format!("started {}", event.name.as_deref().unwrap_or("?")));
    }

    fn on_progress(&self, progress: &StreamingQueryProgress) {
        self.note(format!(
            "batch {} {}",
            progress.batch_id, progress.num_input_rows
        ));
    }

    fn on_idle(&self, _event: &StreamingQueryIdle) {
        self.note("idle");
    }

    fn on_terminated(&self, event: &StreamingQueryTerminated) {
        self.note(format!("ended {:?}", event.error));
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_receive_all_events_in_order() {
    let world = world(1).await;
    let diary = Arc::new(RecordingListener::default());
    let listener = Arc::<RecordingListener>::clone(&diary);
    let query = Sink::default()
        .of(words(&world))
        .with_name("told")
        .with_listener(listener);
    let query = query.start().await.unwrap();
    assert_eq!(*diary.0.lock().unwrap(), ["started told"]);
    world.put_numbers("words", 3).await;
    query.process_all_available().await.unwrap();
    tokio::time::sleep(Duration::from_secs(25)).await;
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(
        *diary.0.lock().unwrap(),
        [
            "started told",
            "batch 0 3",
            "idle",
            "idle",
            "batch 1 1",
            "ended None"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn progress_reports_what_was_read() {
    let world = world(2).await;
    let query = Sink::default()
        .of(words(&world))
        .with_seed(7)
        .start()
        .await
        .unwrap();
    world.put_numbers("words", 10).await;
    query.process_all_available().await.unwrap();
    for n in 0..5 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    query.process_all_available().await.unwrap();
    let [first, .., last] = &query.recent_progress()[..] else {
        panic!("expected at least two batches");
    };
    assert_eq!(
        (first.id.as_str(), first.run_id.as_str()),
        (query.id(), query.run_id())
    );
    assert_eq!(first.sources[0].description, "Kinesis[words]");
    assert_eq!(first.sources[0].end_offset.as_ref().unwrap().len(), 2);
    assert_eq!(last.sources[0].metrics.open_shards, 2);
    assert_eq!(last.sink.description, "ForeachBatch");
    assert!(last.durations.contains_key("walCommit") && last.durations.contains_key("addBatch"));
    let read: u64 = query
        .recent_progress()
        .iter()
        .map(|batch| batch.num_input_rows)
        .sum();
    assert_eq!(read, 15);
    let json = last.to_json();
    assert!(
        json.starts_with(&format!(r#"{{"id":"{}""#, query.id())),
        "{json}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_query_runs_no_batch() {
    let world = world(2).await;
    let query = Sink::default().of(words(&world)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(query.recent_progress().is_empty());
    assert_eq!(query.status().message, "Waiting for data to arrive");
    assert!(!query.status().is_data_available);
    query.stop().await.unwrap();
    assert_eq!(query.status().message, "Stopped");
}

#[tokio::test(start_paused = true)]
async fn an_idle_query_logs_a_message_every_five_minutes() {
    for trigger in [
        Trigger::AsFastAsPossible,
        Trigger::ProcessingTime(Duration::from_secs(7)),
    ] {
        let (heard, _guard) = Heard::listen_to(tracing::Level::INFO);
        let world = world(2).await;
        let query = Sink::default().of(words(&world)).with_name("quiet");
        let query = query.with_trigger(trigger).start().await.unwrap();
        let beats = || heard.with(&["waiting: there was nothing to read", "query 'quiet'"]);
        tokio::time::sleep(Duration::from_secs(290)).await;
        assert_eq!(beats(), [""; 0]);
        tokio::time::sleep(Duration::from_secs(3_400)).await;
        let told = beats();
        assert!((11..=12).contains(&told.len()), "{trigger:?}: {told:#?}");
        for part in ["idle=30", "shards=2", "behind=0ns", "read_to="] {
            assert!(told[0].contains(part), "{part}: {}", told[0]);
        }
        // A batch restarts the interval.
        world.put("words", "k", "1").await;
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(290)).await;
        assert_eq!(beats().len(), told.len());
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn session_settings_apply_unless_the_builder_overrides_them() {
    let world = world(1).await;
    world.put("words", "k", "1").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    world.run("SET streaming.trigger = 'available now'").await;
    world
        .run("SET streaming.query_name = 'from the session'")
        .await;
    let sink = Sink::default();
    let query = sink.of(words(&world)).start().await.unwrap();
    assert_eq!(query.name(), Some("from the session"));
    query.await_termination().await.unwrap();
    assert_eq!(sink.numbers(), [1]);
    let query = sink
        .of(words(&world))
        .with_trigger(Trigger::AsFastAsPossible)
        .with_name("mine");
    let query = query.start().await.unwrap();
    assert_eq!(query.name(), Some("mine"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(query.is_active());
}
