//! Entries in the table: created, read and deleted with all their parts in one transaction.

use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Get, Put as PutAction,
    ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactGetItem,
    TransactWriteItem,
};
use bytes::Bytes;

use super::super::committer::{Put, StoreResult};
use super::item::{
    self, Content, EPOCH, Item, LARGEST_PACKED, MAX_PARTS, PARTS, QUERY, Slot, TOKEN,
};
use super::sdk_errors::{Call, Canceled};
use super::{DynamoDbCommitter, units};
use crate::model::Epoch;

/// Failed conditions return the existing item.
const RETURN_EXISTING: ReturnValuesOnConditionCheckFailure =
    ReturnValuesOnConditionCheckFailure::AllOld;

impl DynamoDbCommitter {
    /// Creates an entry if it does not exist and, if an `epoch` is given, that is the newest.
    pub(super) async fn create(
        &self,
        slot: Slot,
        entry: &[u8],
        epoch: Option<Epoch>,
    ) -> StoreResult<Put> {
        self.table_ready().await?;
        let items = item::pack(&self.query, slot, entry)
            .map_err(|bytes| self.too_large(slot, bytes, LARGEST_PACKED))?;
        let request = self.client.transact_write_items();
        let fence = epoch.map(|epoch| self.fence(epoch));
        let puts = items.into_iter().enumerate();
        let puts = puts.map(|(index, item)| self.put_action(item, index == 0));
        let actions = fence.into_iter().chain(puts).collect();
        // The SDK generates a token for each request, so a retry is a new transaction that checks its conditions
        // again.
        let request = request
            .set_transact_items(Some(actions))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let error = match request.send().await {
            Ok(put) => {
                self.bill.dynamodb_wrote(units(put.consumed_capacity()));
                return Ok(Put::Done);
            }
            Err(error) => error,
        };
        let reasons = error.as_service_error().map_or(&[][..], Canceled::reasons);
        let put = usize::from(epoch.is_some());
        if let Some(epoch) = epoch
            && let Some(reason) = failed(reasons, 0)
        {
            return self.fenced(epoch, reason.item());
        }
        match failed(reasons, put) {
            Some(reason) => self.exists(slot, reason.item().cloned()).await,
            None => Err(self.transaction_failed(Call::TransactWriteItems, error)),
        }
    }

    /// The check that this handle has taken the newest epoch.
    pub(super) fn fence(&self, epoch: Epoch) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Slot::HEADER.key(&self.query)))
            .condition_expression("#epoch = :epoch AND #token = :token")
            .expression_attribute_names("#epoch", EPOCH)
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_values(":epoch", AttributeValue::N(epoch.to_string()))
            .expression_attribute_values(":token", AttributeValue::S(self.token.clone()))
            .return_values_on_condition_check_failure(RETURN_EXISTING)
            .build()
            .expect("table, key and condition are given");
        TransactWriteItem::builder().condition_check(check).build()
    }

    fn put_action(&self, item: Item, if_absent: bool) -> TransactWriteItem {
        let mut put = PutAction::builder()
            .table_name(&self.table)
            .set_item(Some(item));
        if if_absent {
            put = put
                .condition_expression("attribute_not_exists(#query)")
                .expression_attribute_names("#query", QUERY)
                .return_values_on_condition_check_failure(RETURN_EXISTING);
        }
        let put = put.build().expect("table and item are given");
        TransactWriteItem::builder().put(put).build()
    }

    /// The epoch that fenced `own`, from the header.
    fn fenced(&self, own: Epoch, header: Option<&Item>) -> StoreResult<Put> {
        match header.and_then(|header| item::read_number(header, EPOCH)) {
            Some(newest) if newest > own.0 => Ok(Put::Fenced(Epoch(newest))),
            _ => Err(self.epoch_removed()),
        }
    }

    /// The existing entry; some servers do not return it with the failed condition.
    async fn exists(&self, slot: Slot, found: Option<Item>) -> StoreResult<Put> {
        let found = match found {
            Some(item) if !item.is_empty() => self.whole(slot, item).await?,
            _ => self.read(slot).await?,
        };
        found.map_or_else(|| self.gone(slot), |entry| Ok(Put::Exists(entry)))
    }

    /// An entry; `None` if it does not exist.
    pub(super) async fn read(&self, slot: Slot) -> StoreResult<Option<Bytes>> {
        match self.item(slot).await? {
            Some(item) => self.whole(slot, item).await,
            None => Ok(None),
        }
    }

    /// An item; `None` if it does not exist.
    pub(super) async fn item(&self, slot: Slot) -> StoreResult<Option<Item>> {
        self.table_ready().await?;
        let request = self.client.get_item().table_name(&self.table);
        let request = request
            .set_key(Some(slot.key(&self.query)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(found) => {
                self.bill.dynamodb_read(units(found.consumed_capacity()));
                Ok(found.item)
            }
            Err(error) => Err(self.failed(Call::GetItem, error)),
        }
    }

    /// The entry of `item`, with its parts; `None` if it is deleted in the meantime.
    async fn whole(&self, slot: Slot, mut item: Item) -> StoreResult<Option<Bytes>> {
        let (parts, bytes) = match item::content(&mut item) {
            Some(Content::Text(entry)) => return Ok(Some(entry)),
            Some(Content::Packed { parts, bytes }) => (parts, bytes),
            None => return Err(self.foreign(slot, "holds no entry")),
        };
        let mut found = self.together(slot, parts).await?.into_iter();
        if found.next().flatten().is_none() {
            return Ok(None);
        }
        match item::unpack(found, bytes) {
            Some(entry) => Ok(Some(entry)),
            None => Err(self.foreign(slot, "does not match its parts")),
        }
    }

    /// The item of an entry and its parts, in one consistent read.
    async fn together(&self, slot: Slot, parts: usize) -> StoreResult<Vec<Option<Item>>> {
        let gets = slot.keys(&self.query, parts).map(|key| {
            let get = Get::builder().table_name(&self.table).set_key(Some(key));
            let get = get.build().expect("table and key are given");
            TransactGetItem::builder().get(get).build()
        });
        let request = self.client.transact_get_items();
        let request = request
            .set_transact_items(Some(gets.collect()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(found) => {
                self.bill.dynamodb_read(units(found.consumed_capacity()));
                let found = found.responses.unwrap_or_default().into_iter();
                Ok(found.map(|response| response.item).collect())
            }
            Err(error) => Err(self.transaction_failed(Call::TransactGetItems, error)),
        }
    }

    /// Deletes an entry and its parts, if it exists.
    pub(super) async fn delete(&self, slot: Slot) -> StoreResult<()> {
        self.table_ready().await?;
        let request = self.client.delete_item().table_name(&self.table);
        let deleted = request
            .set_key(Some(slot.key(&self.query)))
            .condition_expression("attribute_not_exists(#parts)")
            .expression_attribute_names("#parts", PARTS)
            .return_values_on_condition_check_failure(RETURN_EXISTING)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match deleted {
            Ok(deleted) => {
                self.bill.dynamodb_wrote(units(deleted.consumed_capacity()));
                return Ok(());
            }
            Err(error) => error,
        };
        if !error
            .as_service_error()
            .is_some_and(|error| error.is_conditional_check_failed_exception())
        {
            return Err(self.failed(Call::DeleteItem, error));
        }
        self.delete_with_parts(slot).await
    }

    /// In one transaction, so that no reader finds an entry without its parts.
    async fn delete_with_parts(&self, slot: Slot) -> StoreResult<()> {
        let actions = slot.keys(&self.query, MAX_PARTS).map(|key| {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(key));
            let delete = delete.build().expect("table and key are given");
            TransactWriteItem::builder().delete(delete).build()
        });
        let request = self.client.transact_write_items();
        let request = request
            .set_transact_items(Some(actions.collect()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(deleted) => {
                self.bill.dynamodb_wrote(units(deleted.consumed_capacity()));
                Ok(())
            }
            Err(error) => Err(self.transaction_failed(Call::TransactWriteItems, error)),
        }
    }
}

/// The cancellation reason of the action at `index`, if its condition failed.
fn failed(reasons: &[CancellationReason], index: usize) -> Option<&CancellationReason> {
    let reason = reasons.get(index)?;
    (reason.code() == Some("ConditionalCheckFailed")).then_some(reason)
}
