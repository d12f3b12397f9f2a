//! Random and scripted faults.

use super::*;

fn only(operation: Operation, rates: FaultRates) -> InMemoryOptions {
    InMemoryOptions {
        faults: FaultPlan::default().with(operation, rates),
        ..InMemoryOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_with_a_lost_response_is_written() {
    let rates = FaultRates {
        answer_lost: 1.0,
        ..FaultRates::default()
    };
    let fixture = Fixture::with(1, only(Operation::PutRecords, rates)).await;
    let entries = [entry("k", b"x")];
    let lost = fixture.kinesis.put_records(&fixture.stream, &entries).await;
    let error = lost.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ApiErrorKind::Unavailable, CONNECTION_LOST)
    );
    fixture.kinesis.set_faults(FaultPlan::default());
    assert_eq!(fixture.texts(0, IteratorPosition::TrimHorizon).await, ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_put_can_fail_partially() {
    let rates = FaultRates {
        failed_entry: 0.3,
        ..FaultRates::default()
    };
    let fixture = Fixture::with(1, only(Operation::PutRecords, rates)).await;
    let entries: Vec<_> = (0..100)
        .map(|number| entry("k", number.to_string().as_bytes()))
        .collect();
    let put = fixture.kinesis.put_records(&fixture.stream, &entries).await;
    let written: Vec<_> = put
        .unwrap()
        .iter()
        .zip(&entries)
        .filter(|(outcome, _)| outcome.is_ok())
        .map(|(_, entry)| String::from_utf8(entry.data.to_vec()).unwrap())
        .collect();
    assert!((50..90).contains(&written.len()), "{}", written.len());
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        written
    );
}

#[tokio::test(start_paused = true)]
async fn an_injected_empty_page_skips_no_records() {
    let rates = FaultRates {
        empty_page: 1.0,
        ..FaultRates::default()
    };
    let fixture = Fixture::with(1, only(Operation::GetRecords, rates)).await;
    fixture.put("a").await;
    advance(Duration::from_secs(3)).await;
    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert!(page.is_empty());
    assert_eq!(page.behind_latest, Some(Duration::from_secs(3)));
    fixture.kinesis.set_faults(FaultPlan::default());
    let page = fixture.fetch(&page.next.unwrap(), 10).await.unwrap();
    assert_eq!(texts(&page), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_scripted_failure_has_no_effect_and_is_counted() {
    let fixture = Fixture::with_shards(1).await;
    let operation = Operation::PutRecord;
    let error = ApiError::from_code(operation, "InternalFailure", "scripted");
    fixture.kinesis.fail_next(operation, error);
    let entry = entry("k", b"x");
    let put = fixture.kinesis.put_record(&fixture.stream, &entry);
    assert_eq!(code(put.await), "InternalFailure");
    fixture.put("a").await;
    assert_eq!(fixture.kinesis.calls(operation), 2);
    assert_eq!(fixture.texts(0, IteratorPosition::TrimHorizon).await, ["a"]);
}
