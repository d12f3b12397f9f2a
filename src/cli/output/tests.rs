use super::*;
use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use std::sync::Arc;

fn words() -> RecordBatch {
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a,\"b\""), None]));
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2)]));
    RecordBatch::try_from_iter([("word", words), ("n", counts)]).unwrap()
}

fn table(table_limit: Option<usize>) -> Output {
    Output {
        format: Format::Table,
        table_limit,
        width: Width::Unlimited,
        expanded: false,
    }
}

/// Number of rows waiting for their page.
fn kept(printer: &Printer) -> usize {
    match &printer.view {
        View::Table(page) => page.rows(),
        View::Expanded(_) => 0,
    }
}

#[test]
fn json_prints_one_object_per_line_with_nulls() {
    let rows = json_bytes(&words()).unwrap();
    assert_eq!(
        String::from_utf8(rows).unwrap(),
        "{\"word\":\"a,\\\"b\\\"\",\"n\":1}\n{\"word\":null,\"n\":2}\n"
    );
}

#[test]
fn a_limited_table_keeps_its_first_rows_and_counts_all() {
    let output = table(Some(3));
    let batch = words();
    let mut printer = Printer::new(output, ResultKind::Rows, &batch.schema(), Instant::now());
    for _ in 0..3 {
        printer.batch(&batch).unwrap();
    }
    assert_eq!(kept(&printer), 3);
    let note = printer.finish().unwrap();
    assert_eq!(
        note.as_deref(),
        Some("showing 3 of 6 rows; --output csv or json prints all")
    );
}

#[test]
fn each_batch_of_a_stream_has_its_own_frame_and_limit() {
    let output = table(Some(3));
    let batch = words();
    let mut printer = Printer::new(output, ResultKind::Rows, &batch.schema(), Instant::now());
    assert_eq!(printer.frame().unwrap(), None);
    for _ in 0..2 {
        printer.batch(&batch).unwrap();
    }
    let note = printer.frame().unwrap();
    assert_eq!(
        note.as_deref(),
        Some("showing 3 of 4 rows; --output csv or json prints all")
    );
    assert_eq!(kept(&printer), 0);
    printer.batch(&batch).unwrap();
    assert_eq!(kept(&printer), 2);
    assert_eq!(printer.frame().unwrap(), None);
}

#[test]
fn a_table_keeps_at_most_one_page() {
    let output = table(None);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..7000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut printer = Printer::new(output, ResultKind::Rows, &batch.schema(), Instant::now());
    let held: Vec<_> = (0..3)
        .map(|_| {
            printer.batch(&batch).unwrap();
            kept(&printer)
        })
        .collect();
    assert_eq!(held, [7000, 4000, 1000]);
    assert_eq!(printer.rows, 21000);
}

#[test]
fn a_count_is_summed_over_batches() {
    let counts: ArrayRef = Arc::new(UInt64Array::from(vec![2, 3]));
    assert_eq!(
        count(&RecordBatch::try_from_iter([("count", counts)]).unwrap()),
        5
    );
    assert_eq!(rows(1), "1 row");
    assert_eq!(rows(0), "0 rows");
}
