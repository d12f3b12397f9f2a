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
