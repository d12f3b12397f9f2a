use super::*;
use crate::model::{StreamIdentity, UnixMillis};

const HOUR: Duration = Duration::from_secs(3_600);

fn stream(name: &str, mode: Option<StreamMode>) -> StreamSummary {
    let stream = StreamIdentity::parse(name).unwrap();
    let arn = format!("arn:aws:kinesis:us-east-1:111122223333:stream/{name}");
    StreamSummary {
        mode,
        ..StreamSummary::new(stream, arn, UnixMillis(0))
    }
}

fn provisioned() -> StreamSummary {
    stream("provisioned", Some(StreamMode::Provisioned))
}

fn on_demand() -> StreamSummary {
    stream("on-demand", Some(StreamMode::OnDemand))
}

fn source(stream: &StreamSummary) -> MeteredSource<'_> {
    MeteredSource {
        stream,
        open_shards: 4,
        draining_shards: 0,
        is_pushed: false,
        bytes: 0,
    }
}

fn batch<'a>(sources: &[MeteredSource<'a>]) -> MeteredBatch<'a> {
    MeteredBatch {
        sources: sources.to_vec(),
        puts: Vec::new(),
        requests: BilledRequests::default(),
    }
}

fn meter(now: Instant) -> CostMeter {
    CostMeter::new(PriceList::built_in(), Arc::default(), now)
}

/// The cost of a query that has done nothing but this batch for an hour.
fn cost_of(batch: &MeteredBatch<'_>) -> EstimatedCost {
    let begin = Instant::now();
    meter(begin).committed(batch, begin + HOUR)
}

#[track_caller]
fn assert_dollars(estimated: f64, expected: f64) {
    assert!(
        (estimated - expected).abs() < 1e-9,
        "{estimated} is not {expected}"
    );
}

/// The parts that are not zero.
fn parts(cost: &EstimatedCost) -> Vec<&'static str> {
    let parts = cost.parts().into_iter();
    let parts = parts.filter(|(_, dollars)| *dollars != 0.0);
    parts.map(|(name, _)| name).collect()
}

#[test]
fn a_provisioned_stream_costs_its_open_shards() {
    let stream = provisioned();
    let polled = MeteredSource {
        draining_shards: 2,
        bytes: 1 << 40,
        ..source(&stream)
    };
    let cost = cost_of(&batch(&[polled]));
    // 4 shards at $0.015.
    assert_dollars(cost.shard_hours, 0.06);
    assert_dollars(cost.total, 0.06);
    assert_eq!(parts(&cost), ["shardHours"]);
    assert_eq!(
        cost.note,
        "an estimate from list prices of 2025 (us-east-1)"
    );
    assert_eq!(
        (&*cost.prices_as_of, &*cost.prices_region),
        ("2025", "us-east-1")
    );
}

#[test]
fn retention_beyond_a_day_costs_more() {
    let mut stream = provisioned();
    stream.retention = FREE_RETENTION;
    assert_eq!(parts(&cost_of(&batch(&[source(&stream)]))), ["shardHours"]);
    stream.retention = Duration::from_secs(48 * 3_600);
    let cost = cost_of(&batch(&[source(&stream)]));
    // 4 shards at $0.02 in addition.
    assert_dollars(cost.extended_retention, 0.08);
    assert_dollars(cost.total, 0.14);
}

#[test]
fn an_on_demand_stream_costs_an_hour_and_what_is_read() {
    let stream = on_demand();
    let polled = MeteredSource {
        bytes: 10 << 30,
        ..source(&stream)
    };
    let cost = cost_of(&batch(&[polled]));
    // $0.04 for the stream and 10 GB at $0.04.
    assert_dollars(cost.on_demand_reads, 0.44);
    assert_eq!(parts(&cost), ["onDemandReads"]);
    let pushed = MeteredSource {
        is_pushed: true,
        ..polled
    };
    let cost = cost_of(&batch(&[pushed]));
    // $0.04 for the stream, and 10 GB at $0.05.
    assert_dollars(cost.on_demand_reads, 0.04);
    assert_dollars(cost.fan_out, 0.5);
}

#[test]
fn fan_out_costs_shards_and_bytes() {
    let stream = provisioned();
    let pushed = MeteredSource {
        draining_shards: 1,
        is_pushed: true,
        bytes: 100 << 30,
        ..source(&stream)
    };
    let cost = cost_of(&batch(&[pushed]));
    // 5 shards at $0.015 and 100 GB at $0.013, beside 4 shards at $0.015.
    assert_dollars(cost.fan_out, 0.075 + 1.3);
    assert_dollars(cost.shard_hours, 0.06);
    assert_dollars(cost.total, 1.435);
}

#[test]
fn writing_costs_units_or_kilobytes() {
    let (from, to, elastic) = (provisioned(), provisioned(), on_demand());
    let mut written = batch(&[source(&from)]);
    let puts = |stream| MeteredPuts {
        stream,
        payload_units: 2_000_000,
        kilobytes: 30 << 20,
    };
    written.puts = vec![puts(&to)];
    let cost = cost_of(&written);
    // 2 million units at $0.014.
    assert_dollars(cost.put_payload_units, 0.028);
    assert_dollars(cost.on_demand_writes, 0.0);
    written.puts = vec![puts(&elastic)];
    let cost = cost_of(&written);
    // 30 GB at $0.08. The target's own hour is not the query's.
    assert_dollars(cost.on_demand_writes, 2.4);
    assert_dollars(cost.put_payload_units, 0.0);
    assert_dollars(cost.on_demand_reads, 0.0);
}

#[test]
fn requests_to_a_checkpoint_cost_by_their_kind() {
    let stream = provisioned();
    let mut stored = batch(&[source(&stream)]);
    stored.requests.s3_writes = 7_200;
    stored.requests.s3_reads = 10_000;
    // 7.2 thousand at $0.005, and 10 thousand at $0.0004.
    assert_dollars(cost_of(&stored).checkpoint_requests, 0.04);
    stored.requests = BilledRequests::default();
    stored.requests.dynamodb_write_units = 28_800.0;
    stored.requests.dynamodb_read_units = 4_000.0;
    // 0.0288 million at $0.625, and 0.004 million at $0.125.
    assert_dollars(cost_of(&stored).checkpoint_requests, 0.0185);
}

#[cfg(feature = "cloudwatch")]
#[test]
fn metrics_in_cloudwatch_cost_by_query_and_stream() {
    let published = Arc::<PublishedMetrics>::default();
    let begin = Instant::now();
    let mut meter = CostMeter::new(PriceList::built_in(), Arc::clone(&published), begin);
    let stream = provisioned();
    let batch = batch(&[source(&stream)]);
    assert_dollars(meter.committed(&batch, begin + HOUR).cloud_watch, 0.0);
    published.set(2, 4);
    // 6 metrics at $0.30 for 730 hours.
    let cost = meter.committed(&batch, begin + HOUR);
    assert_dollars(cost.cloud_watch, 1.8 / 730.0);
}

#[test]
fn a_stream_that_is_read_twice_costs_once() {
    let stream = provisioned();
    let cost = cost_of(&batch(&[source(&stream), source(&stream)]));
    assert_dollars(cost.total, 0.06);
}

#[test]
fn a_stream_of_unknown_mode_counts_as_provisioned() {
    let unknown = stream("unknown", None);
    let cost = cost_of(&batch(&[source(&unknown), source(&unknown)]));
    assert_dollars(cost.total, 0.06);
    assert_eq!(cost.assumed_provisioned, [unknown.stream.name().clone()]);
    assert!(
        cost.note
            .ends_with("; counts as provisioned, because its mode is not known: 'unknown'"),
        "{}",
        cost.note
    );
}

#[test]
fn rates_are_those_of_the_last_ten_minutes() {
    let stream = on_demand();
    let begin = Instant::now();
    let mut meter = meter(begin);
    let mut gigabytes_per_hour = |seconds: u64, bytes: u64| {
        let read = MeteredSource {
            bytes,
            ..source(&stream)
        };
        let cost = meter.committed(&batch(&[read]), begin + Duration::from_secs(seconds));
        (cost.on_demand_reads - 0.04) / 0.04
    };
    // Less than a minute counts as one.
    assert_dollars(gigabytes_per_hour(1, 1 << 30), 60.0);
    for second in 2..=600 {
        gigabytes_per_hour(second, 1 << 30);
    }
    assert_dollars(gigabytes_per_hour(600, 0), 3_600.0);
    // Half as much.
    for second in (602..=1_800).step_by(2) {
        gigabytes_per_hour(second, 1 << 30);
    }
    assert_dollars(gigabytes_per_hour(1_800, 0), 1_800.0);
    // Nothing for a day: the window is as long as the pause.
    let after_pause = gigabytes_per_hour(1_800 + 86_400, 24 << 30);
    assert!((0.9..1.1).contains(&after_pause), "{after_pause}");
}

#[test]
fn few_samples_are_kept() {
    let stream = provisioned();
    let begin = Instant::now();
    let mut meter = meter(begin);
    for tenth in 0..20_000 {
        meter.committed(
            &batch(&[source(&stream)]),
            begin + Duration::from_millis(tenth * 100),
        );
    }
    assert!(meter.samples.len() <= 22, "{}", meter.samples.len());
}
