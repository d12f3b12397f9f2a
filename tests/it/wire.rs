//! Checks of any server with the Kinesis API, made over HTTP with the AWS SDK.
//!
//! By default each check starts the embedded server. `KINESIS_WIRE_ENDPOINT` selects another
//! endpoint; `KINESIS_WIRE_SERVER` names the emulator there, so that its known divergences are
//! printed instead of failing. A divergence that no longer exists is printed, too. Checks sleep for
//! a few milliseconds where the server's clock must advance.
//!
//! ```text
//! KINESIS_WIRE_ENDPOINT=http://127.0.0.1:4567 KINESIS_WIRE_SERVER=kinesalite \
//!     cargo test --test it wire::
//! ```

mod divergences;
mod reading;
mod resharding;
mod serving;
mod writing;

use std::env;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{
    PutRecordsRequestEntry, Record, ScalingType, Shard, ShardIteratorType, StreamStatus,
};
use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use tokio::time::{sleep, timeout};

use crate::support::say;

/// A server under test.
pub(crate) struct Wire {
    client: Client,
    endpoint: String,
    _embedded: Option<EmbeddedServer>,
}

/// Runs a check, and compares its outcome with the known divergences.
async fn run<F: Future<Output = ()> + Send + 'static>(name: &str, check: fn(Wire) -> F) {
    let server = env::var("KINESIS_WIRE_SERVER").unwrap_or_default();
    let wire = Wire::start().await;
    let outcome = tokio::spawn(timeout(Duration::from_secs(60), check(wire))).await;
    let failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some("no response within a minute".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    match (divergences::known(&server, name), failure) {
        (None, None) => {}
        (Some(what), Some(_)) => say(&format!("known divergence of {server}: {name}: {what}")),
        (Some(what), None) => say(&format!("divergence of {server} is gone: {name}: {what}")),
        (None, Some(failure)) => panic!("{name}: {failure}"),
    }
}

macro_rules! wire_suite {
    ($($module:ident: $($check:ident)*;)*) => {
        $($(
            #[tokio::test]
            async fn $check() {
                run(stringify!($check), $module::$check).await;
            }
        )*)*
    };
}

wire_suite! {
    reading:
        each_iterator_type_starts_where_it_says
        a_timestamp_is_met_below_the_second
        a_timestamp_past_the_last_record_waits_at_the_tip
        a_timestamp_in_the_future_is_refused
        a_number_of_another_stream_is_refused
        an_iterator_that_was_not_given_out_is_refused
        the_lag_is_zero_only_at_the_tip
        a_page_has_at_most_ten_thousand_records
        a_page_has_at_most_ten_mebibytes
        arrival_times_have_milliseconds;
    writing:
        keys_go_by_md5_and_explicit_hash_keys_go_before
        the_last_hash_key_belongs_to_the_last_shard
        records_come_back_in_order_as_they_were
        many_writers_and_a_reader_lose_nothing
        more_than_five_hundred_entries_are_refused
        more_than_ten_mebibytes_are_refused
        six_mebibytes_in_one_put_are_taken
        a_record_above_a_mebibyte_is_refused
        a_stream_can_be_set_up_for_larger_records;
    resharding:
        a_split_closes_the_parent
        the_last_page_of_a_closed_shard_names_its_children
        a_merge_names_both_parents
        scaling_up_and_down_keeps_the_lineage
        scaling_above_double_is_refused
        a_closed_shard_cannot_be_split
        filters_tell_open_shards_from_closed_ones
        filters_by_time_give_the_shards_of_that_time;
    serving:
        shards_are_listed_in_pages
        shards_are_listed_after_a_shard
        a_page_token_and_a_stream_name_do_not_go_together
        every_call_takes_an_arn
        a_stream_cannot_be_made_twice_and_is_gone_once_deleted
        an_on_demand_stream_begins_with_four_shards
        a_summary_describes_the_stream
        retention_can_be_changed_between_a_day_and_a_year
        an_unknown_operation_is_named_as_such
        a_garbled_body_is_a_serialization_error;
}

impl Wire {
    async fn start() -> Self {
        let (endpoint, embedded) = match env::var("KINESIS_WIRE_ENDPOINT") {
            Ok(endpoint) => (endpoint, None),
            Err(_) => {
                let clock = Arc::new(SystemClock);
                let kinesis = InMemoryKinesis::new(clock, InMemoryOptions::default());
                let server = EmbeddedServer::bind("127.0.0.1:0", Arc::new(kinesis));
                let server = server.await.unwrap();
                (server.endpoint_url(), Some(server))
            }
        };
        Self {
            client: crate::sdk::client(&endpoint),
            endpoint,
            _embedded: embedded,
        }
    }

    /// A new stream for a check, ready for use.
    async fn stream(&self, shards: i32) -> String {
        static STREAMS: AtomicU32 = AtomicU32::new(0);
        let number = STREAMS.fetch_add(1, Ordering::Relaxed);
        let name = format!("wire-{}-{number}", std::process::id());
        let create = self.client.create_stream().stream_name(&name);
        create.shard_count(shards).send().await.unwrap();
        self.settle(&name).await;
        name
    }

    /// Waits until the stream is `ACTIVE`, and returns its ARN.
    async fn settle(&self, stream: &str) -> String {
        loop {
            let summary = self.client.describe_stream_summary().stream_name(stream);
            let summary = summary.send().await.unwrap();
            let summary = summary.stream_description_summary.unwrap();
            if summary.stream_status == StreamStatus::Active {
                return summary.stream_arn;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Puts one record with this text as key and data. Returns its shard and sequence number.
    async fn put(&self, stream: &str, text: &str) -> (String, String) {
        let put = self.client.put_record().stream_name(stream);
        let put = put.partition_key(text).data(Blob::new(text));
        let written = put.send().await.unwrap();
        (written.shard_id, written.sequence_number)
    }

    /// Puts entries, all of which must succeed.
    async fn put_many(&self, stream: &str, entries: Vec<PutRecordsRequestEntry>) {
        let put = self.client.put_records().stream_name(stream);
        let put = put.set_records(Some(entries)).send().await.unwrap();
        assert_eq!(put.failed_record_count, Some(0));
    }

    async fn shards(&self, stream: &str) -> Vec<Shard> {
        let shards = self.client.list_shards().stream_name(stream).send();
        shards.await.unwrap().shards.unwrap()
    }

    async fn split(&self, stream: &str, shard: &Shard) {
        let range = shard.hash_key_range.as_ref().unwrap();
        let [start, end] = [&range.starting_hash_key, &range.ending_hash_key]
            .map(|key| key.parse::<u128>().unwrap());
        let middle = start + (end - start) / 2 + 1;
        let split = self.client.split_shard().stream_name(stream);
        let split = split
            .shard_to_split(&shard.shard_id)
            .new_starting_hash_key(middle.to_string());
        split.send().await.unwrap();
        self.settle(stream).await;
    }

    async fn scale(&self, stream: &str, target: i32) -> Result<(), String> {
        let scale = self.client.update_shard_count().stream_name(stream);
        let scale = scale.target_shard_count(target);
        let scale = scale.scaling_type(ScalingType::UniformScaling).send();
        scale.await.map_err(|error| code(&error))?;
        self.settle(stream).await;
        Ok(())
    }

    /// An iterator at the start of a shard.
    async fn horizon(&self, stream: &str, shard: &str) -> String {
        self.iterator(stream, shard, ShardIteratorType::TrimHorizon, None)
            .await
            .unwrap()
    }

    async fn iterator(
        &self,
        stream: &str,
        shard: &str,
        kind: ShardIteratorType,
        number: Option<&str>,
    ) -> Result<String, String> {
        let iterator = self.client.get_shard_iterator().stream_name(stream);
        let iterator = iterator
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_starting_sequence_number(number.map(str::to_owned));
        let answer = iterator.send().await.map_err(|error| code(&error))?;
        Ok(answer.shard_iterator.unwrap())
    }

    async fn iterator_at(
        &self,
        stream: &str,
        shard: &str,
        unix_millis: i64,
    ) -> Result<String, String> {
        let iterator = self.client.get_shard_iterator().stream_name(stream);
        let iterator = iterator
            .shard_id(shard)
            .shard_iterator_type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from_millis(unix_millis));
        let answer = iterator.send().await.map_err(|error| code(&error))?;
        Ok(answer.shard_iterator.unwrap())
    }

    async fn fetch(&self, iterator: &str, limit: i32) -> Result<GetRecordsOutput, String> {
        let fetch = self.client.get_records().shard_iterator(iterator);
        fetch
            .limit(limit)
            .send()
            .await
            .map_err(|error| code(&error))
    }

    /// The texts of the page at an iterator.
    async fn texts(&self, iterator: &str) -> Vec<String> {
        texts(&self.fetch(iterator, 10_000).await.unwrap().records)
    }
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| String::from_utf8(record.data.as_ref().to_vec()).unwrap();
    records.iter().map(text).collect()
}

fn entry(key: &str, data: impl Into<Vec<u8>>) -> PutRecordsRequestEntry {
    PutRecordsRequestEntry::builder()
        .partition_key(key)
        .data(Blob::new(data))
        .build()
        .unwrap()
}

/// The arrival time of a record. The SDK's value may be slightly below the millisecond that was
/// sent.
fn arrival_millis(record: &Record) -> i64 {
    let time = record.approximate_arrival_timestamp.unwrap();
    time.secs() * 1_000 + i64::from((time.subsec_nanos() + 500_000) / 1_000_000)
}

/// The error code of a failed call.
fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    error.code().unwrap_or("no code").to_owned()
}
