//! Window sizes: months of different lengths, days in time zones, and invalid sizes.

use datafusion_kinesis::ErrorKind;
use fastrand::Rng;

use super::*;

/// A stream of timestamps as text, as the streaming table `words` and the bounded table `s`.
async fn world_of_times() -> World {
    let world = world(1).await;
    world.table_again("s", "words", "").await;
    world
}

/// Start, end, count, and bounds check of windows of times.
fn windows(table: &str, window: &str) -> String {
    format!(
        "SELECT CAST(window_start AS VARCHAR), CAST(window_end AS VARCHAR), count(*),
                min(ts) >= window_start AND max(ts) < window_end
         FROM (SELECT CAST(CAST(data AS VARCHAR) AS TIMESTAMP) AS ts FROM {table}) GROUP BY {window}"
    )
}

async fn at_once(world: &World, sql: &str) -> Vec<String> {
    let frame = datafusion_kinesis::sql(&world.ctx, sql).await.unwrap();
    let rows = frame.collect().await.unwrap();
    let mut lines: Vec<String> = rows.iter().flat_map(text).collect();
    lines.sort();
    lines
}

/// Windows of months, starting on any day: each row is in its window, a window ends where the next
/// one starts, and batches and restarts return each window once, like one query.
#[tokio::test(start_paused = true)]
async fn month_windows_contain_their_rows_and_are_returned_once() {
    for seed in 0..12 {
        let mut random = Rng::with_seed(seed);
        let world = world_of_times().await;
        let origin = format!(
            "2024-{:02}-{}T06:00:00",
            [1, 3, 5, 12][random.usize(..4)],
            random.u8(29..=31)
        );
        let months = random.u8(1..=4);
        let window = format!("tumble(ts, INTERVAL '{months} month', TIMESTAMP '{origin}')");
        let lines = Lines::default();
        let place = format!("memory://grouped-months-{seed}");
        let mut days: Vec<u32> = (0..12).map(|_| random.u32(..900)).collect();
        days.sort_unstable();
        // A much later row closes the windows.
        days.push(5_000);
        for day in days {
            let time = chrono::NaiveDate::from_ymd_opt(2022, 11, 30).unwrap();
            let time = time + chrono::Days::new(u64::from(day));
            let time = format!("{time}T{:02}:00:00", random.u8(..24));
            world.put("words", "k", time).await;
            let query = lines.of(grouped(
                &world,
                &windows("words", &window),
                OutputMode::Append,
            ));
            let query = query.with_watermark(Duration::ZERO, None);
            let query = query
                .with_checkpoint_location(&place)
                .as_in_another_process();
            let query = query.start().await.unwrap();
            query.process_all_available().await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            query.stop().await.unwrap();
        }
        let context = format!("seed {seed}: {window}");
        let mut expected = at_once(&world, &windows("s", &window)).await;
        assert!(
            expected.iter().all(|row| row.ends_with("true")),
            "{context}: {expected:?}"
        );
        expected.pop();
        let mut given = lines.given().concat();
        given.sort();
        assert_eq!(given, expected, "{context}");
    }
}

/// `date_bin` counts days of 24 hours, but Berlin has a day of 23 and one of 25 hours.
#[tokio::test(start_paused = true)]
async fn day_windows_in_a_time_zone_contain_their_rows() {
    let world = world_of_times().await;
    for day in ["2024-03-30", "2024-03-31", "2024-10-26", "2024-10-27"] {
        for hour in [0, 22, 23] {
            world
                .put("words", "k", format!("{day}T{hour:02}:30:00"))
                .await;
        }
    }
    for window in [
        "tumble(ts, INTERVAL '1 day')",
        "tumble(ts, INTERVAL '1 month')",
        "tumble(ts, INTERVAL '1 day', TIMESTAMP '2024-01-31T23:00:00')",
        "hop(ts, INTERVAL '12 hours', INTERVAL '1 day')",
        "session(ts, INTERVAL '1 day')",
    ] {
        let sql = format!(
            "SELECT count(*), min(ts) >= window_start AND max(ts) <= window_end FROM
             (SELECT arrow_cast(CAST(CAST(data AS VARCHAR) AS TIMESTAMP), 'Timestamp(Millisecond, Some(\"Europe/Berlin\"))')
              AS ts FROM s) GROUP BY {window}"
        );
        let sql = match window.starts_with("tumble") {
            true => sql.replace("<=", "<"),
            // Aggregates of other windows do not have their bounds.
            false => sql.replace(
                "min(ts) >= window_start AND max(ts) <= window_end",
                "window_end > window_start",
            ),
        };
        let rows = at_once(&world, &sql).await;
        assert!(
            rows.iter().all(|row| row.ends_with("true")),
            "{window}: {rows:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn window_sizes_that_are_not_positive_are_refused() {
    let world = world_of_times().await;
    world.put("words", "k", "2024-01-01T00:00:00").await;
    for window in [
        "tumble(ts, INTERVAL '0 seconds')",
        "tumble(ts, INTERVAL '-1 hour')",
        "tumble(ts, INTERVAL '-1 month')",
        "tumble(ts, INTERVAL '1 month 1 day')",
        "tumble(ts, INTERVAL '-1 day', TIMESTAMP '2024-01-31T00:00:00')",
        "date_bin(INTERVAL '-1 hour', ts)",
        "hop(ts, INTERVAL '-1 minute', INTERVAL '1 hour')",
        "hop(ts, INTERVAL '0 seconds', INTERVAL '1 hour')",
        "hop(ts, INTERVAL '1 minute', INTERVAL '-1 hour')",
        "session(ts, INTERVAL '0 seconds')",
        "session(ts, INTERVAL '-1 minute')",
    ] {
        let sql = |table: &str| {
            format!(
                "SELECT count(*) FROM (SELECT CAST(CAST(data AS VARCHAR) AS TIMESTAMP) AS ts FROM {table})
                 GROUP BY {window}"
            )
        };
        let (kind, text) = world.refusal(&sql("s")).await;
        assert_eq!(kind, ErrorKind::InvalidOption, "{window}: {text}");
        assert!(
            text.contains("expected a positive duration"),
            "{window}: {text}"
        );
        for delay in [None, Some(Duration::ZERO)] {
            let query = grouped(&world, &sql("words"), OutputMode::Update);
            let query = match delay {
                Some(delay) => query.with_watermark(delay, None),
                None => query,
            };
            let error = fails(Lines::default().of(query)).await;
            let text = error.to_string();
            assert!(
                text.contains("expected a positive duration"),
                "{window}: {text}"
            );
        }
    }
}

/// Whether `-0.0` equals `0.0`, and which NaNs are equal, depends neither on the number of reads
/// nor on other aggregates.
#[tokio::test(start_paused = true)]
async fn floating_point_values_are_grouped_consistently() {
    let numbers = |table: &str| {
        format!(
            "(SELECT x * -1.0 AS neg, x, CASE WHEN partitionKey = 'nan' THEN CAST('NaN' AS DOUBLE) * (x - 1.0) ELSE x END AS n FROM
              (SELECT CAST(CAST(data AS VARCHAR) AS DOUBLE) AS x, partitionKey FROM {table}))"
        )
    };
    let world = world_of_times().await;
    for (key, data) in [
        ("k", "0"),
        ("k", "-0"),
        ("k", "1"),
        ("nan", "0"),
        ("nan", "NaN"),
        ("k", "NaN"),
        ("k", "-NaN"),
        ("k", "-0"),
    ] {
        world.put("words", key, data).await;
    }
    for select in [
        "count(DISTINCT x)",
        "count(DISTINCT x), count(DISTINCT neg)",
        "count(DISTINCT arrow_cast(x, 'Float32')), count(*)",
        "count(DISTINCT n)",
        "count(DISTINCT n), count(DISTINCT x)",
        "sum(DISTINCT CASE WHEN x < 2 THEN 1.0 / (x + 1.0) END)",
        "array_length(array_agg(DISTINCT x ORDER BY x))",
        "array_length(array_agg(DISTINCT neg ORDER BY neg)), count(DISTINCT x)",
        "count(DISTINCT x) FILTER (WHERE x < 1)",
    ] {
        let sql = |table: &str| format!("SELECT {select} FROM {}", numbers(table));
        let lines = Lines::default();
        run(lines.of(grouped(&world, &sql("words"), OutputMode::Complete))).await;
        let expected = at_once(&world, &sql("s")).await;
        assert_eq!(lines.given().pop(), Some(expected), "{select}");
    }
    // -0 and 0, 1, and NaNs of both signs.
    assert_eq!(
        at_once(
            &world,
            &format!("SELECT count(DISTINCT x) FROM {}", numbers("s"))
        )
        .await,
        ["4"]
    );
    let both = format!(
        "SELECT count(DISTINCT x), count(DISTINCT neg) FROM {}",
        numbers("s")
    );
    assert_eq!(at_once(&world, &both).await, ["4 4"]);
    for keys in ["x", "n", "x, n", "arrow_cast(neg, 'Float16')"] {
        let sql = |table: &str| {
            format!(
                "SELECT count(*) FROM (SELECT {keys} FROM {} GROUP BY {keys})",
                numbers(table)
            )
        };
        let groups = at_once(&world, &sql("s")).await;
        let lines = Lines::default();
        let sql = format!(
            "SELECT {keys}, count(*) FROM {} GROUP BY {keys}",
            numbers("words")
        );
        run(lines.of(grouped(&world, &sql, OutputMode::Complete))).await;
        let given = lines.given().pop().unwrap().len().to_string();
        assert_eq!([given], groups[..], "{keys}");
    }
}
