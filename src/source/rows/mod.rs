//! Converts pages of Kinesis records to rows: opens aggregates, cuts pages, selects columns.

mod aggregated;
mod builder;
mod columns;
mod counted_page;
mod hash_filter;
mod page_slice;
mod read_columns;
mod row_counts;

pub(crate) use self::builder::{Findings, OpenPage, RowBuilder};
pub(crate) use self::columns::page_columns;
pub(crate) use self::columns::{RowColumn, row_schema};
pub(crate) use self::counted_page::{CountedPage, Extent, RECORD_OVERHEAD_BYTES};
pub(crate) use self::hash_filter::hash_filter_range;
pub(crate) use self::page_slice::{PageSlice, RowIndex};
