//! A table without files is an error that says what is there.

use std::fs;

use crate::process::{command, folder};

/// What the command says about a read of table `t` at `location`, which must fail.
fn refused(before: &str, columns: &str, location: &str) -> String {
    let statements = format!(
        "{before}
         CREATE EXTERNAL TABLE t {columns} STORED AS CSV LOCATION '{location}';
         SELECT * FROM t"
    );
    let output = command()
        .args(["--output", "csv", "-c", &statements])
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{location}: {said}");
    said
}

const DECLARED: &str = "(id VARCHAR, name VARCHAR)";

#[test]
fn a_missing_file_folder_or_pattern_is_named() {
    let folder = folder("missing");
    let place = folder.display().to_string();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("notes.txt"), "x").unwrap();
    for (location, expected) in [
        (format!("{place}/names.csv"), "does not exist"),
        (format!("{place}/names/"), "does not exist"),
        (format!("{place}/empty/"), "there are no files"),
        (
            format!("{place}/*.csv"),
            "no file matches '*.csv', found 'notes.txt'",
        ),
        ("memory://missing/names/".to_owned(), "there are no files"),
        (
            "memory://missing/names.csv".to_owned(),
            "there are no files",
        ),
    ] {
        let said = refused("", DECLARED, &location);
        assert!(said.contains(expected), "{location}: {said}");
        let shown = location.trim_end_matches("*.csv");
        assert!(said.contains("table 't'") && said.contains(shown), "{said}");
    }
}

#[test]
fn files_of_another_format_are_named() {
    let folder = folder("foreign");
    let place = folder.display().to_string();
    let copy = "COPY (SELECT '1' AS id, 'one' AS name) TO";
    let gzip = "STORED AS CSV OPTIONS ('format.compression' 'gzip')";
    for before in [
        format!("{copy} '{place}/a.csv.gz' {gzip}; {copy} '{place}/b.json' STORED AS JSON;"),
        format!(
            "{copy} 'memory://foreign/a.csv.gz' {gzip}; {copy} 'memory://foreign/b.json' STORED AS JSON;"
        ),
    ] {
        let location = match before.contains("memory") {
            true => "memory://foreign/",
            false => &format!("{place}/"),
        };
        let said = refused(&before, DECLARED, location);
        let expected = "another format only: expected .csv files, found 'a.csv.gz', 'b.json'";
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("'format.compression' 'gzip'"), "{said}");
    }
    let said = refused("", DECLARED, &format!("{place}/a.csv.gz"));
    assert!(said.contains("another format only"), "{said}");
    // A file with a name of its own may have any format.
    fs::write(folder.join("names"), "1,one\n").unwrap();
    let statements = format!(
        "CREATE EXTERNAL TABLE t {DECLARED} STORED AS CSV LOCATION '{place}/names' OPTIONS ('format.has_header' 'false');
         SELECT * FROM t"
    );
    assert_eq!(super::run(&statements), "id,name\n1,one\n");
}

#[test]
fn a_location_with_credentials_is_refused_and_not_shown() {
    for statement in [
        "CREATE EXTERNAL TABLE t (v VARCHAR) STORED AS CSV LOCATION 's3://ada:hunter2@bucket/t/'",
        "CREATE EXTERNAL TABLE t (v VARCHAR) STORED AS CSV LOCATION 's3://bucket/t/?token=hunter2'",
        "COPY (SELECT 1 AS v) TO 's3://ada:hunter2@bucket/t.csv'",
        "COPY (SELECT 1 AS v) TO 'https://bucket/t.csv?sig=hunter2'",
    ] {
        let output = command().args(["-c", statement]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("'***'"), "{statement}: {said}");
        assert!(!said.contains("hunter2"), "{statement}: {said}");
    }
}

#[cfg(not(feature = "gcp"))]
#[test]
fn a_store_that_the_build_lacks_is_named_with_its_feature() {
    let said = refused("", DECLARED, "gs://bucket/names/");
    assert!(said.contains("cargo feature 'gcp'"), "{said}");
}
