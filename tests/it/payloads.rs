//! Payloads as columns: policies for bad documents, event time, dead letters, restarts.

mod avro;
mod dead_letters;
mod declarations;
mod keys;
mod policies;
mod random;
mod registries;
mod tables;
mod time_zones;
mod windows;
mod writing;

use crate::support::World;

const COLUMNS: &str = "(userId BIGINT, url VARCHAR, ts TIMESTAMP, geo STRUCT<country VARCHAR, lat DOUBLE>, tags VARCHAR[])";

/// A world with a stream `clicks` that has `documents`, one per record, each with its number as the key.
async fn clicks(documents: &[&str]) -> World {
    let world = World::new();
    world.table("raw", 1, "").await;
    for (n, document) in documents.iter().enumerate() {
        world
            .put("raw", &n.to_string(), (*document).to_owned())
            .await;
    }
    world
}

/// Creates a bounded table of the stream `raw` with these columns and options.
async fn decoded(world: &World, table: &str, columns: &str, options: &str) {
    world
        .run(&format!(
            "CREATE EXTERNAL TABLE {table} {columns} STORED AS \"aws-kinesis\" LOCATION 'raw'
             OPTIONS ('kinesis.format' 'json' {options})"
        ))
        .await;
}
