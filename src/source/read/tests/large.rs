//! Streams with large records, on servers that never report lag.

use std::time::Duration;

use super::*;
use crate::kinesis::RecordsPage;
use crate::source::test_service::TestService;

const MIB: usize = 1024 * 1024;

/// Lags as some servers report them.
const NO_LAG: [fn(&mut RecordsPage); 2] = [
    |page| page.behind_latest = None,
    |page| page.behind_latest = Some(Duration::ZERO),
];

/// A stream that accepts records of 10 MiB, with one record of each size.
async fn stream_of(sizes: &[usize]) -> Fixture {
    let mut fixture = Fixture::with_records(0, 0, Shape::plain()).await;
    let larger = fixture
        .kinesis
        .update_max_record_size(&fixture.stream, 10 * MIB);
    larger.await.unwrap();
    for (number, size) in sizes.iter().enumerate() {
        let mut data = format!("{number:08}").into_bytes();
        data.resize(*size, b'x');
        fixture.put(data).await;
    }
    fixture.expect_large_records();
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_page_cut_off_by_its_size_is_not_the_tip() {
    for sizes in [
        vec![6 * MIB; 3],
        vec![MIB, 10 * MIB - 100, MIB, 10 * MIB - 100, 100],
        vec![100, 10 * MIB - 100],
    ] {
        for alter_page in NO_LAG {
            let mut fixture = stream_of(&sizes).await;
            fixture.context.kinesis = Arc::new(TestService {
                alter_page,
                ..TestService::over(&fixture.kinesis)
            });
            let now = fixture.context.clock.now();
            let read = fixture::read(ShardPosition::TrimHorizon, Until::Tip(now));
            let rows = fixture.rows(read).await.unwrap();
            assert_eq!(rows.len(), sizes.len());
        }
    }
}
