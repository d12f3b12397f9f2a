//! The table: created if it does not exist, checked if it does.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus,
};
use tokio::time::{Instant, sleep};

use super::super::committer::{StoreError, StoreResult};
use super::DynamoDbCommitter;
use super::item::{ENTRY, QUERY};
use super::sdk_errors::{Call, is_unknown_operation};
use crate::error::{Error, ErrorKind};
use crate::model::Epoch;

/// The interval of polls while the table is created, which takes some seconds.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a call waits for the table.
const LONGEST_CREATION: Duration = Duration::from_secs(60);

/// The key of the table: name, type, role.
const KEY: [(&str, ScalarAttributeType, KeyType); 2] = [
    (QUERY, ScalarAttributeType::S, KeyType::Hash),
    (ENTRY, ScalarAttributeType::N, KeyType::Range),
];

impl DynamoDbCommitter {
    /// Checks the table once, creates it if it does not exist, and waits until it is active. Several runs may do so at
    /// the same time.
    pub(super) async fn table_ready(&self) -> StoreResult<()> {
        let look = || async {
            if self.described().await?.is_none() {
                self.expect_transactions().await?;
                self.create_table().await?;
            }
            self.wait_for_table().await
        };
        self.checked.get_or_try_init(look).await.copied()
    }

    /// The table; `None` if it does not exist.
    pub(super) async fn described(&self) -> StoreResult<Option<TableDescription>> {
        let request = self.client.describe_table().table_name(&self.table);
        match request.send().await {
            Ok(found) => Ok(found.table),
            Err(error)
                if let Some(error) = error.as_service_error()
                    && error.is_resource_not_found_exception() =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed(Call::DescribeTable, error)),
        }
    }

    /// Refuses a server without transactions before anything is created there. This writes nothing: its condition
    /// cannot hold without a table.
    pub(super) async fn expect_transactions(&self) -> StoreResult<()> {
        let check = self.fence(Epoch(0));
        let request = self.client.transact_write_items().transact_items(check);
        let Err(error) = request.send().await else {
            return Ok(());
        };
        if !is_unknown_operation(&error) {
            // Other errors, such as missing permissions, are reported by the calls that follow.
            return Ok(());
        }
        Err(self.transaction_failed(Call::TransactWriteItems, error))
    }

    async fn create_table(&self) -> StoreResult<()> {
        let mut request = self.client.create_table().table_name(&self.table);
        for (name, kind, role) in KEY {
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind)
                .build()
                .expect("name and type are given");
            let element = KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(role)
                .build()
                .expect("name and role are given");
            request = request.attribute_definitions(attribute).key_schema(element);
        }
        tracing::info!(
            table = self.table,
            "creating the table, which takes a while"
        );
        match request
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            // Another run created it first.
            Err(error)
                if let Some(error) = error.as_service_error()
                    && error.is_resource_in_use_exception() =>
            {
                Ok(())
            }
            Err(error) => Err(self.failed(Call::CreateTable, error)),
        }
    }

    async fn wait_for_table(&self) -> StoreResult<()> {
        let began = Instant::now();
        loop {
            // A new table may not be visible everywhere yet.
            let found = self.described().await?;
            let status = found.as_ref().and_then(|table| table.table_status.clone());
            if let Some(table) = &found {
                self.expect_key(table)?;
            }
            match &status {
                Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
                None | Some(TableStatus::Creating) if began.elapsed() < LONGEST_CREATION => {
                    sleep(POLL_INTERVAL).await;
                }
                _ => return Err(self.not_usable(status.as_ref())),
            }
        }
    }

    fn not_usable(&self, status: Option<&TableStatus>) -> StoreError {
        let status = status.map_or("missing", TableStatus::as_str);
        let (location, table) = (&self.location, &self.table);
        StoreError::transient(Error::new(
            ErrorKind::Unavailable,
            format!(
                "checkpoint '{location}': table '{table}' is {status}, expected ACTIVE; start the query again once it is"
            ),
        ))
    }

    /// Refuses a table with another key.
    fn expect_key(&self, table: &TableDescription) -> StoreResult<()> {
        let kind = |name: &str| {
            let defined = table.attribute_definitions().iter();
            let mut named = defined.filter(|defined| defined.attribute_name() == name);
            named.next().map(|defined| defined.attribute_type().clone())
        };
        let key = table.key_schema().iter();
        let found: Vec<_> = key
            .map(|part| {
                let name = part.attribute_name();
                shown(name, kind(name).as_ref(), part.key_type())
            })
            .collect();
        let expected = KEY.map(|(name, kind, role)| shown(name, Some(&kind), &role));
        if found == expected {
            return Ok(());
        }
        let (location, name) = (&self.location, &self.table);
        Err(StoreError::permanent(Error::invalid_option(format!(
            "checkpoint '{location}': table '{name}' has the key {}, expected {}: set \
             'kinesis.dynamodb.tableName' to another table, which is created if it does not exist",
            found.join(" and "),
            expected.join(" and ")
        ))))
    }
}

fn shown(name: &str, kind: Option<&ScalarAttributeType>, role: &KeyType) -> String {
    let kind = kind.map_or("?", ScalarAttributeType::as_str);
    format!("{name} ({role}, {kind})")
}
