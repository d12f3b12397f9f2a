//! [`DynamoDbCommitter`]: a log as items of a DynamoDB table.

mod client;
mod entries;
mod errors;
mod item;
#[cfg(feature = "cli")]
mod probe;
mod sdk_errors;
mod table;

use std::fmt;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::billed::{BillCounter, BilledRequests};
use super::committer::{Log, OffsetCommitter, Put, StoreResult};
use crate::aws::{AwsAccess, Identity};
use crate::error::{Error, Result};
use crate::model::{BatchId, ConnectionSettings, Epoch};
use crate::options::table_name;

pub(crate) use client::open;
use item::{ENTRY, EPOCH, Item, QUERY, Slot};
#[cfg(feature = "cli")]
pub(crate) use probe::try_table;
use sdk_errors::Call;

/// The longest name of a query, in bytes: a partition key may have 2,048, and a suffix follows the name.
const LONGEST_QUERY: usize = 2_000;

/// Keeps the log of a query in a DynamoDB table, which many queries may share.
///
/// The table has the partition key `query` (text) and the sort key `entry` (number). If it does not exist, it is
/// created with billing per request. A query called `q` has these items:
///
/// | `query` | `entry` | |
/// |---|---|---|
/// | `q#header` | 0 | the newest `epoch`, and the `token` of the handle that took it |
/// | `q#header` | -1 | the metadata of the query |
/// | `q#offsets` | batch | the plan of the batch |
/// | `q#commits` | batch | the commit of the batch |
///
/// An entry is JSON in the attribute `value`. Entries of more than 100,000 bytes are compressed (zstd) into up to
/// eleven further items, under `q#offsets parts`; more than 3.85 MB of compressed data is an error.
///
/// One transaction checks the epoch and creates the entry: once a newer epoch is taken, no older writer creates
/// anything. All reads are strongly consistent.
pub struct DynamoDbCommitter {
    client: Client,
    table: String,
    query: String,
    /// The location, for messages.
    location: String,
    endpoint: String,
    /// The identity that signs requests, if known.
    identity: Option<Identity>,
    /// Distinguishes the epochs of this handle from those of others.
    token: String,
    /// Set once the table was found to be usable.
    checked: OnceCell<()>,
    bill: BillCounter,
}

impl DynamoDbCommitter {
    /// Opens the log of the query called `query` in `table`, with the connection `settings`; sends nothing to
    /// DynamoDB yet.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if there is no region, for an invalid table name, and for
    /// a query name that is empty or has more than 2,000 bytes.
    pub async fn connect(settings: &ConnectionSettings, table: &str, query: &str) -> Result<Self> {
        client::connect(&AwsAccess::new(), settings, table, query).await
    }

    /// Like [`connect`](Self::connect), with your own client. Turn off its retries: the query retries by
    /// `kinesis.metadataNumRetries`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), except for the region.
    #[doc(hidden)]
    pub fn over(client: Client, table: &str, query: &str) -> Result<Self> {
        if query.trim().is_empty() || query.len() > LONGEST_QUERY {
            return Err(Error::invalid_option(format!(
                "query name '{query}' in a DynamoDB table: expected 1 to {LONGEST_QUERY} bytes"
            )));
        }
        table_name(table).map_err(|expected| {
            Error::invalid_option(format!("the DynamoDB table '{table}': {expected}"))
        })?;
        Ok(Self {
            client,
            location: format!("dynamodb://{table}/{query}"),
            endpoint: "of the region".to_owned(),
            identity: None,
            table: table.to_owned(),
            query: query.to_owned(),
            token: format!("{:032x}", fastrand::Rng::new().u128(..)),
            checked: OnceCell::new(),
            bill: BillCounter::default(),
        })
    }

    /// Tries to take the epoch `own`, given that `newest` is the newest one so far; `false` if another writer
    /// was first.
    async fn claim(&self, own: u64, newest: Option<u64>) -> StoreResult<bool> {
        let header = item::header(&self.query, own, &self.token);
        let request = self.client.put_item().table_name(&self.table);
        let request = request
            .set_item(Some(header))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let request = match newest {
            Some(newest) => request
                .condition_expression("#epoch = :newest")
                .expression_attribute_names("#epoch", EPOCH)
                .expression_attribute_values(":newest", AttributeValue::N(newest.to_string())),
            None => request
                .condition_expression("attribute_not_exists(#query)")
                .expression_attribute_names("#query", QUERY),
        };
        let error = match request.send().await {
            Ok(put) => {
                self.bill.dynamodb_wrote(units(put.consumed_capacity()));
                return Ok(true);
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(service) if service.is_conditional_check_failed_exception() => Ok(false),
            _ => Err(self.failed(Call::PutItem, error)),
        }
    }

    /// The numbers of all entries of a log, in ascending order.
    async fn numbers(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        let collection = item::collection(&self.query, log.name());
        let request = self.client.query().table_name(&self.table);
        let request = request
            .key_condition_expression("#query = :query")
            .projection_expression("#entry")
            .expression_attribute_names("#query", QUERY)
            .expression_attribute_names("#entry", ENTRY)
            .expression_attribute_values(":query", AttributeValue::S(collection))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let mut batches = Vec::new();
        let mut behind: Option<Item> = None;
        loop {
            let page = request.clone().set_exclusive_start_key(behind);
            let page = match page.send().await {
                Ok(page) => page,
                Err(error) => return Err(self.failed(Call::Query, error)),
            };
            self.bill.dynamodb_read(units(page.consumed_capacity()));
            for item in page.items() {
                let batch = item::read_number(item, ENTRY);
                let batch = batch.ok_or_else(|| self.not_a_batch(log, item))?;
                batches.push(BatchId(batch));
            }
            behind = page.last_evaluated_key;
            if behind.is_none() {
                return Ok(batches);
            }
        }
    }
}

impl fmt::Debug for DynamoDbCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamoDbCommitter")
            .field(&self.location)
            .finish()
    }
}

#[async_trait]
impl OffsetCommitter for DynamoDbCommitter {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        Slot::of(log, batch).name()
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.read(Slot::METADATA).await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.create(Slot::METADATA, &entry, None).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        loop {
            let header = self.item(Slot::HEADER).await?;
            let newest = match &header {
                Some(header) => {
                    let newest = item::read_number(header, EPOCH);
                    Some(newest.ok_or_else(|| self.foreign(Slot::HEADER, "holds no epoch"))?)
                }
                None => None,
            };
            let highest = newest.map_or(above.0, |newest| newest.max(above.0));
            let own = highest.checked_add(1).ok_or_else(|| self.no_epoch_left())?;
            if self.claim(own, newest).await? {
                return Ok(Epoch(own));
            }
        }
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        let slot = Slot::of(log, batch);
        self.create(slot, &entry, Some(epoch)).await
    }

    async fn is_newest(&self, epoch: Epoch) -> StoreResult<bool> {
        let header = self.item(Slot::HEADER).await?;
        Ok(header.is_some_and(|header| item::is_claim(&header, epoch.0, &self.token)))
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.read(Slot::of(log, batch)).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.table_ready().await?;
        self.numbers(log).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.delete(Slot::of(log, batch)).await
    }

    fn billed_requests(&self) -> BilledRequests {
        self.bill.now()
    }
}

/// The request units in an answer.
fn units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> Option<f64> {
    let units = consumed.into_iter().map(ConsumedCapacity::capacity_units);
    units.sum()
}
