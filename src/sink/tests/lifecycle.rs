//! Empty input, invalid rows, and dropped writers.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_invalid_row_rejects_its_whole_batch() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, without_aggregation()).await;
    let mut rows: Vec<_> = (0..600).map(|n| (n.to_string(), vec![0])).collect();
    rows.push((String::new(), vec![0]));
    let error = writer.write(&batch(&rows)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    assert!(error.to_string().contains("row 601 of 601"), "{error}");
    assert_eq!(writer.finish().await.unwrap(), 0);
    assert!(service.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn empty_input_sends_no_request() {
    let service = Service::with_shards(1);
    let empty = numbered(0..0, 1);
    assert_eq!(
        write_all(&service, SinkSettings::default(), &[])
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        write_all(&service, SinkSettings::default(), &[empty])
            .await
            .unwrap(),
        0
    );
    assert!(service.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_abandons_its_requests() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, without_aggregation()).await;
    writer.write(&numbered(0..10, 10)).await.unwrap();
    tokio::task::yield_now().await;
    drop(writer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(service.state().log.is_empty());
}

#[test]
fn a_writer_can_move_between_threads_while_it_writes() {
    fn assert_send<T: Send>(_: T) {}
    fn write(writer: &mut SinkWriter, batch: &RecordBatch) {
        assert_send(writer.write(batch));
    }
    let _ = write;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_ended_before_finish_does_not_hang_it() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, without_aggregation()).await;
    writer.write(&numbered(0..3, 3)).await.unwrap();
    // The request ends while nobody polls the writer.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let finished = tokio::time::timeout(Duration::from_secs(60), writer.finish()).await;
    assert_eq!(finished.expect("the writer ends").unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_ended_before_the_next_batch_does_not_hang_a_full_writer() {
    let service = Service::with_shards(1);
    let settings = SinkSettings {
        max_buffered_bytes: 1,
        ..without_aggregation()
    };
    let mut writer = writer(&service, settings).await;
    for n in 0..3 {
        let row = numbered(n..n + 1, 1);
        let written = writer.write(&row);
        let written = tokio::time::timeout(Duration::from_secs(60), written).await;
        written.expect("the row is taken").unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(writer.finish().await.unwrap(), 3);
}
