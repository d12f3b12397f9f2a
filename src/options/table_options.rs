//! Options as a program sets them: typed setters over the option table.

mod avro;
mod format;
mod protobuf;
mod registry;

#[cfg(feature = "ui")]
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use self::format::{BadDocuments, PayloadFormat};

use super::builder::OptionsBuilder;
#[cfg(feature = "ui")]
use super::catalog::find;
use super::catalog::{HASH_FILTERS, LIFECYCLES};
#[cfg(feature = "ui")]
use super::value::may_hold_secret;
use super::{ConsumerType, ExtraColumn, HashFilter};
use crate::error::Result;
use crate::model::{ConsumerLifecycle, RetryPolicy, StartingPosition, format_duration};

/// Options of one table, for [`KinesisTableBuilder::with_options`](crate::KinesisTableBuilder::with_options).
///
/// Each setter sets one option of the [option table](super::all), so defaults, ranges and messages are
/// those of `OPTIONS (…)`; they are checked when the table is built. Endpoint, region and credentials are
/// the [`ConnectionSettings`](crate::model::ConnectionSettings) of [`Services::sdk`](crate::Services::sdk),
/// or options by name.
///
/// ```
/// use std::time::Duration;
/// use datafusion_kinesis::KinesisTable;
/// use datafusion_kinesis::model::StartingPosition;
/// use datafusion_kinesis::options::TableOptions;
///
/// let options = TableOptions::default()
///     .with_starting_position(StartingPosition::TrimHorizon)
///     .with_fetch_interval(Duration::from_millis(500))
///     .with("kinesis.region", "eu-west-1");
/// let table = KinesisTable::builder("words").with_options(options);
/// table.check()?;
/// # Ok::<(), datafusion_kinesis::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct TableOptions {
    values: Vec<(String, Value)>,
}

#[derive(Clone)]
enum Value {
    Text(String),
    Position(StartingPosition),
}

impl TableOptions {
    /// Sets an option by the name and with the text of `OPTIONS (…)`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push((name.into(), Value::Text(value.into())));
        self
    }

    /// Sets `kinesis.startingPosition`.
    #[must_use]
    pub fn with_starting_position(mut self, position: StartingPosition) -> Self {
        let name = "kinesis.startingPosition".to_owned();
        self.values.push((name, Value::Position(position)));
        self
    }

    /// Sets `kinesis.extraColumns`.
    #[must_use]
    pub fn with_extra_columns(self, columns: &[ExtraColumn]) -> Self {
        let names: Vec<_> = columns.iter().map(|column| column.name()).collect();
        self.with("kinesis.extraColumns", names.join(","))
    }

    /// Creates the stream with this many shards if it does not exist: `kinesis.createStream` and
    /// `kinesis.shardCount`.
    #[must_use]
    pub fn with_created_stream(self, shards: u32) -> Self {
        self.with("kinesis.createStream", "true")
            .with("kinesis.shardCount", shards.to_string())
    }

    /// Sets when a failed request to Kinesis is sent again: `kinesis.clientNumRetries`,
    /// `kinesis.clientRetryIntervalsMs` and `kinesis.clientMaxRetryIntervalMs`.
    #[must_use]
    pub fn with_retry(self, retry: RetryPolicy) -> Self {
        self.with("kinesis.clientNumRetries", retry.max_retries.to_string())
            .with(
                "kinesis.clientRetryIntervalsMs",
                millis(retry.first_interval),
            )
            .with(
                "kinesis.clientMaxRetryIntervalMs",
                millis(retry.max_interval),
            )
    }

    /// Sets `kinesis.ordered`.
    #[must_use]
    pub fn with_ordered(self, ordered: bool) -> Self {
        self.with("kinesis.ordered", ordered.to_string())
    }

    /// Sets `kinesis.maxFetchRecordsPerShard`.
    #[must_use]
    pub fn with_max_records_per_shard(self, records: u64) -> Self {
        self.with("kinesis.maxFetchRecordsPerShard", records.to_string())
    }

    /// Sets `kinesis.getRecords.numberOfRecordsPerFetch`.
    #[must_use]
    pub fn with_records_per_fetch(self, records: usize) -> Self {
        self.with(
            "kinesis.getRecords.numberOfRecordsPerFetch",
            records.to_string(),
        )
    }

    /// Sets `kinesis.getRecords.fetchIntervalMs`.
    #[must_use]
    pub fn with_fetch_interval(self, interval: Duration) -> Self {
        self.with("kinesis.getRecords.fetchIntervalMs", millis(interval))
    }

    /// Sets `kinesis.aggregation.hashFilter`.
    #[must_use]
    pub fn with_hash_filter(self, filter: HashFilter) -> Self {
        let named = HASH_FILTERS.iter().find(|(_, known)| *known == filter);
        let (name, _) = named.expect("every filter has a name");
        self.with("kinesis.aggregation.hashFilter", *name)
    }

    /// Sets `kinesis.maxFetchTimePerShardSec`.
    #[must_use]
    pub fn with_max_fetch_time_per_shard(self, time: Duration) -> Self {
        self.with("kinesis.maxFetchTimePerShardSec", seconds(time))
    }

    /// Sets `kinesis.maxFetchBytesPerBatch`.
    #[must_use]
    pub fn with_max_batch_bytes(self, bytes: usize) -> Self {
        self.with("kinesis.maxFetchBytesPerBatch", bytes.to_string())
    }

    /// Sets `kinesis.buffer.maxBytes`.
    #[must_use]
    pub fn with_max_buffered_bytes(self, bytes: usize) -> Self {
        self.with("kinesis.buffer.maxBytes", bytes.to_string())
    }

    /// Sets `kinesis.describeShardInterval`.
    #[must_use]
    pub fn with_shard_listing_interval(self, interval: Duration) -> Self {
        self.with("kinesis.describeShardInterval", format_duration(interval))
    }

    /// Sets `kinesis.consumerType`.
    #[must_use]
    pub fn with_consumer_type(self, consumer_type: ConsumerType) -> Self {
        self.with("kinesis.consumerType", consumer_type.name())
    }

    /// Sets `kinesis.consumerName`.
    #[must_use]
    pub fn with_consumer_name(self, name: impl Into<String>) -> Self {
        self.with("kinesis.consumerName", name)
    }

    /// Sets `kinesis.consumerArn`.
    #[must_use]
    pub fn with_consumer_arn(self, arn: impl Into<String>) -> Self {
        self.with("kinesis.consumerArn", arn)
    }

    /// Sets `kinesis.consumerLifecycle`.
    #[must_use]
    pub fn with_consumer_lifecycle(self, lifecycle: ConsumerLifecycle) -> Self {
        let named = LIFECYCLES.iter().find(|(_, known)| *known == lifecycle);
        let (name, _) = named.expect("every lifecycle has a name");
        self.with("kinesis.consumerLifecycle", *name)
    }

    /// Sets `kinesis.auto.maxLag`.
    #[must_use]
    pub fn with_auto_max_lag(self, lag: Duration) -> Self {
        self.with("kinesis.auto.maxLag", format_duration(lag))
    }

    /// Sets `kinesis.subscribeToShard.timeoutSec`.
    #[must_use]
    pub fn with_subscribe_timeout(self, timeout: Duration) -> Self {
        self.with("kinesis.subscribeToShard.timeoutSec", seconds(timeout))
    }

    /// Sets `kinesis.subscribeToShard.maxRetries`.
    #[must_use]
    pub fn with_subscribe_max_retries(self, retries: u32) -> Self {
        self.with("kinesis.subscribeToShard.maxRetries", retries.to_string())
    }

    /// Sets `kinesis.failOnDataLoss`.
    #[must_use]
    pub fn with_fail_on_data_loss(self, fail: bool) -> Self {
        self.with("kinesis.failOnDataLoss", fail.to_string())
    }

    /// Sets `kinesis.metadataPath`.
    #[must_use]
    pub fn with_metadata_path(self, path: impl Into<String>) -> Self {
        self.with("kinesis.metadataPath", path)
    }

    /// Keeps offsets in the DynamoDB table with this name: `kinesis.metadataCommitterType` and
    /// `kinesis.dynamodb.tableName`.
    #[must_use]
    pub fn with_dynamodb_table(self, name: impl Into<String>) -> Self {
        self.with("kinesis.metadataCommitterType", "DYNAMODB")
            .with("kinesis.dynamodb.tableName", name)
    }

    /// Sets `kinesis.minBatchesToRetain`.
    #[must_use]
    pub fn with_min_batches_to_retain(self, batches: u64) -> Self {
        self.with("kinesis.minBatchesToRetain", batches.to_string())
    }

    /// Sets when a failed request to the offset log is sent again: `kinesis.metadataNumRetries`,
    /// `kinesis.metadataRetryIntervalsMs` and `kinesis.metadataMaxRetryIntervalMs`.
    #[must_use]
    pub fn with_metadata_retry(self, retry: RetryPolicy) -> Self {
        self.with("kinesis.metadataNumRetries", retry.max_retries.to_string())
            .with(
                "kinesis.metadataRetryIntervalsMs",
                millis(retry.first_interval),
            )
            .with(
                "kinesis.metadataMaxRetryIntervalMs",
                millis(retry.max_interval),
            )
    }

    /// Sets `kinesis.sink.aggregationEnabled`.
    #[must_use]
    pub fn with_aggregation(self, enabled: bool) -> Self {
        self.with("kinesis.sink.aggregationEnabled", enabled.to_string())
    }

    /// Sets `kinesis.sink.flushWaitTimeMs`.
    #[must_use]
    pub fn with_flush_wait(self, wait: Duration) -> Self {
        self.with("kinesis.sink.flushWaitTimeMs", millis(wait))
    }

    /// Sets `kinesis.sink.recordMaxBufferedTimeMs`.
    #[must_use]
    pub fn with_max_buffered_time(self, time: Duration) -> Self {
        self.with("kinesis.sink.recordMaxBufferedTimeMs", millis(time))
    }

    /// Sets `kinesis.sink.maxConnections`.
    #[must_use]
    pub fn with_max_connections(self, connections: usize) -> Self {
        self.with("kinesis.sink.maxConnections", connections.to_string())
    }

    /// Sets `kinesis.sink.recordTtl`.
    #[must_use]
    pub fn with_record_ttl(self, ttl: Duration) -> Self {
        self.with("kinesis.sink.recordTtl", millis(ttl))
    }

    /// Sets `kinesis.sink.partitionKey` to a column, an SQL expression or `random`.
    #[must_use]
    pub fn with_partition_key(self, expression: impl Into<String>) -> Self {
        self.with("kinesis.sink.partitionKey", expression)
    }

    /// Sets `kinesis.sink.explicitHashKey` to a column or an SQL expression.
    #[must_use]
    pub fn with_explicit_hash_key(self, expression: impl Into<String>) -> Self {
        self.with("kinesis.sink.explicitHashKey", expression)
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// The options by name, for people: `None` instead of a value that is secret, or may be.
    #[cfg(feature = "ui")]
    pub(crate) fn shown(&self) -> BTreeMap<&'static str, Option<String>> {
        let known = self.values.iter().filter_map(|(name, value)| {
            let option = find(name).ok()?;
            Some((option, value.text()))
        });
        let shown = known.map(|(option, value)| {
            let hidden = option.secret || may_hold_secret(&value);
            (option.name, (!hidden).then_some(value))
        });
        shown.collect()
    }

    /// The values that must not be shown.
    #[cfg(feature = "ui")]
    pub(crate) fn secrets(&self) -> Vec<String> {
        let is_secret = |name: &str| find(name).is_ok_and(|option| option.secret);
        let secret = self.values.iter().filter(|(name, _)| is_secret(name));
        secret.map(|(_, value)| value.text()).collect()
    }

    pub(crate) fn set_on(&self, builder: &mut OptionsBuilder) -> Result<()> {
        for (name, value) in &self.values {
            match value {
                Value::Text(text) => builder.set(name, text)?,
                Value::Position(position) => builder.set_starting_position(position)?,
            }
        }
        Ok(())
    }
}

#[cfg(feature = "ui")]
impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Position(StartingPosition::Latest) => "LATEST".to_owned(),
            Self::Position(StartingPosition::TrimHorizon) => "TRIM_HORIZON".to_owned(),
            Self::Position(StartingPosition::AtTimestamp(time)) => format!("AT_TIMESTAMP {time}"),
            Self::Position(StartingPosition::PerShard(positions)) => {
                let positions = positions.iter();
                let positions = positions.map(|(shard, position)| format!("{shard} {position}"));
                positions.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Shows the names without the values: which values are secret is unknown until the names are parsed, and the
/// value of a misspelled option may also be secret.
impl fmt::Debug for TableOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// The duration in milliseconds, as text. The option refuses a fraction.
fn millis(span: Duration) -> String {
    match span.subsec_nanos() % 1_000_000 {
        0 => span.as_millis().to_string(),
        _ => (span.as_secs_f64() * 1_000.0).to_string(),
    }
}

/// The duration in seconds, as text. The option refuses a fraction.
fn seconds(span: Duration) -> String {
    span.as_secs_f64().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::options::format::{ProtobufOptions, RegistryLogin};
    use crate::options::{
        AvroFraming, AvroOptions, AvroSchemaSource, Compression, DescriptorSource, Format, Framing,
        MetadataColumn, NullFields, OnError, OnMismatch, ProtobufFraming, SchemaRegistryOptions,
        SchemaRegistryType, TimestampFormat, all,
    };
    use datafusion::arrow::datatypes::TimeUnit;

    fn retry() -> RetryPolicy {
        RetryPolicy::new(7, Duration::from_millis(1_001), Duration::from_secs(2))
    }

    fn all_setters() -> TableOptions {
        TableOptions::default()
            .with_starting_position(StartingPosition::TrimHorizon)
            .with_extra_columns(&ExtraColumn::ALL)
            .with_created_stream(3)
            .with_retry(retry())
            .with_ordered(true)
            .with_max_records_per_shard(10)
            .with_records_per_fetch(20)
            .with_fetch_interval(Duration::from_millis(300))
            .with_hash_filter(HashFilter::Kcl)
            .with_max_fetch_time_per_shard(Duration::from_secs(4))
            .with_consumer_type(ConsumerType::Auto)
            .with_auto_max_lag(Duration::from_secs(90))
            .with_consumer_arn(
                "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:1525898737",
            )
            .with_consumer_name("sql")
            .with_consumer_lifecycle(ConsumerLifecycle::External)
            .with_subscribe_timeout(Duration::from_secs(7))
            .with_subscribe_max_retries(3)
            .with_max_batch_bytes(2 << 20)
            .with_max_buffered_bytes(32 << 20)
            .with_shard_listing_interval(Duration::from_millis(1_500))
            .with_fail_on_data_loss(true)
            .with_metadata_path("/var/lib/offsets")
            .with_dynamodb_table("offsets")
            .with_min_batches_to_retain(5)
            .with_metadata_retry(retry())
            .with_aggregation(false)
            .with_flush_wait(Duration::from_millis(50))
            .with_max_buffered_time(Duration::from_millis(60))
            .with_max_connections(8)
            .with_record_ttl(Duration::from_secs(9))
            .with_format(PayloadFormat::Json)
            .with_bad_documents(BadDocuments::DeadLetter("dead".to_owned()))
            .with_type_mismatches(OnMismatch::Fail)
            .with_error_column("why")
            .with_compression(Compression::Auto)
            .with_max_decompressed_bytes(1 << 20)
            .with_framing(Framing::Record)
            .with_json_header(SchemaRegistryType::Glue)
            .with_exploded_array("$.items")
            .with_rescued_column("rest")
            .with_timestamp_format(TimestampFormat::Epoch(TimeUnit::Millisecond))
            .with_fail_on_missing_field(true)
    }

    /// Set by `written_setters`, because they do not go with what can only be read.
    const WRITTEN_OPTIONS: [&str; 3] = [
        "kinesis.sink.nullFields",
        "kinesis.sink.partitionKey",
        "kinesis.sink.explicitHashKey",
    ];

    fn written_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Json)
            .with_null_fields(NullFields::Keep)
            .with_partition_key("id")
            .with_explicit_hash_key("hash")
    }

    /// Set by `csv_setters`, because they do not go with JSON.
    const CSV_OPTIONS: [&str; 4] = [
        "kinesis.csv.delimiter",
        "kinesis.csv.quote",
        "kinesis.csv.escape",
        "kinesis.csv.nullLiteral",
    ];

    fn csv_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Csv)
            .with_framing(Framing::Newline)
            .with_csv_delimiter(';')
            .with_csv_quote('\'')
            .with_csv_escape('\\')
            .with_csv_null_literal("-")
    }

    /// Set by `avro_setters`, because they do not go with JSON.
    const AVRO_OPTIONS: [&str; 2] = ["kinesis.avro.schema", "kinesis.avro.framing"];

    fn avro_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Avro)
            .with_avro_schema("words.avsc")
            .with_avro_framing(AvroFraming::Glue)
    }

    /// Set by the setters below, because they do not go with JSON.
    const REGISTRY_OPTIONS: [&str; 5] = [
        "kinesis.schemaRegistry.type",
        "kinesis.schemaRegistry.url",
        "kinesis.schemaRegistry.username",
        "kinesis.schemaRegistry.password",
        "kinesis.schemaRegistry.region",
    ];

    fn confluent_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Avro)
            .with_schema_registry_url("https://registry:8081/api")
            .with_schema_registry_login("key", &Secret::new("canary"))
    }

    fn glue_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Avro)
            .with_schema_registry(SchemaRegistryType::Glue)
            .with_schema_registry_region("eu-west-3")
    }

    /// Set by `protobuf_setters`, because they do not go with JSON.
    const PROTOBUF_OPTIONS: [&str; 3] = [
        "kinesis.protobuf.descriptorFile",
        "kinesis.protobuf.message",
        "kinesis.protobuf.framing",
    ];

    fn protobuf_setters() -> TableOptions {
        TableOptions::default()
            .with_format(PayloadFormat::Protobuf)
            .with_protobuf_descriptor_file("words.desc")
            .with_protobuf_message("text.Word")
            .with_protobuf_framing(ProtobufFraming::Confluent)
    }

    /// Connection settings are typed in `ConnectionSettings`.
    fn is_text_only(name: &str) -> bool {
        let rest = name.trim_start_matches("kinesis.");
        let rest = rest.trim_start_matches("dynamodb.");
        let connection = ["aws", "credential", "session", "sts", "sink.proxy"];
        let names = [
            "streamName",
            "endpointUrl",
            "allowHttp",
            "wireFormat",
            "region",
            "kinesisRegion",
            "checkNewRecordThreads",
        ];
        connection.iter().any(|start| rest.starts_with(start)) || names.contains(&rest)
    }

    #[test]
    fn every_option_except_connection_settings_has_a_typed_setter() {
        let options = all_setters();
        let mut set: Vec<_> = options
            .values
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let mut expected: Vec<_> = all().map(|option| option.name).collect();
        expected.retain(|name| !is_text_only(name));
        set.extend(CSV_OPTIONS);
        set.extend(WRITTEN_OPTIONS);
        set.extend(AVRO_OPTIONS);
        set.extend(PROTOBUF_OPTIONS);
        set.extend(REGISTRY_OPTIONS);
        set.sort_unstable();
        expected.sort_unstable();
        assert_eq!(set, expected);
    }

    #[test]
    fn typed_values_resolve_to_themselves() {
        let mut builder = OptionsBuilder::default();
        builder.set_location("words").unwrap();
        all_setters().set_on(&mut builder).unwrap();
        let options = builder.finish().unwrap();
        assert_eq!(options.retry, retry());
        assert_eq!(options.source.metadata.retry, retry());
        assert_eq!(options.create_with_shards, Some(3));
        let columns = options.columns.iter().map(|requested| requested.column);
        let columns: Vec<_> = columns.collect();
        assert_eq!(columns, ExtraColumn::ALL.map(MetadataColumn::Extra));
        let source = &options.source;
        assert_eq!(source.starting_position, StartingPosition::TrimHorizon);
        assert_eq!(source.hash_filter, HashFilter::Kcl);
        assert_eq!(source.fetch_interval, Duration::from_millis(300));
        assert_eq!(
            source.max_fetch_time_per_shard,
            Some(Duration::from_secs(4))
        );
        assert_eq!(source.describe_shard_interval, Duration::from_millis(1_500));
        let fan_out = source.fan_out.as_ref().unwrap();
        assert_eq!(fan_out.consumer.as_str(), "sql");
        assert_eq!(fan_out.lifecycle, ConsumerLifecycle::External);
        assert_eq!(
            (fan_out.timeout, fan_out.max_retries),
            (Duration::from_secs(7), 3)
        );
        assert_eq!(fan_out.auto_max_lag, Some(Duration::from_secs(90)));
        assert_eq!(options.sink.record_ttl, Some(Duration::from_secs(9)));
    }

    #[test]
    fn typed_formats_resolve_to_themselves() {
        let format = |options: TableOptions| {
            let mut builder = OptionsBuilder::default();
            builder.set_location("words").unwrap();
            options.set_on(&mut builder).unwrap();
            builder.finish().unwrap().format.unwrap()
        };
        let avro = Format::Avro(AvroOptions {
            schema: Some(AvroSchemaSource::File("words.avsc".into())),
            framing: AvroFraming::Glue,
        });
        assert_eq!(format(avro_setters()).format, avro);
        let registry = |options| match format(options).format {
            Format::Avro(AvroOptions {
                schema: Some(AvroSchemaSource::Registry(registry)),
                framing,
            }) => (registry, framing),
            other => panic!("{other:?}"),
        };
        let confluent = SchemaRegistryOptions::Confluent {
            url: "https://registry:8081/api".to_owned(),
            login: Some(RegistryLogin {
                username: "key".to_owned(),
                password: Secret::new("canary"),
            }),
        };
        assert_eq!(
            registry(confluent_setters()),
            (confluent, AvroFraming::Confluent)
        );
        let glue = SchemaRegistryOptions::Glue {
            endpoint_url: None,
            region: Some("eu-west-3".to_owned()),
        };
        assert_eq!(registry(glue_setters()), (glue, AvroFraming::Glue));
        let protobuf = Format::Protobuf(ProtobufOptions {
            descriptors: DescriptorSource::File("words.desc".into()),
            message: "text.Word".to_owned(),
            framing: ProtobufFraming::Confluent,
        });
        assert_eq!(format(protobuf_setters()).format, protobuf);
        let json = format(all_setters());
        assert_eq!(json.compression, Compression::Auto);
        assert_eq!(json.framing, Framing::Record);
        let Format::Json(of_json) = &json.format else {
            panic!("the format is not JSON");
        };
        assert_eq!(of_json.header, Some(SchemaRegistryType::Glue));
        assert_eq!(json.on_mismatch, OnMismatch::Fail);
        assert_eq!(json.max_decompressed_bytes, 1 << 20);
        assert_eq!(
            json.timestamps,
            TimestampFormat::Epoch(TimeUnit::Millisecond)
        );
        let OnError::DeadLetter(stream) = json.on_error else {
            panic!("{:?}", json.on_error);
        };
        assert_eq!(stream.name().as_str(), "dead");
        let Format::Json(written) = format(written_setters()).format else {
            panic!("the format is not JSON");
        };
        assert_eq!(written.null_fields, NullFields::Keep);
        let csv = format(csv_setters());
        assert_eq!(csv.framing, Framing::Newline);
        let Format::Csv(csv) = csv.format else {
            panic!("the format is not CSV");
        };
        assert_eq!(
            (csv.delimiter, csv.quote, csv.escape),
            (b';', b'\'', Some(b'\\'))
        );
        assert_eq!(csv.null_literal.as_deref(), Some("-"));
    }

    #[test]
    fn a_duration_finer_than_the_option_is_an_error() {
        let mut builder = OptionsBuilder::default();
        let options = TableOptions::default().with_flush_wait(Duration::from_micros(1_500));
        let error = options.set_on(&mut builder).unwrap_err().to_string();
        assert!(
            error.contains("'kinesis.sink.flushWaitTimeMs' = '1.5'"),
            "{error}"
        );
    }

    #[test]
    fn debug_output_hides_values() {
        let options = TableOptions::default().with("kinesis.awsSecretKey", "canary");
        assert_eq!(format!("{options:?}"), "[\"kinesis.awsSecretKey\"]");
    }
}
