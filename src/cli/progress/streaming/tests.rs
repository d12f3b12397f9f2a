use super::*;

fn line(done: Done, rows_per_second: f64, state: &str) -> String {
    let snapshot = Snapshot {
        done,
        rows_per_second,
        state,
    };
    snapshot.to_string()
}

#[test]
fn the_line_shows_batch_rate_lag_and_status() {
    let done = Done {
        batches: 3,
        rows: 20_000,
        newest: Some(BatchId(12)),
        behind: Duration::from_millis(240),
        earlier_losses: 0,
        losses: 0,
        skipped: 0,
        unfit: 0,
        dropped: 0,
    };
    assert_eq!(
        line(done, 3400.4, "Waiting for data"),
        "batch 12  3,400 rows/s  0.2 s behind  waiting for data"
    );
    let at_the_tip = Done {
        behind: Duration::ZERO,
        ..done
    };
    assert_eq!(
        line(at_the_tip, 0.0, "Waiting for data"),
        "batch 12  0 rows/s  waiting for data"
    );
}

#[test]
fn before_the_first_batch_only_the_status_is_shown() {
    assert_eq!(line(Done::default(), 0.0, "Initializing"), "initializing");
}

#[test]
fn the_summary_counts_in_words() {
    let tally = |batches, rows| {
        let done = Done {
            batches,
            rows,
            ..Done::default()
        };
        Tally(Mutex::new(done))
    };
    let summary = |batches, rows| tally(batches, rows).summary();
    assert_eq!(summary(0, 0), "0 batches, 0 rows read");
    assert_eq!(summary(1, 1), "1 batch, 1 row read");
    assert_eq!(summary(12, 3400), "12 batches, 3,400 rows read");
    for (losses, words) in [(1, "1 data loss"), (1_200, "1,200 data losses")] {
        let tally = tally(12, 3400);
        tally.found_losses(losses);
        let summary = format!(
            "12 batches, 3,400 rows read, {words} (records were gone before they were read: see the \
             warnings)"
        );
        assert_eq!(tally.summary(), summary);
        let note = closing_note(&tally, Instant::now(), false);
        assert!(note.is_some_and(|note| note.starts_with(&summary)));
    }
}

#[test]
fn the_summary_counts_skipped_documents_and_unfit_values() {
    let done = Done {
        batches: 2,
        rows: 7,
        skipped: 3,
        unfit: 1,
        ..Done::default()
    };
    let tally = Tally(Mutex::new(done));
    let summary = "2 batches, 7 rows read, 3 documents skipped that cannot be parsed, 1 value does not fit the type \
                   of the column (NULL instead: see option 'kinesis.format.errorColumn')";
    assert_eq!(tally.summary(), summary);
    let note = closing_note(&tally, Instant::now(), false);
    assert!(note.is_some_and(|note| note.starts_with(summary)));
}

#[test]
fn the_summary_counts_dropped_rows() {
    let done = Done {
        batches: 2,
        dropped: 1_203,
        ..Done::default()
    };
    let tally = Tally(Mutex::new(done));
    let summary = "2 batches, 0 rows read, 1,203 rows dropped that came after the watermark or had no event time";
    assert_eq!(tally.summary(), summary);
    let note = closing_note(&tally, Instant::now(), false);
    assert!(note.is_some_and(|note| note.starts_with(summary)));
}

#[tokio::test(start_paused = true)]
async fn the_rate_covers_only_its_window() {
    let mut progress = StreamingProgress::start(Arc::default());
    let start = Instant::now();
    let rates: Vec<_> = [(1, 8000), (2, 9000), (3, 10_000), (4, 11_000)]
        .into_iter()
        .map(|(second, rows)| progress.sample(start + Duration::from_secs(second), rows))
        .collect();
    assert_eq!(rates, [8000.0, 4500.0, 1000.0, 1000.0]);
}
