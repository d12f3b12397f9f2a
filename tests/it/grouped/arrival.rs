//! Windows over the arrival time of records.

use super::*;

#[tokio::test(start_paused = true)]
async fn windows_by_arrival_time_are_closed_by_later_arrivals() {
    let world = world(2).await;
    let lines = Lines::default();
    let sql = "SELECT window_start, count(*) FROM words
        GROUP BY tumble(approximateArrivalTimestamp, INTERVAL '10 seconds')";
    let query = grouped(&world, sql, OutputMode::Append);
    let query = query.with_watermark(Duration::from_secs(1), None);
    let query = lines.of(query).start().await.unwrap();
    for n in 0..30 {
        world.put("words", &n.to_string(), "x").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    // The simulated clock starts at 22:13:20.
    let closed = lines.given().concat();
    let expected = ["2023-11-14T22:13:20Z 10", "2023-11-14T22:13:30Z 10"];
    assert_eq!(closed, expected);
}
