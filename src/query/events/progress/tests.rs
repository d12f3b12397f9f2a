use super::*;
use crate::model::{SequenceNumber, ShardId, ShardPosition, StreamName};
use crate::options::ConsumerType;
use crate::query::health::{Alarm, HealthRates, HealthReason, HealthState};

fn offsets(sequence: &str) -> Option<Arc<Offsets>> {
    let after = ShardPosition::After {
        sequence: SequenceNumber::new(sequence).unwrap(),
        sub_sequence: Some(4),
    };
    Some(Arc::new(Offsets::from([
        (
            ShardId::new("shardId-000000000000"),
            ShardPosition::ShardEnd,
        ),
        (ShardId::new("shardId-000000000001"), after),
    ])))
}

/// The progress of a batch with end positions of `count` shards.
pub(in crate::query) fn progress_of_shards(count: usize) -> StreamingQueryProgress {
    let shard = |number| ShardId::new(format!("shardId-{number:012}"));
    let ends = (0..count).map(|number| (shard(number), ShardPosition::ShardEnd));
    let mut progress = some_progress();
    progress.sources[0].end_offset = Some(Arc::new(ends.collect()));
    progress.sources[0].latest_offset = None;
    progress
}

fn some_progress() -> StreamingQueryProgress {
    let millis = Duration::from_millis;
    let source = SourceProgress {
        description: "Kinesis[words]".to_owned(),
        stream: StreamName::new("words").unwrap(),
        start_offset: None,
        end_offset: offsets("7"),
        latest_offset: offsets("9"),
        num_input_rows: 1_234,
        num_input_bytes: 98_765,
        record_ages: None,
        input_rows_per_second: 1_234.25,
        processed_rows_per_second: 35_257.1,
        payload: None,
        metrics: KinesisMetrics {
            max_behind_latest: Some(millis(1_500)),
            avg_behind_latest: Some(millis(750)),
            min_behind_latest: Some(millis(0)),
            open_shards: 2,
            consumer_type: ConsumerType::SubscribeToShard,
            get_records_latency: LatencyHistogram::default(),
            draining_shards: 1,
            prefetched_bytes: 4_096,
            throttled_calls: 3,
            iterator_renewals: 5,
            retries: 6,
            losses: 1_002,
        },
    };
    StreamingQueryProgress {
        id: "ce011fdc-8762-4dcb-84eb-a77333e28109".to_owned(),
        run_id: "88e2ff94-ede0-45a8-b687-6316fbef529a".to_owned(),
        name: Some("a \"name\"".to_owned()),
        timestamp: UnixMillis(1_700_000_000_000),
        batch_id: BatchId(12),
        batch_duration: millis(35),
        num_input_rows: 1_234,
        input_rows_per_second: 1_234.25,
        processed_rows_per_second: 35_257.142,
        durations: BTreeMap::from([("walCommit", millis(2)), ("addBatch", millis(20))]),
        event_time: None,
        state_operator: None,
        sources: vec![source],
        sink: SinkProgress {
            description: "KinesisSink[word_counts]".to_owned(),
            num_output_rows: Some(17),
            metrics: Some(KinesisSinkMetrics {
                rows: 17,
                records: 2,
                bytes: 300,
                calls: 1,
                ..KinesisSinkMetrics::default()
            }),
        },
        outputs: Vec::new(),
        processing_time: millis(33),
        scheduling_delay: millis(2),
        total_delay: millis(35),
        health: some_health(),
        estimated_cost: some_cost(),
    }
}

fn some_cost() -> EstimatedCost {
    EstimatedCost {
        total: 0.065,
        shard_hours: 0.06,
        checkpoint_requests: 0.005,
        prices_as_of: "2025".to_owned(),
        prices_region: "us-east-1".to_owned(),
        note: "an estimate".to_owned(),
        ..EstimatedCost::default()
    }
}

fn some_health() -> QueryHealth {
    QueryHealth {
        state: HealthState::Unhealthy,
        reasons: vec![HealthReason {
            alarm: Alarm::ErrorRate,
            message: "9 of 100".to_owned(),
        }],
        rates: HealthRates {
            processing_lag: Some(Duration::from_millis(1_535)),
            error_rate: Some(0.09),
            throttle_rate: Some(0.03),
            checkpoint_success_rate: None,
            recoveries: 1,
            recoveries_per_hour: 0.25,
        },
    }
}

#[test]
fn the_json_has_sparks_fields_in_sparks_order() {
    let expected = concat!(
        r#"{"id":"ce011fdc-8762-4dcb-84eb-a77333e28109","#,
        r#""runId":"88e2ff94-ede0-45a8-b687-6316fbef529a","#,
        r#""name":"a \"name\"","#,
        r#""timestamp":"2023-11-14T22:13:20.000Z","#,
        r#""batchId":12,"batchDuration":35,"numInputRows":1234,"#,
        r#""inputRowsPerSecond":1234.3,"processedRowsPerSecond":35257.1,"#,
        r#""durationMs":{"addBatch":20,"walCommit":2},"#,
        r#""stateOperators":[],"#,
        r#""sources":[{"description":"Kinesis[words]","startOffset":null,"#,
        r#""endOffset":{"shardId-000000000000":"SHARD_END","#,
        r#""shardId-000000000001":"AFTER 7.4"},"#,
        r#""latestOffset":{"shardId-000000000000":"SHARD_END","#,
        r#""shardId-000000000001":"AFTER 9.4"},"#,
        r#""numInputRows":1234,"inputRowsPerSecond":1234.3,"processedRowsPerSecond":35257.1,"#,
        r#""metrics":{"avgMsBehindLatest":"750","consumerType":"SubscribeToShard","dataLosses":"1002","drainingShards":"1","getRecordsCalls":"0","inputBytes":"98765","iteratorRenewals":"5","#,
        r#""maxMsBehindLatest":"1500","minMsBehindLatest":"0","openShards":"2","#,
        r#""prefetchedBytes":"4096","retries":"6","throttledCalls":"3"}}],"#,
        r#""sink":{"description":"KinesisSink[word_counts]","numOutputRows":17,"metrics":{"bytes":"300","calls":"1","records":"2","resentRecords":"0","rows":"17","throttledRecords":"0"}},"#,
        r#""processingTime":33,"schedulingDelay":2,"totalDelay":35,"#,
        r#""health":{"state":"unhealthy","reasons":[{"alarm":"errorRate","message":"9 of 100"}],"#,
        r#""processingLagMs":1535,"errorRate":0.0900,"throttleRate":0.0300,"recoveries":1,"recoveriesPerHour":0.3},"#,
        r#""estimatedCostPerHour":{"currency":"USD","total":0.065000,"shardHours":0.060000,"#,
        r#""extendedRetention":0.000000,"onDemandReads":0.000000,"fanOut":0.000000,"putPayloadUnits":0.000000,"#,
        r#""onDemandWrites":0.000000,"checkpointRequests":0.005000,"cloudWatch":0.000000,"#,
        r#""pricesAsOf":"2025","pricesRegion":"us-east-1","note":"an estimate"}}"#,
    );
    assert_eq!(some_progress().to_json(), expected);
}

#[test]
fn numbers_that_are_not_finite_and_empty_values_are_left_out() {
    let mut progress = some_progress();
    progress.name = None;
    progress.input_rows_per_second = rate(5, None);
    progress.processed_rows_per_second = rate(5, Some(Duration::ZERO));
    progress.durations.clear();
    progress.sources.clear();
    progress.sink.num_output_rows = None;
    progress.sink.metrics = None;
    progress.health = QueryHealth::default();
    progress.estimated_cost = EstimatedCost::default();
    let expected = concat!(
        r#"{"id":"ce011fdc-8762-4dcb-84eb-a77333e28109","#,
        r#""runId":"88e2ff94-ede0-45a8-b687-6316fbef529a","#,
        r#""name":null,"timestamp":"2023-11-14T22:13:20.000Z","#,
        r#""batchId":12,"batchDuration":35,"numInputRows":1234,"#,
        r#""stateOperators":[],"sources":[],"#,
        r#""sink":{"description":"KinesisSink[word_counts]","numOutputRows":-1},"#,
        r#""processingTime":33,"schedulingDelay":2,"totalDelay":35,"#,
        r#""health":{"state":"healthy","reasons":[],"recoveries":0,"recoveriesPerHour":0.0},"#,
        r#""estimatedCostPerHour":{"currency":"USD","total":0.000000,"shardHours":0.000000,"#,
        r#""extendedRetention":0.000000,"onDemandReads":0.000000,"fanOut":0.000000,"putPayloadUnits":0.000000,"#,
        r#""onDemandWrites":0.000000,"checkpointRequests":0.000000,"cloudWatch":0.000000,"#,
        r#""pricesAsOf":"","pricesRegion":"","note":""}}"#,
    );
    assert_eq!(progress.to_json(), expected);
}

#[test]
fn the_files_of_a_state_are_custom_metrics_of_its_operator() {
    let mut progress = some_progress();
    for (snapshot_batch, expected) in [
        (None, r#""deltaBytes":70,"deltaFiles":3,"snapshotBytes":0"#),
        (
            Some(BatchId(9)),
            r#""deltaBytes":70,"deltaFiles":3,"snapshotBatch":9,"snapshotBytes":0"#,
        ),
    ] {
        progress.state_operator = Some(StateOperatorProgress {
            files: Some(StateFilesProgress {
                snapshot_batch,
                delta_files: 3,
                delta_bytes: 70,
                ..StateFilesProgress::default()
            }),
            ..StateOperatorProgress::default()
        });
        let expected = format!(
            r#""numStateStoreInstances":0,"customMetrics":{{{expected},"snapshotFiles":0}}}}]"#
        );
        let json = progress.to_json();
        assert!(json.contains(&expected), "{json}");
    }
    progress.state_operator = Some(StateOperatorProgress::default());
    assert!(!progress.to_json().contains("customMetrics"));
}

#[test]
fn rates_are_rounded_half_up() {
    let mut progress = some_progress();
    for (rate, expected) in [
        (0.0, "0.0"),
        (0.05, "0.1"),
        (0.25, "0.3"),
        (8.95, "9.0"),
        (35_257.14, "35257.1"),
        (120.0, "120.0"),
    ] {
        progress.input_rows_per_second = rate;
        let field = format!(",\"inputRowsPerSecond\":{expected},\"processed");
        assert!(progress.to_json().contains(&field), "{rate}");
    }
}

#[test]
fn the_lag_of_a_source_that_was_not_read_yet_is_left_out() {
    let mut progress = some_progress();
    progress.sources[0].metrics = KinesisMetrics::default();
    let json = progress.to_json();
    assert!(
        json.contains(
            r#""metrics":{"consumerType":"GetRecords","dataLosses":"0","drainingShards":"0","#
        ),
        "{json}"
    );
    assert!(!json.contains("BehindLatest"), "{json}");
    assert!(progress.to_string().ends_with(" rows/s"), "{progress}");
}

#[test]
fn display_is_a_one_line_summary() {
    let mut progress = some_progress();
    let line = "batch 12: 1,234 rows in 35 ms, 35,257 rows/s, 1,500 ms behind, 1,002 data losses";
    assert_eq!(progress.to_string(), line);
    progress.sources[0].metrics.losses = 0;
    assert_eq!(
        progress.to_string(),
        "batch 12: 1,234 rows in 35 ms, 35,257 rows/s, 1,500 ms behind"
    );
    progress.num_input_rows = 1;
    progress.batch_duration = Duration::from_secs(1_000);
    progress.processed_rows_per_second = 0.001;
    progress.sources[0].metrics.max_behind_latest = Some(Duration::ZERO);
    assert_eq!(
        progress.to_string(),
        "batch 12: 1 row in 1,000,000 ms, 0 rows/s, 0 ms behind"
    );
    progress.num_input_rows = 0;
    progress.processed_rows_per_second = f64::NAN;
    assert_eq!(
        progress.to_string(),
        "batch 12: 0 rows in 1,000,000 ms, 0 ms behind"
    );
}

#[test]
fn a_rate_is_rows_over_seconds() {
    assert_eq!(rate(10, Some(Duration::from_millis(500))), 20.0);
    assert!(rate(10, None).is_nan());
    assert!(rate(10, Some(Duration::ZERO)).is_infinite());
}
