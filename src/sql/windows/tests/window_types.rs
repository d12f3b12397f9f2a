//! `HopWindow` and `SessionWindow`, which streaming state uses directly.

use std::iter::successors;

use datafusion::arrow::array::{AsArray, Float64Array, TimestampSecondArray};
use datafusion::arrow::datatypes::{Int64Type, TimestampSecondType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;
use datafusion::physical_plan::expressions::Column;

use super::*;
use crate::sql::windows::{HopWindow, SessionWindow, windowed};

fn hop(slide: i64, size: i64) -> HopWindow {
    HopWindow::try_new(0, slide, size).unwrap()
}

/// The starts of the panes of the window that starts at `start`, in ascending order.
fn panes_of(window: &HopWindow, start: i64) -> impl Iterator<Item = i64> {
    let (pane, size) = (window.pane(), window.size());
    successors(Some(start), move |pane_start| pane_start.checked_add(pane))
        .take_while(move |pane_start| pane_start.checked_sub(start).is_some_and(|at| at < size))
}

#[test]
fn a_pane_is_the_greatest_common_divisor_of_slide_and_size() {
    for (slide, size, pane) in [(10, 20, 10), (10, 15, 5), (7, 7, 7), (4, 9, 1), (6, 15, 3)] {
        let window = hop(slide, size);
        assert_eq!(
            (window.slide(), window.size(), window.pane()),
            (slide, size, pane)
        );
    }
}

#[test]
fn windows_of_panes_and_panes_of_windows_agree() {
    for (slide, size) in [(10, 20), (10, 15), (7, 7), (4, 9), (6, 15)] {
        let window = hop(slide, size);
        for pane in (-60..60).filter(|pane| pane % window.pane() == 0) {
            let windows: Vec<i64> = window.windows_of(pane).collect();
            let holding = (-100..100).map(|n| n * slide);
            let holding = holding.filter(|start| (*start..start + size).contains(&pane));
            assert_eq!(windows, holding.collect::<Vec<i64>>(), "{window:?} {pane}");
            assert!(windows.len() <= window.windows_per_pane());
            for start in windows {
                assert!(panes_of(&window, start).any(|part| part == pane));
            }
        }
        let panes: Vec<i64> = panes_of(&window, -slide).collect();
        assert_eq!(panes.first(), Some(&-slide));
        assert_eq!(panes.last(), Some(&(size - slide - window.pane())));
    }
}

#[test]
fn windows_at_the_limits_of_the_type_do_not_overflow() {
    let window = hop(10, 20);
    assert_eq!(window.windows_of(i64::MIN).count(), 0);
    let last = i64::MAX - 7;
    assert_eq!(
        window.windows_of(last).collect::<Vec<_>>(),
        [last - 10, last]
    );
    assert_eq!(panes_of(&window, last).count(), 1);
}

#[test]
fn panes_expand_to_windows() {
    let panes = batch(
        &[
            (Some(10), Some("a"), 1),
            (None, Some("b"), 2),
            (Some(-10), None, 3),
        ],
        &SECONDS,
    );
    let windows = hop(10, 20).expand(&panes).unwrap();
    assert_eq!(windows.schema(), panes.schema());
    assert_eq!(
        lines(&[windows]),
        [
            format!("{}|a|1", at(0)),
            format!("{}|a|1", at(10)),
            "NULL|b|2".to_owned(),
            "1969-12-31T23:59:40|NULL|3".to_owned(),
            "1969-12-31T23:59:50|NULL|3".to_owned(),
        ]
    );
    assert_eq!(
        hop(10, 20).expand(&panes.slice(0, 0)).unwrap().num_rows(),
        0
    );
}

/// Rows of start, end and key, with the row number in the last column.
fn parts(rows: &[(Option<i64>, i64, &str)]) -> RecordBatch {
    let times = |times: Int64Array| cast(&(Arc::new(times) as ArrayRef), &SECONDS).unwrap();
    let starts: Int64Array = rows.iter().map(|row| row.0).collect();
    let ends: Int64Array = rows.iter().map(|row| row.0.map(|_| row.1)).collect();
    let keys: StringArray = rows.iter().map(|row| Some(row.2)).collect();
    let numbers: Int64Array = (0..).take(rows.len()).map(Some).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("key", Arc::new(keys)),
        ("end", times(ends)),
        ("start", times(starts)),
        ("number", Arc::new(numbers)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn merged_rows_keep_their_order() {
    let session = SessionWindow {
        start: 2,
        end: 1,
        gap: 5,
    };
    assert_eq!(session.keys(3), [0]);
    let rows = parts(&[
        (Some(30), 35, "a"),
        (Some(0), 20, "a"),  // A session of an earlier batch,
        (Some(3), 8, "a"),   // a row within it,
        (Some(20), 25, "a"), // and a row that touches it.
        (Some(26), 31, "b"),
        (None, 0, "a"),
        (Some(-4), -1, "a"),
    ]);
    let merged = session.assign(&rows, &[0]).unwrap();
    assert_eq!(merged.schema(), rows.schema());
    let numbers = |column: usize| {
        let column = merged.column(column).as_primitive::<TimestampSecondType>();
        column.iter().collect::<Vec<Option<i64>>>()
    };
    assert_eq!(
        numbers(2),
        [
            Some(30),
            Some(0),
            Some(0),
            Some(0),
            Some(26),
            None,
            Some(-4)
        ]
    );
    assert_eq!(
        numbers(1),
        [
            Some(35),
            Some(25),
            Some(25),
            Some(25),
            Some(31),
            None,
            Some(-1)
        ]
    );
    let row_numbers = merged.column(3).as_primitive::<Int64Type>();
    assert_eq!(row_numbers.values().to_vec(), (0..7).collect::<Vec<i64>>());
    let without_keys = session.assign(&rows, &[]).unwrap();
    assert_eq!(
        lines(&[without_keys])[0].split('|').nth(2),
        Some("1970-01-01T00:00:26")
    );
    assert_eq!(
        session.assign(&rows.slice(0, 0), &[0]).unwrap().num_rows(),
        0
    );
}

#[test]
fn groups_without_a_window_are_unchanged() {
    let schema = batch(&[], &SECONDS).schema();
    let key = Arc::new(Column::new("key", 1)) as Arc<dyn PhysicalExpr>;
    let group_by = PhysicalGroupBy::new_single(vec![(key, "key".to_owned())]);
    assert!(windowed(&group_by, &schema).unwrap().is_none());
}

#[test]
fn negative_zero_is_the_same_session_key_as_zero() {
    let seconds = |values: Vec<i64>| {
        let values = TimestampSecondArray::from(values);
        Arc::new(values) as ArrayRef
    };
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0]));
    let columns = [
        ("start", seconds(vec![1, 2])),
        ("end", seconds(vec![6, 7])),
        ("key", zeros),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let window = SessionWindow {
        start: 0,
        end: 1,
        gap: 5,
    };
    let merged = window.assign(&rows, &[2]).unwrap();
    let ends = merged.column(1).as_primitive::<TimestampSecondType>();
    assert_eq!(ends.values(), &[7, 7]);
}
