//! The `kinesis-sql` command.

fn main() {}
