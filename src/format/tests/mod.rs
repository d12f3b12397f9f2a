//! Tests that concern several formats.

mod long_records;
