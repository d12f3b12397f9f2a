//! Compressed CSV and JSON files in the command.

use std::fs::{self, File};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::run;
use crate::process::folder;

#[test]
fn compressed_csv_and_json_files_are_read_and_written() {
    let folder = folder("compressed");
    let path = |name: &str| folder.join(name).display().to_string();
    for (kind, extension) in [
        ("gzip", "gz"),
        ("zstd", "zst"),
        ("bzip2", "bz2"),
        ("xz", "xz"),
    ] {
        for (format, header) in [("CSV", ", 'format.has_header' 'true'"), ("JSON", "")] {
            let name = format!("rows.{}.{extension}", format.to_lowercase());
            let options = format!("OPTIONS ('format.compression' '{kind}'{header})");
            let file = path(&name);
            let output = run(&format!(
                "COPY (SELECT 1 AS id, 'one' AS name) TO '{file}' STORED AS {format} {options};
                 CREATE EXTERNAL TABLE t STORED AS {format} LOCATION '{file}' {options};
                 SELECT id, name FROM t"
            ));
            assert_eq!(output, "count\n1\nid,name\n1,one\n", "{name}");
            let written = fs::read(&file).unwrap();
            assert!(
                !written.starts_with(b"id,name") && !written.starts_with(b"{"),
                "{name}"
            );
        }
    }
}

#[test]
fn a_file_of_gzip_is_read_by_a_folder_or_a_pattern() {
    let folder = folder("compressed-folder");
    let mut file = GzEncoder::new(
        File::create(folder.join("rows.csv.gz")).unwrap(),
        Compression::default(),
    );
    file.write_all(b"id,name\n1,one\n").unwrap();
    file.finish().unwrap();
    let options = "OPTIONS ('format.has_header' 'true', 'format.compression' 'gzip')";
    for location in ["", "*.csv.gz"] {
        let location = format!("{}/{location}", folder.display());
        for columns in ["", "(id BIGINT, name VARCHAR)"] {
            let output = run(&format!(
                "CREATE EXTERNAL TABLE t {columns} STORED AS CSV LOCATION '{location}' {options}; SELECT * FROM t"
            ));
            assert_eq!(output, "id,name\n1,one\n", "{location} {columns}");
        }
    }
}
