//! Formats progress as Spark's JSON, with its fields in its order, which a `serde_json` map would not keep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use serde_json::Value;

use super::{
    EventTimeProgress, KinesisSinkMetrics, OutputProgress, SinkProgress, SourceProgress,
    StateOperatorProgress, StreamingQueryProgress,
};
use crate::model::{Offsets, UnixMillis};
use crate::query::cost::EstimatedCost;
use crate::query::health::QueryHealth;
use crate::state::StateFilesProgress;

/// A JSON object whose fields keep the order in which they are added.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a field with a JSON value.
    fn raw(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_quoted(&mut self.0, name);
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    fn text(mut self, name: &str, text: &str) -> Self {
        self = self.raw(name, "");
        push_quoted(&mut self.0, text);
        self
    }

    fn number(self, name: &str, number: impl Into<u128>) -> Self {
        self.raw(name, &number.into().to_string())
    }

    fn millis(self, name: &str, span: Duration) -> Self {
        self.number(name, span.as_millis())
    }

    /// Adds a number with one decimal, rounded half up. A number that is not finite is left out.
    fn rate(self, name: &str, rate: f64) -> Self {
        if rate.is_finite() {
            self.raw(name, &format!("{:.1}", (rate * 10.0).round() / 10.0))
        } else {
            self
        }
    }

    /// Adds a share with four decimals, if it is known.
    fn share(self, name: &str, share: Option<f64>) -> Self {
        match share {
            Some(share) => self.raw(name, &format!("{share:.4}")),
            None => self,
        }
    }

    /// Adds an object unless it is empty.
    fn map(self, name: &str, map: Self) -> Self {
        if map.0.len() > 1 {
            self.raw(name, &map.finish())
        } else {
            self
        }
    }

    /// Adds a list of JSON values unless it is empty.
    fn list(self, name: &str, values: impl Iterator<Item = String>) -> Self {
        let values: Vec<String> = values.collect();
        match values.is_empty() {
            true => self,
            false => self.raw(name, &format!("[{}]", values.join(","))),
        }
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    push_quoted(&mut json, text);
    json
}

/// Adds text as JSON. That of positions, of which a query over many shards has thousands, needs no escapes.
fn push_quoted(json: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&Value::from(text).to_string());
    }
}

pub(super) fn progress(progress: &StreamingQueryProgress) -> String {
    let name = progress.name.as_deref();
    let durations = progress.durations.iter();
    let sources: Vec<String> = progress.sources.iter().map(source).collect();
    Object::new()
        .text("id", &progress.id)
        .text("runId", &progress.run_id)
        .raw("name", &name.map_or("null".to_owned(), quoted))
        .text("timestamp", &timestamp(progress.timestamp))
        .number("batchId", progress.batch_id.0)
        .millis("batchDuration", progress.batch_duration)
        .number("numInputRows", progress.num_input_rows)
        .rate("inputRowsPerSecond", progress.input_rows_per_second)
        .rate("processedRowsPerSecond", progress.processed_rows_per_second)
        .map(
            "durationMs",
            durations.fold(Object::new(), |map, (step, span)| map.millis(step, *span)),
        )
        .map("eventTime", event_time(progress.event_time.as_ref()))
        .raw("stateOperators", &state_operators(progress))
        .raw("sources", &format!("[{}]", sources.join(",")))
        .raw("sink", &sink(&progress.sink).finish())
        .list("outputs", progress.outputs.iter().map(output))
        .millis("processingTime", progress.processing_time)
        .millis("schedulingDelay", progress.scheduling_delay)
        .millis("totalDelay", progress.total_delay)
        .map("health", health(&progress.health))
        .map("estimatedCostPerHour", cost(&progress.estimated_cost))
        .finish()
}

fn health(health: &QueryHealth) -> Object {
    let reasons = health.reasons.iter().map(|reason| {
        let alarm = Object::new().text("alarm", &reason.alarm.to_string());
        alarm.text("message", &reason.message).finish()
    });
    let reasons: Vec<String> = reasons.collect();
    let rates = &health.rates;
    let lag = |object: Object| match rates.processing_lag {
        Some(lag) => object.millis("processingLagMs", lag),
        None => object,
    };
    let object = Object::new()
        .text("state", &health.state.to_string())
        .raw("reasons", &format!("[{}]", reasons.join(",")));
    lag(object)
        .share("errorRate", rates.error_rate)
        .share("throttleRate", rates.throttle_rate)
        .share("checkpointSuccessRate", rates.checkpoint_success_rate)
        .number("recoveries", rates.recoveries)
        .rate("recoveriesPerHour", rates.recoveries_per_hour)
}

/// Dollars with six decimals.
fn cost(cost: &EstimatedCost) -> Object {
    let dollars = |dollars: f64| format!("{dollars:.6}");
    let object = Object::new()
        .text("currency", EstimatedCost::CURRENCY)
        .raw("total", &dollars(cost.total));
    let parts = cost.parts().into_iter();
    parts
        .fold(object, |object, (name, part)| {
            object.raw(name, &dollars(part))
        })
        .text("pricesAsOf", &cost.prices_as_of)
        .text("pricesRegion", &cost.prices_region)
        .text("note", &cost.note)
}

fn event_time(times: Option<&EventTimeProgress>) -> Object {
    let Some(times) = times else {
        return Object::new();
    };
    let named = [
        ("max", times.max),
        ("min", times.min),
        ("watermark", times.watermark),
    ];
    let known = named
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?)));
    known.fold(Object::new(), |map, (name, time)| {
        map.text(name, &timestamp(time))
    })
}

/// That of the statement, or those of the statements of a set.
fn state_operators(progress: &StreamingQueryProgress) -> String {
    let operators: Vec<String> = match progress.outputs.as_slice() {
        [] => progress.state_operator.iter().map(state_operator).collect(),
        outputs => outputs.iter().filter_map(operator_of_output).collect(),
    };
    format!("[{}]", operators.join(","))
}

fn operator_of_output(output: &OutputProgress) -> Option<String> {
    let state = output.state_operator.as_ref()?;
    Some(operator(state).text("output", &output.name).finish())
}

fn state_operator(state: &StateOperatorProgress) -> String {
    operator(state).finish()
}

fn operator(state: &StateOperatorProgress) -> Object {
    let partitions = state.partitions as u128;
    Object::new()
        .text("operatorName", "stateStoreSave")
        .number("numRowsTotal", state.rows_total)
        .number("numRowsUpdated", state.rows_updated)
        .number("numRowsRemoved", state.rows_removed)
        .millis("commitTimeMs", state.commit_time)
        .number("memoryUsedBytes", state.memory_bytes as u128)
        .number("numRowsDroppedByWatermark", state.rows_dropped_by_watermark)
        .number("numShufflePartitions", partitions)
        .number("numStateStoreInstances", partitions)
        .map("customMetrics", state_files(state.files.as_ref()))
}

/// What a statement of a set wrote, and its event times.
fn output(output: &OutputProgress) -> String {
    let object = Object::new().text("name", &output.name);
    object
        .raw("sink", &sink(&output.sink).finish())
        .map("eventTime", event_time(output.event_time.as_ref()))
        .finish()
}

/// Sorted names with numbers, as in Spark.
fn state_files(files: Option<&StateFilesProgress>) -> Object {
    let Some(files) = files else {
        return Object::new();
    };
    let object = Object::new()
        .number("deltaBytes", files.delta_bytes as u128)
        .number("deltaFiles", files.delta_files as u128);
    let object = match files.snapshot_batch {
        None => object,
        Some(batch) => object.number("snapshotBatch", batch.0),
    };
    object
        .number("snapshotBytes", files.snapshot_bytes as u128)
        .number("snapshotFiles", files.snapshot_files as u128)
}

fn source(source: &SourceProgress) -> String {
    let offsets = |offsets: &Option<Arc<Offsets>>| match offsets {
        Some(offsets) => positions(offsets),
        None => "null".to_owned(),
    };
    Object::new()
        .text("description", &source.description)
        .raw("startOffset", &offsets(&source.start_offset))
        .raw("endOffset", &offsets(&source.end_offset))
        .raw("latestOffset", &offsets(&source.latest_offset))
        .number("numInputRows", source.num_input_rows)
        .rate("inputRowsPerSecond", source.input_rows_per_second)
        .rate("processedRowsPerSecond", source.processed_rows_per_second)
        .map("metrics", metrics(source))
        .finish()
}

fn positions(offsets: &Offsets) -> String {
    let shards = offsets.iter();
    shards
        .fold(Object::new(), |map, (shard, position)| {
            map.text(shard.as_str(), &position.to_string())
        })
        .finish()
}

/// Sorted names with values as text, as in Spark.
fn metrics(source: &SourceProgress) -> Object {
    let metrics = &source.metrics;
    let calls = &metrics.get_records_latency;
    let mut named: BTreeMap<&str, String> = BTreeMap::from([
        ("consumerType", metrics.consumer_type.name().to_owned()),
        ("dataLosses", metrics.losses.to_string()),
        ("drainingShards", metrics.draining_shards.to_string()),
        ("getRecordsCalls", calls.count().to_string()),
        ("inputBytes", source.num_input_bytes.to_string()),
        ("iteratorRenewals", metrics.iterator_renewals.to_string()),
        ("openShards", metrics.open_shards.to_string()),
        ("prefetchedBytes", metrics.prefetched_bytes.to_string()),
        ("retries", metrics.retries.to_string()),
        ("throttledCalls", metrics.throttled_calls.to_string()),
    ]);
    let ages = source.record_ages.as_ref();
    let spans = [
        ("avgMsBehindLatest", metrics.avg_behind_latest),
        ("maxMsBehindLatest", metrics.max_behind_latest),
        ("meanGetRecordsMs", calls.mean()),
        ("minMsBehindLatest", metrics.min_behind_latest),
        ("avgRecordAgeMs", ages.map(|ages| ages.avg)),
        ("maxRecordAgeMs", ages.map(|ages| ages.max)),
        ("minRecordAgeMs", ages.map(|ages| ages.min)),
    ];
    let known = spans
        .into_iter()
        .filter_map(|(name, span)| Some((name, span?)));
    named.extend(known.map(|(name, span)| (name, span.as_millis().to_string())));
    if let Some(payload) = &source.payload {
        named.extend([
            ("badDocuments", payload.bad_documents.to_string()),
            ("skippedDocuments", payload.skipped_documents.to_string()),
            ("typeMismatches", payload.type_mismatches.to_string()),
        ]);
    }
    let named = named.iter();
    named.fold(Object::new(), |map, (name, value)| map.text(name, value))
}

fn sink(sink: &SinkProgress) -> Object {
    let rows = sink.num_output_rows;
    let rows = rows.map_or("-1".to_owned(), |rows| rows.to_string());
    let object = Object::new()
        .text("description", &sink.description)
        .raw("numOutputRows", &rows);
    match &sink.metrics {
        None => object,
        Some(metrics) => object.raw("metrics", &sink_metrics(metrics)),
    }
}

/// Sorted names with values as text, as in Spark.
fn sink_metrics(metrics: &KinesisSinkMetrics) -> String {
    let mean = metrics.put_latency.mean();
    let object = Object::new()
        .text("bytes", &metrics.bytes.to_string())
        .text("calls", &metrics.calls.to_string());
    let object = match mean {
        None => object,
        Some(mean) => object.text("meanPutMs", &mean.as_millis().to_string()),
    };
    object
        .text("records", &metrics.records.to_string())
        .text("resentRecords", &metrics.resent_records.to_string())
        .text("rows", &metrics.rows.to_string())
        .text("throttledRecords", &metrics.throttled_records.to_string())
        .finish()
}

/// A timestamp with milliseconds, as in Spark.
fn timestamp(time: UnixMillis) -> String {
    match DateTime::from_timestamp_millis(time.0) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => time.to_string(),
    }
}
