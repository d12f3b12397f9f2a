//! A killed query with its log in a DynamoDB table on loopback.

use datafusion_kinesis::checkpoint::{DynamoDbCommitter, Log, OffsetCommitter};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::dynamo::Dynamo;
use crate::support::served;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The entries of the offset log by batch.
async fn offsets(committer: &DynamoDbCommitter) -> BTreeMap<u64, String> {
    let mut entries = BTreeMap::new();
    for batch in committer.batches(Log::Offsets).await.unwrap() {
        let entry = committer.get(Log::Offsets, batch).await.unwrap().unwrap();
        entries.insert(batch.0, String::from_utf8(entry.into()).unwrap());
    }
    entries
}

#[test]
fn a_killed_query_with_its_log_in_dynamodb_loses_nothing() {
    let (server, checkpoint) = (Server::start(), folder("killed-over-dynamodb"));
    let tables = Dynamo::new();
    let url = served(tables.database.clone());
    let options = format!(
        ", 'kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.endpointUrl' '{url}'"
    );
    let query = copying(&checkpoint, &options);
    let name = checkpoint.to_str().unwrap();
    let committer = DynamoDbCommitter::over(tables.client(), "kdsc_us-east-1_numbers", name);
    let (committer, runtime) = (committer.unwrap(), runtime());
    killed_again_and_again(&server, &query, 10, || {
        runtime.block_on(offsets(&committer))
    });
    let left = fs::read_dir(&checkpoint).unwrap().count();
    assert_eq!(left, 0, "the whole log is in the table");
}
