use super::*;
use datafusion::arrow::array::{ArrayRef, Int64Array, NullArray, StringArray};
use std::sync::Arc;

fn lines(columns: &[(&str, ArrayRef)]) -> String {
    let columns = columns
        .iter()
        .map(|(name, values)| (*name, Arc::clone(values)));
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, values)| (name, values, true)),
    )
    .unwrap();
    let bytes = [header(&batch.schema()), rows(&batch).unwrap()].concat();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn special_values_are_quoted_and_null_is_not() {
    let words = ["a,\"b\"", "", "line\nbreak", " plain "];
    let words = words.into_iter().map(Some).chain([None]);
    let words: ArrayRef = Arc::new(words.collect::<StringArray>());
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), None, None]));
    assert_eq!(
        lines(&[("a \"word\"", words), ("n", numbers)]),
        "\"a \"\"word\"\"\",n\n\"a,\"\"b\"\"\",1\n\"\",\n\"line\nbreak\",3\n plain ,\n,\n"
    );
}

#[test]
fn a_null_typed_column_is_empty() {
    assert_eq!(lines(&[("n", Arc::new(NullArray::new(2)))]), "n\n\n\n");
}
