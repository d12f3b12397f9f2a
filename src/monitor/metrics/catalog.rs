//! All metrics: names, units, labels, help texts.

use std::time::Duration;

/// What all names start with.
pub(crate) const PREFIX: &str = "datafusion_kinesis";

/// How the values of a metric behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only increases while the process runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

/// The base unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A number of things, which the name says.
    Count,
    Seconds,
    Bytes,
    RowsPerSecond,
    DollarsPerHour,
}

impl Unit {
    /// The end of the name.
    pub(crate) fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Count => None,
            Self::Seconds => Some("seconds"),
            Self::Bytes => Some("bytes"),
            Self::RowsPerSecond => Some("rows_per_second"),
            Self::DollarsPerHour => Some("dollars_per_hour"),
        }
    }
}

/// What a metric is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub(crate) kind: Kind,
    /// The name without prefix, unit and `_total`.
    pub(crate) base: &'static str,
    pub(crate) unit: Unit,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

impl Definition {
    /// The name by the rules of Prometheus, with the unit, and `_total` for counters.
    #[cfg(test)]
    pub(crate) fn name(&self) -> String {
        let unit = self.unit.suffix().map(|unit| format!("_{unit}"));
        let total = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{PREFIX}_{}{}{total}", self.base, unit.unwrap_or_default())
    }
}

/// Defines the metrics in the order in which they are shown.
macro_rules! metrics {
    ($($metric:ident = $kind:ident $base:literal $unit:ident [$($label:literal)*] $help:literal;)*) => {
        /// A metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Metric {
            $($metric,)*
        }

        impl Metric {
            /// All metrics.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$metric,)*];

            /// What it is.
            pub(crate) fn definition(self) -> Definition {
                match self {
                    $(Self::$metric => Definition {
                        kind: Kind::$kind,
                        base: $base,
                        unit: Unit::$unit,
                        labels: &[$($label,)*],
                        help: $help,
                    },)*
                }
            }
        }
    };
}

metrics! {
    Build = Gauge "build_info" Count ["version"]
        "The version of datafusion-kinesis";
    Query = Gauge "query_info" Count ["query" "id" "run_id" "trigger" "sink"]
        "The newest run of a query";
    Active = Gauge "query_active" Count ["query"]
        "Whether the query is running";
    Healthy = Gauge "query_healthy" Count ["query"]
        "Whether no alarm is raised and the query has not failed";
    AlarmRaised = Gauge "alarm_raised" Count ["query" "alarm"]
        "Whether an alarm is raised: errorRate, failed, lag or stuck";
    ProcessingLag = Gauge "processing_lag" Seconds ["query"]
        "Upper bound of the age of the oldest row that is not committed";
    Recoveries = Counter "recoveries" Count ["query"]
        "How often the query had to recover: each restart after a failure, batches that ran again, and the like";
    StartTime = Gauge "query_start_timestamp" Seconds ["query"]
        "When the newest run of the query started";
    CommitTime = Gauge "last_commit_timestamp" Seconds ["query"]
        "When the newest batch of the running query was committed";
    Starts = Counter "query_starts" Count ["query"]
        "Starts of the query";
    Ends = Counter "query_ends" Count ["query" "end"]
        "Ends of the query: failed, finished, stop_lock or stopped";
    Batches = Counter "batches" Count ["query"]
        "Committed batches";
    InputRows = Counter "input_rows" Count ["query" "stream"]
        "Rows of committed batches, before payloads are decoded";
    InputBytes = Counter "input" Bytes ["query" "stream"]
        "Data and partition keys of the records of committed batches";
    OutputRows = Counter "output_rows" Count ["query"]
        "Rows written to the sink, if it counts them";
    SinkRecords = Counter "sink_records" Count ["query"]
        "Kinesis records that the target stream has acknowledged";
    SinkBytes = Counter "sink" Bytes ["query"]
        "Data and partition keys that the target stream has acknowledged";
    SinkThrottled = Counter "sink_throttled_records" Count ["query"]
        "Kinesis records that the target stream has throttled";
    SinkResent = Counter "sink_resent_records" Count ["query"]
        "Kinesis records that were sent again for any reason";
    SinkInFlight = Gauge "sink_records_in_flight" Count ["query"]
        "Kinesis records on the way to the target stream";
    SinkOldest = Gauge "sink_oldest_in_flight" Seconds ["query"]
        "How long the oldest PutRecords call has been on the way; 0 if there is none";
    PutRecordsDuration = Histogram "put_records_duration" Seconds ["query"]
        "Time of each PutRecords call to the target stream, by any query of the process";
    Lag = Gauge "lag" Seconds ["query" "stream"]
        "Upper bound of the age of records that no batch has taken";
    BufferedBytes = Gauge "buffered" Bytes ["query" "stream"]
        "Records in memory for later batches";
    OpenShards = Gauge "open_shards" Count ["query" "stream"]
        "Shards that accept records";
    DrainingShards = Gauge "draining_shards" Count ["query" "stream"]
        "Closed shards that are not read to their end";
    FanOut = Gauge "fan_out_active" Count ["query" "stream"]
        "Whether records are pushed by enhanced fan-out at present";
    ThrottledCalls = Counter "throttled_calls" Count ["query" "stream"]
        "Requests for records that the service throttled";
    Retries = Counter "retries" Count ["query" "stream"]
        "Requests for records that failed otherwise and were retried";
    IteratorRenewals = Counter "iterator_renewals" Count ["query" "stream"]
        "Expired shard iterators that were renewed";
    DataLosses = Counter "data_losses" Count ["query" "stream"]
        "Shards, ranges and streams whose records no longer existed when they were to be read";
    BadDocuments = Counter "bad_documents" Count ["query" "stream"]
        "Documents that cannot be parsed";
    SkippedDocuments = Counter "skipped_documents" Count ["query" "stream"]
        "Documents without a row, of those that cannot be parsed";
    TypeMismatches = Counter "type_mismatches" Count ["query" "stream"]
        "Values that do not fit their columns";
    StateRows = Gauge "state_rows" Count ["query"]
        "Groups in the state";
    StateBytes = Gauge "state" Bytes ["query"]
        "Memory of the groups";
    StateRowsUpdated = Counter "state_rows_updated" Count ["query"]
        "Groups that were added or changed";
    StateRowsRemoved = Counter "state_rows_removed" Count ["query"]
        "Groups that the watermark closed";
    LateRows = Counter "late_rows" Count ["query"]
        "Rows that were dropped because they were later than the watermark or had no event time";
    WatermarkDelay = Gauge "watermark_delay" Seconds ["query"]
        "How far the watermark was behind the clock at the newest batch";
    EstimatedCost = Gauge "estimated_cost" DollarsPerHour ["query" "part"]
        "Estimate of what the query costs by list prices, by the names in estimatedCostPerHour";
    BatchDuration = Histogram "batch_duration" Seconds ["query"]
        "Time from the trigger to the end of a batch";
    PhaseDuration = Histogram "batch_phase_duration" Seconds ["query" "phase"]
        "Time of each phase of a batch, by the names in durationMs";
    SchedulingDelay = Histogram "scheduling_delay" Seconds ["query"]
        "Time from when a batch was due to when it started";
    RecordAge = Histogram "record_age" Seconds ["query" "stream"]
        "Time from the arrival of a record in the stream to the commit of its batch";
    GetRecordsDuration = Histogram "get_records_duration" Seconds ["query" "stream"]
        "Time of each GetRecords call";
    ShardLag = Gauge "shard_lag" Seconds ["query" "stream" "shard"]
        "Upper bound of the age of records of a shard that no batch has taken";
    ShardBufferedBytes = Gauge "shard_buffered" Bytes ["query" "stream" "shard"]
        "Records of a shard in memory";
    ShardRate = Gauge "shard_rate" RowsPerSecond ["query" "stream" "shard"]
        "Median rate of a shard over the last batches";
    ShardFailing = Gauge "shard_failing" Count ["query" "stream" "shard"]
        "Whether the last request for records of a shard failed";
    ShardThrottledCalls = Counter "shard_throttled_calls" Count ["query" "stream" "shard"]
        "Requests for records of a shard that the service throttled in this run";
    ShardRetries = Counter "shard_retries" Count ["query" "stream" "shard"]
        "Requests for records of a shard that failed otherwise and were retried in this run";
}

/// The upper bounds of the histograms of durations.
pub(crate) const DURATION_BOUNDS: [Duration; 14] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documented::expect_table;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let mut names = BTreeSet::new();
        for metric in Metric::ALL {
            let definition = metric.definition();
            let name = definition.name();
            let is_allowed = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(is_allowed), "{name}");
            assert!(!definition.base.ends_with("_total"), "{name}");
            assert!(!definition.help.ends_with('.'), "{name}");
            for label in definition.labels {
                assert!(label.chars().all(is_allowed) && *label != "le", "{label}");
            }
            assert!(names.insert(name), "{metric:?} is not the only one");
        }
        assert_eq!(
            Metric::InputBytes.definition().name(),
            "datafusion_kinesis_input_bytes_total"
        );
    }

    /// The table of the documentation.
    fn table() -> String {
        let rows = Metric::ALL.iter().map(|metric| {
            let definition = metric.definition();
            let kind = format!("{:?}", definition.kind).to_lowercase();
            let labels = definition.labels.iter().map(|label| format!("`{label}`"));
            let labels = labels.collect::<Vec<_>>().join(", ");
            let (name, help) = (definition.name(), definition.help);
            format!("| `{name}` | {kind} | {labels} | {help} |\n")
        });
        let header = "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n";
        format!("{header}{}", rows.collect::<String>())
    }

    #[test]
    fn the_documentation_lists_all_metrics() {
        expect_table("monitoring.md", "| Metric | Type |", &table());
    }

    #[test]
    fn bounds_ascend() {
        assert!(DURATION_BOUNDS.is_sorted_by(|one, two| one < two));
    }
}
