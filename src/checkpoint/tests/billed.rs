//! Requests that AWS bills.

use super::*;

/// What `work` adds to the bill of `committer`.
async fn billed<T>(
    committer: &dyn OffsetCommitter,
    work: impl Future<Output = T>,
) -> BilledRequests {
    let before = committer.billed_requests();
    work.await;
    let after = committer.billed_requests();
    BilledRequests {
        s3_writes: after.s3_writes - before.s3_writes,
        s3_reads: after.s3_reads - before.s3_reads,
        dynamodb_write_units: after.dynamodb_write_units - before.dynamodb_write_units,
        dynamodb_read_units: after.dynamodb_read_units - before.dynamodb_read_units,
    }
}

/// The requests for an entry: to write it, to read it, to list all, to delete it.
async fn bills_of_an_entry(committer: &dyn OffsetCommitter) -> [BilledRequests; 4] {
    committer.create_metadata("{}".into()).await.unwrap();
    let epoch = committer.take_epoch(Epoch(0)).await.unwrap();
    let (log, batch) = (Log::Offsets, BatchId(0));
    [
        billed(committer, committer.put(epoch, log, batch, "{}".into())).await,
        billed(committer, committer.get(log, batch)).await,
        billed(committer, committer.batches(log)).await,
        billed(committer, committer.remove(log, batch)).await,
    ]
}

#[tokio::test]
async fn local_files_and_memory_are_free() {
    for place in [TestLocation::local(), TestLocation::memory()] {
        let free = BilledRequests::default();
        assert_eq!(bills_of_an_entry(&*place.open()).await, [free; 4]);
    }
}

#[cfg(all(feature = "aws", feature = "simulator"))]
#[tokio::test]
async fn requests_to_s3_are_billed() {
    let place = TestLocation::s3().await;
    let committer = place.open();
    let s3 = |s3_writes, s3_reads| BilledRequests {
        s3_writes,
        s3_reads,
        ..BilledRequests::default()
    };
    // The epoch is read before the entry is put. A listing costs as much as a write, and a deletion nothing.
    let expected = [s3(1, 1), s3(0, 1), s3(1, 0), s3(0, 0)];
    assert_eq!(bills_of_an_entry(&*committer).await, expected);
    let seen = place.server().seen();
    let is_billed =
        |request: &&String| !request.starts_with("DELETE") && !request.starts_with("POST");
    let all = committer.billed_requests();
    let requests = seen.iter().filter(is_billed).count() as u64;
    assert_eq!(all.s3_writes + all.s3_reads, requests, "{seen:?}");
}

#[cfg(feature = "dynamodb")]
#[tokio::test]
async fn units_of_dynamodb_are_billed() {
    let dynamo = dynamo::Dynamo::new();
    let committer = DynamoDbCommitter::over(dynamo.client(), "offsets", "q").unwrap();
    let units = |dynamodb_write_units, dynamodb_read_units| BilledRequests {
        dynamodb_write_units,
        dynamodb_read_units,
        ..BilledRequests::default()
    };
    // A transaction costs twice as much: two units each for the check of the epoch and for the entry.
    let expected = [
        units(4.0, 0.0),
        units(0.0, 1.0),
        units(0.0, 1.0),
        units(1.0, 0.0),
    ];
    assert_eq!(bills_of_an_entry(&committer).await, expected);
    let epoch = committer.take_epoch(Epoch(1)).await.unwrap();
    let large = Bytes::from(vec![b'1'; 10_000]);
    let put = committer.put(epoch, Log::Offsets, BatchId(1), large);
    // Ten units for 10,000 bytes, twice.
    assert_eq!(billed(&committer, put).await, units(22.0, 0.0));
    // Three units of 4 KB.
    let get = committer.get(Log::Offsets, BatchId(1));
    assert_eq!(billed(&committer, get).await, units(0.0, 3.0));
}
