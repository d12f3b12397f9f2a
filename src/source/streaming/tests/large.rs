//! Streams with large records, on servers that never report lag.

use super::*;
use crate::kinesis::RecordsPage;
use crate::source::test_service::TestService;

const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn a_page_cut_off_by_its_size_is_not_the_frozen_tip() {
    for behind_latest in [None, Some(Duration::ZERO)] {
        let mut fixture = Fixture::with_shards(1).await;
        fixture.accept_large_records().await;
        for _ in 0..3 {
            fixture.put_bytes("k", vec![b'x'; 6 * MIB].into()).await;
        }
        fixture.settings.until = Some(fixture.now());
        let alter_page: fn(&mut RecordsPage) = match behind_latest {
            None => |page| page.behind_latest = None,
            Some(_) => |page| page.behind_latest = Some(Duration::ZERO),
        };
        let service = Arc::new(TestService {
            alter_page,
            ..TestService::over(&fixture.kinesis)
        });
        let reader = fixture.read_through(service, from_trim_horizon()).await;
        let mut rows = 0;
        while !reader.is_exhausted() {
            match reader.readiness(Instant::now()).unwrap() {
                Readiness::Ready => {
                    let batch = reader.take();
                    rows += batch.rows;
                    reader.release(&batch.ranges.ends());
                }
                _ => {
                    let change = reader.changed();
                    tokio::time::timeout(Duration::from_secs(60), change)
                        .await
                        .unwrap();
                }
            }
        }
        assert_eq!(rows, 3, "{behind_latest:?}");
    }
}
