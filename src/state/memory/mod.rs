//! The groups of a query in memory: their columns, their lookup by key, and when they close.

mod columns;
mod expiry;
mod grouping;
mod groups;
mod sample;
mod schema;
mod store;

pub(crate) use columns::{After, Ends, SessionColumns, StateColumns};
pub(crate) use expiry::{Expiry, instant, millis};
pub(crate) use grouping::{BatchOutput, BatchWatermarks, Grouping};
pub(crate) use groups::Layout;
pub(crate) use sample::SomeGroups;
pub(crate) use schema::{have_same_types, state_schema, unique_names};
pub(crate) use store::{StateImage, StateStore};
