use super::*;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use std::sync::Arc;

#[test]
fn a_page_of_long_values_is_full_before_its_row_limit() {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20); 10]));
    let batch = RecordBatch::try_from_iter([("v", long)]).unwrap();
    let values = Values::of(&batch).unwrap();
    let mut page = Page::new(&batch.schema(), None, LineBreaks::Escaped);
    for row in 0..8 {
        assert!(!page.is_full(), "{row}");
        page.add(&values, row).unwrap();
    }
    assert!(page.is_full());
    let mut printed = Vec::new();
    assert!(!page.print(&mut printed).unwrap());
    assert_eq!(
        printed.iter().filter(|byte| **byte == b'x').count(),
        8 << 20
    );
    assert!(!page.is_full());
    let mut narrow = Page::new(&batch.schema(), Some(80), LineBreaks::Escaped);
    for row in 0..10 {
        narrow.add(&values, row).unwrap();
    }
    assert!(narrow.bytes < 1000 && narrow.print(&mut printed).unwrap());
}

#[test]
fn a_value_of_zero_width_marks_is_cut() {
    let marks: ArrayRef = Arc::new(StringArray::from(vec!["\u{301}".repeat(1 << 20)]));
    let batch = RecordBatch::try_from_iter([("v", marks)]).unwrap();
    let values = Values::of(&batch).unwrap();
    let mut page = Page::new(&batch.schema(), Some(20), LineBreaks::Escaped);
    page.add(&values, 0).unwrap();
    let mut printed = Vec::new();
    assert!(page.print(&mut printed).unwrap());
    assert!(printed.len() < 1000, "{}", printed.len());
}

#[test]
fn the_widest_columns_shrink_and_share_the_remaining_width() {
    assert_eq!(fit(&[3, 5], 80), [3, 5]);
    assert_eq!(fit(&[3, 500], 30), [3, 20]);
    assert_eq!(fit(&[3, 500, 400], 50), [3, 18, 18]);
    assert_eq!(fit(&[10, 40, 40], 100), [10, 40, 40]);
    assert_eq!(fit(&[100; 20], 80), [NARROWEST; 20]);
    assert_eq!(fit(&[], 80), [0; 0]);
}

#[test]
fn text_is_cut_between_characters_by_display_width() {
    assert_eq!(shortened("hello", 3), ("hel", 3));
    assert_eq!(shortened("日本語", 3), ("日", 2));
    assert_eq!(shortened("日本語", 4), ("日本", 4));
    assert_eq!(shortened("e\u{301}x", 1), ("e\u{301}", 1));
}
