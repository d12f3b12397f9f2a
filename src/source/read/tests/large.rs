//! Reads of streams with large records, from servers that say of no page that more follows it.

use std::time::Duration;

use super::*;
use crate::kinesis::RecordsPage;
use crate::source::pages::altered::Altered;

const MIB: usize = 1024 * 1024;

/// Lags as some servers give them.
const LIES: [fn(&mut RecordsPage); 2] = [
    |page| page.behind_latest = None,
    |page| page.behind_latest = Some(Duration::ZERO),
];

/// A stream that takes records of 10 MiB, and one record of each size in it.
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
    fixture.takes_large_records();
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_cut_by_its_size_is_not_the_end_of_a_read_to_the_tip() {
    for sizes in [
        vec![6 * MIB; 3],
        vec![MIB, 10 * MIB - 100, MIB, 10 * MIB - 100, 100],
        vec![100, 10 * MIB - 100],
    ] {
        for page in LIES {
            let mut fixture = stream_of(&sizes).await;
            fixture.context.kinesis = Arc::new(Altered {
                kinesis: Arc::clone(&fixture.kinesis),
                page,
            });
            let now = fixture.context.clock.now();
            let read = fixture::read(ShardPosition::TrimHorizon, Until::Tip(now));
            let rows = fixture.rows(read).await.unwrap();
            assert_eq!(rows.len(), sizes.len());
        }
    }
}
