//! A simulator with streams as unbounded tables, and static tables.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::error::Result;
use crate::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry, TokioClock};
use crate::model::{
    Clock, OutputMode, ShardId, ShardPosition, StreamIdentity, StreamName, UnixMillis,
};
use crate::query::plan::StreamingPlan;
use crate::source::{BatchReads, ShardRead, Until};
use crate::sql::{StreamingSettings, logical_plan};
use crate::table::Services;
use crate::{register_with, sql};

pub(in crate::query) struct World {
    kinesis: Arc<InMemoryKinesis>,
    clock: Arc<dyn Clock>,
    pub(in crate::query) ctx: SessionContext,
}

impl World {
    /// Unbounded tables `words` and `clicks` with one shard each, a bounded table `bounded` over the stream
    /// `words`, a stream `sink`, a view `w`, and a static table `names`.
    pub(in crate::query) async fn new() -> Self {
        let clock: Arc<dyn Clock> =
            Arc::new(TokioClock::starting_at(UnixMillis(1_700_000_000_000)));
        let kinesis = InMemoryKinesis::new(Arc::clone(&clock), InMemoryOptions::default());
        let kinesis = Arc::new(kinesis);
        let ctx = SessionContext::new();
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&kinesis);
        let services = Services::fixed(service).with_clock(Arc::clone(&clock));
        register_with(&ctx, services);
        let world = Self {
            kinesis,
            clock,
            ctx,
        };
        for stream in ["words", "clicks", "sink"] {
            let stream = StreamName::new(stream).unwrap();
            world.kinesis.create_stream(&stream, 1).await.unwrap();
        }
        let table = "EXTERNAL TABLE {} STORED AS \"aws-kinesis\" LOCATION";
        let options = "OPTIONS ('kinesis.extraColumns' 'shardId')";
        for statement in [
            format!(
                "CREATE UNBOUNDED {} 'words' {options}",
                table.replace("{}", "words")
            ),
            format!(
                "CREATE UNBOUNDED {} 'clicks' {options}",
                table.replace("{}", "clicks")
            ),
            format!("CREATE {} 'words'", table.replace("{}", "bounded")),
            format!("CREATE {} 'sink'", table.replace("{}", "sink")),
            "CREATE VIEW w AS SELECT *, CAST(data AS VARCHAR) AS word FROM words".into(),
            "CREATE TABLE names AS SELECT * FROM
             (VALUES ('a', 'Ada'), ('b', 'Bob'), ('c', 'Cy')) AS v (key, name)"
                .into(),
        ] {
            world.run(&statement).await;
        }
        world
    }

    pub(in crate::query) async fn run(&self, text: &str) {
        let frame = sql(&self.ctx, text).await.unwrap();
        frame.collect().await.unwrap();
    }

    pub(in crate::query) async fn streaming(&self, sql: &str) -> Result<StreamingPlan> {
        self.streaming_in(sql, OutputMode::Append).await
    }

    pub(in crate::query) async fn streaming_in(
        &self,
        sql: &str,
        mode: OutputMode,
    ) -> Result<StreamingPlan> {
        let settings = StreamingSettings {
            output_mode: mode,
            ..StreamingSettings::default()
        };
        self.streaming_with(sql, &settings).await
    }

    pub(in crate::query) async fn streaming_with(
        &self,
        sql: &str,
        settings: &StreamingSettings,
    ) -> Result<StreamingPlan> {
        let plan = logical_plan(&self.ctx, sql).await.unwrap();
        StreamingPlan::new(&self.ctx.state(), plan, settings)
    }

    /// Puts a record with `text` as partition key and data.
    pub(in crate::query) async fn put(&self, stream: &str, text: &str) {
        let stream = StreamIdentity::parse(stream).unwrap();
        let entry = PutEntry {
            data: text.to_owned().into(),
            partition_key: text.into(),
            explicit_hash_key: None,
        };
        let outcomes = self.kinesis.put_records(&stream, &[entry]).await.unwrap();
        outcomes
            .into_iter()
            .for_each(|outcome| drop(outcome.unwrap()));
    }

    /// Reads of everything in the single shard of a stream.
    pub(in crate::query) fn all(&self) -> Arc<BatchReads> {
        Arc::new(BatchReads {
            reads: vec![ShardRead {
                shard: ShardId::new("shardId-000000000000"),
                hash_range: None,
                start: ShardPosition::TrimHorizon,
                until: Until::Tip(self.clock.now()),
                limit: None,
                rows: None,
                number: 0,
            }],
            ..BatchReads::default()
        })
    }
}
