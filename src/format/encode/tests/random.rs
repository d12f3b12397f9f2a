//! Random rows survive a round trip.

use super::random_values::{random_column, random_type, scalar_types};
use super::*;

#[test]
fn random_rows_of_every_type_survive_json() {
    let formats = ["rfc3339", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"];
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let rows = random.usize(..20);
        let columns = random.usize(1..6);
        // Each type comes up, also without nesting.
        let scalars = scalar_types();
        let first = scalars[seed as usize % scalars.len()].clone();
        let others = (1..columns).map(|_| random_type(&mut random, 3));
        let types: Vec<DataType> = [first].into_iter().chain(others).collect();
        let fields: Fields = types
            .iter()
            .enumerate()
            .map(|(index, data_type)| {
                Field::new(format!("c{index} \"é\""), data_type.clone(), true)
            })
            .collect();
        let options = [
            ("kinesis.format", "json"),
            ("kinesis.json.timestampFormat", formats[random.usize(..5)]),
            (
                "kinesis.sink.nullFields",
                ["omit", "keep"][random.usize(..2)],
            ),
            (
                "kinesis.format.compression",
                ["none", "gzip", "zstd"][random.usize(..3)],
            ),
        ];
        let columns: Vec<ArrayRef> = (types.iter())
            .map(|data_type| random_column(data_type, rows + 2, &mut random).slice(1, rows))
            .collect();
        let schema = schema(&fields, &options);
        let documents = encoded(&schema, &columns).unwrap();
        assert_eq!(
            decoded(&schema, &documents),
            columns,
            "seed {seed}, {types:?}"
        );
    }
}

#[test]
fn random_values_of_every_type_survive_text() {
    let compressions = ["none", "gzip", "zstd"];
    for (seed, data_type) in scalar_types().into_iter().enumerate() {
        let mut random = Rng::with_seed(seed as u64);
        let values = random_column(&data_type, 50, &mut random);
        // NULL has no text.
        let is_value = datafusion::arrow::compute::is_not_null(&values).unwrap();
        let values = datafusion::arrow::compute::filter(&values, &is_value).unwrap();
        let options = [
            ("kinesis.format", "text"),
            ("kinesis.format.compression", compressions[seed % 3]),
        ];
        let schema = schema(&fields(&[("v", data_type.clone())]), &options);
        let documents = encoded(&schema, &[Arc::clone(&values)]).unwrap();
        assert_eq!(decoded(&schema, &documents), [values], "{data_type}");
    }
}

#[test]
fn random_rows_of_every_type_survive_csv() {
    let types = scalar_types();
    for seed in 0..100 {
        let mut random = Rng::with_seed(seed);
        let chosen: Vec<DataType> = (0..random.usize(1..5))
            .map(|index| types[(seed as usize + 7 * index) % types.len()].clone())
            .collect();
        let fields: Fields = (chosen.iter().enumerate())
            .map(|(index, data_type)| Field::new(format!("c{index}"), data_type.clone(), true))
            .collect();
        let options = [
            ("kinesis.format", "csv"),
            (
                "kinesis.csv.delimiter",
                [",", ";", "\\t"][random.usize(..3)],
            ),
            ("kinesis.csv.quote", ["\"", "'"][random.usize(..2)]),
            ("kinesis.csv.escape", ["\\", "\"", "'"][random.usize(..3)]),
            (
                "kinesis.csv.nullLiteral",
                ["NULL", "-", "a"][random.usize(..3)],
            ),
        ];
        let rows = random.usize(..30);
        let columns: Vec<ArrayRef> = (chosen.iter())
            .map(|data_type| random_column(data_type, rows, &mut random))
            .collect();
        let schema = schema(&fields, &options);
        let documents = encoded(&schema, &columns).unwrap();
        assert_eq!(
            decoded(&schema, &documents),
            columns,
            "seed {seed}, {options:?}"
        );
    }
}
