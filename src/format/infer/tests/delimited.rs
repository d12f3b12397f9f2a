//! Lines of delimited values.

use super::*;

#[test]
fn delimited_lines_are_told_from_sentences() {
    let lines = [
        "2026-11-30T08:00:00Z,oven,230.5,true",
        "2026-11-30T08:00:10Z,\"a, b\",12,false",
    ];
    let expected = ["c1 TIMESTAMP", "c2 VARCHAR", "c3 DOUBLE", "c4 BOOLEAN"];
    assert_eq!(columns(&lines), expected);
    assert!(auto(&lines).contains("'kinesis.format' 'csv'"));
    for delimiter in ["\t", ";", "|"] {
        let lines = ["1,x", "2,y"].map(|line| line.replace(',', delimiter));
        let lines = [lines[0].as_str(), lines[1].as_str()];
        assert_eq!(columns(&lines), ["c1 BIGINT", "c2 VARCHAR"]);
        let shown = match delimiter {
            "\t" => "\\t",
            other => other,
        };
        let option = format!("'kinesis.csv.delimiter' '{shown}'");
        assert!(auto(&lines).contains(&option), "{delimiter}");
    }
    assert_eq!(columns(&["2026-11-30,a", ",b"]), ["c1 DATE", "c2 VARCHAR"]);
    let codes = ["c1 VARCHAR", "c2 VARCHAR", "c3 VARCHAR"];
    assert_eq!(columns(&["007,,a", "1,x,b"]), codes);
    let batch = auto(&["1,x\n2,y\n"]);
    assert!(
        batch.contains("'kinesis.format.framing' 'newline'"),
        "{batch}"
    );
    for text in [
        &["Hello, world", "Good morning, all"][..],
        &["a plain message"],
        &["12"],
        &["\"a JSON string\"", "[1, 2]"],
    ] {
        assert_eq!(columns(text), ["message VARCHAR"], "{text:?}");
        assert!(auto(text).contains("'kinesis.format' 'text'"));
    }
}

#[test]
fn lines_with_another_number_of_values_are_bad() {
    let lines = ["1,x", "2,y,z", "3", "4,w", "5,\"open"];
    let text = statement(&lines, RequestedFormat::Csv);
    for part in [
        "5 records, 2 documents, 3 bad",
        "record 2 has 3 values: expected 2",
        "c1 BIGINT,  -- in 2 of 2",
        "'kinesis.format.onError' 'null'",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("c3"), "{text}");

    let alike = std::iter::repeat_n("1,x", 19);
    let lines: Vec<&str> = alike.chain(["2"]).collect();
    let text = auto(&lines);
    assert!(text.contains("19 documents, 1 bad"), "{text}");

    let text = statement(&["1,2\n3\n4,5\n"], RequestedFormat::Csv);
    assert!(text.contains("2 documents, 1 bad"), "{text}");
}

#[test]
fn quotes_are_read_as_a_table_reads_them() {
    let lines = ["1,\"a\nb\",2", "2,\"say \"\"x\"\"\",3"];
    let text = statement(&lines, RequestedFormat::Csv);
    assert!(text.contains("2 documents, 0 bad"), "{text}");
    let text = statement(&["1,\"a\" b", "1,c"], RequestedFormat::Csv);
    assert!(
        text.contains("record 1 has text after its closing quote"),
        "{text}"
    );
}

#[test]
fn a_number_that_no_double_holds_is_text() {
    let text = auto(&["1e400,1,x", "2,1,y"]);
    assert!(text.contains("c1 VARCHAR"), "{text}");
}
