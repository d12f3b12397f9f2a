//! Text and CSV as they are written.

use datafusion::arrow::array::{
    Float64Array, Int64Array, StringViewArray, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::TimeUnit;

use super::*;

#[test]
fn text_is_written_as_it_is() {
    let text = |data_type, values: ArrayRef, options: &[(&str, &str)]| {
        let mut all = vec![("kinesis.format", "text")];
        all.extend(options);
        encoded(&schema(&fields(&[("v", data_type)]), &all), &[values])
    };
    let strings: ArrayRef = Arc::new(StringViewArray::from(vec!["a \"b\"\n", ""]));
    let documents = text(DataType::Utf8View, strings, &[]).unwrap();
    assert_eq!(texts(&documents), ["a \"b\"\n", ""]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0xff_u8, 0][..]]));
    let documents = text(DataType::Binary, bytes, &[]).unwrap();
    assert_eq!(documents.value(0), [0xff, 0]);
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.5, f64::NEG_INFINITY]));
    let documents = text(DataType::Float64, numbers, &[]).unwrap();
    assert_eq!(texts(&documents), ["0.5", "-Infinity"]);
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000]));
    let data_type = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let documents = text(data_type.clone(), Arc::clone(&times), &[]).unwrap();
    assert_eq!(texts(&documents), ["1970-01-01T00:00:01.500Z"]);
    let options = [("kinesis.json.timestampFormat", "epoch_ms")];
    let documents = text(data_type, times, &options).unwrap();
    assert_eq!(texts(&documents), ["1500"]);
    let null: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let error = text(DataType::Int64, null, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2: it cannot be encoded as text: field 'v': NULL is no text: expected a value"
    );
}

#[test]
fn csv_values_are_quoted_only_when_needed() {
    let csv = |options: &[(&str, &str)], rows: &[(Option<&str>, Option<i64>)]| {
        let mut all = vec![("kinesis.format", "csv")];
        all.extend(options);
        let fields = fields(&[("s", DataType::Utf8), ("n", DataType::Int64)]);
        let strings: StringArray = rows.iter().map(|(text, _)| *text).collect();
        let numbers: Int64Array = rows.iter().map(|(_, number)| *number).collect();
        let columns: [ArrayRef; 2] = [Arc::new(strings), Arc::new(numbers)];
        let documents = encoded(&schema(&fields, &all), &columns).unwrap();
        texts(&documents)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows = [
        (Some("plain text"), Some(-1)),
        (Some("a,b"), None),
        (Some("say \"hi\""), Some(2)),
        (Some("two\nlines"), Some(3)),
        (Some(""), Some(4)),
        (None, Some(5)),
    ];
    let expected = [
        "plain text,-1",
        "\"a,b\",",
        "\"say \"\"hi\"\"\",2",
        "\"two\nlines\",3",
        ",4",
        ",5",
    ];
    assert_eq!(csv(&[], &rows), expected);
    let options = [
        ("kinesis.csv.delimiter", "\\t"),
        ("kinesis.csv.quote", "'"),
        ("kinesis.csv.escape", "\\"),
        ("kinesis.csv.nullLiteral", "NULL"),
    ];
    let rows = [
        (Some("a,b"), None),
        (Some("a\tb"), Some(1)),
        (Some("it's"), Some(2)),
        (Some("a\\b"), Some(3)),
        (Some("NULL"), Some(4)),
        (None, Some(5)),
    ];
    let expected = [
        "a,b\tNULL",
        "'a\tb'\t1",
        "'it\\'s'\t2",
        "'a\\\\b'\t3",
        "'NULL'\t4",
        "NULL\t5",
    ];
    assert_eq!(csv(&options, &rows), expected);
}

/// Encodes the only column of a table with framing `newline`, and decodes it again.
fn by_line(
    format: &str,
    data_type: DataType,
    values: ArrayRef,
    options: &[(&str, &str)],
) -> Result<ArrayRef> {
    let mut all = vec![
        ("kinesis.format", format),
        ("kinesis.format.framing", "newline"),
    ];
    all.extend(options);
    let schema = schema(&fields(&[("v", data_type)]), &all);
    let documents = encoded(&schema, &[values])?;
    Ok(decoded(&schema, &documents).remove(0))
}

#[test]
fn text_that_is_not_one_line_is_refused_by_framing_newline() {
    let text = |value: &str| {
        let values: ArrayRef = Arc::new(StringViewArray::from(vec!["fine", value]));
        by_line("text", DataType::Utf8View, Arc::clone(&values), &[]).map(|read| (values, read))
    };
    for value in ["", " \t", "a\nb", "\n", "a\r", "a\r\n"] {
        let error = text(value).unwrap_err().to_string();
        assert!(
            error.starts_with("row 2: it cannot be encoded as text: field 'v': ")
                && error.contains("'kinesis.format.framing' = 'newline'"),
            "{value:?}: {error}"
        );
    }
    for value in [" a ", "a\rb", "\u{feff}a", "\""] {
        let (written, read) = text(value).unwrap();
        assert_eq!(&written, &read, "{value:?}");
    }
}

#[test]
fn a_null_that_is_an_empty_line_of_csv_is_refused_by_framing_newline() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let strings: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("a"),
        None,
        Some(""),
        Some("b\nc"),
        Some(" "),
    ]));
    for (data_type, values) in [(DataType::Int64, numbers), (DataType::Utf8View, strings)] {
        let csv = |options| by_line("csv", data_type.clone(), Arc::clone(&values), options);
        let error = csv(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("row 2: it cannot be encoded as csv: field 'v': NULL ")
                && error.contains("'kinesis.csv.nullLiteral'"),
            "{error}"
        );
        let read = csv(&[("kinesis.csv.nullLiteral", "-")]).unwrap();
        assert_eq!(&read, &values);
    }
}
