//! What this crate adds to DataFusion's SQL.
//!
//! [`statement`] parses one statement, applies the rewrites below, and plans it. [`install`](mod@install) registers the
//! functions, optimizer rules and settings in a session.
//!
//! - [`identifiers`]: bare column names of Kinesis tables in any case (`partitionKey`).
//! - [`windows`]: `tumble`, `hop` and `session` in GROUP BY, `window_start` and `window_end`.
//! - [`derived_tables`]: both of these in `FROM (SELECT …)` of a statement that `SessionContext::sql` plans.
//! - [`statement_set`]: `EXECUTE STATEMENT SET BEGIN … END`, several INSERTs that run as one query.
//! - [`json`]: JSON functions and operators, also on binary columns.
//! - [`settings`]: `SET streaming.…`, as [`StreamingSettings`].
//! - [`overflow`], [`distinct_floats`]: integer overflow is an error; `0.0` and `-0.0` are one DISTINCT value.
//! - [`row_errors`]: names the record and the expression at which a statement failed.
//! - [`insert_checks`]: refuses INSERTs for which DataFusion would write wrong data.
//! - [`describe`]: `DESCRIBE` shows where the columns of a Kinesis table come from.
//! - [`column_lists`]: refuses parts of the column list of a Kinesis table that would have no effect, and gives
//!   TIMESTAMP WITH TIME ZONE in it a time zone.
//! - [`variables`]: environment variables in string literals, for the command.
//! - [`show_create`], [`duplicate_columns`], [`file_checks`], [`hints`]: complete `SHOW CREATE TABLE`
//!   output, distinct column names, file tables whose format or location does not exist, and error
//!   messages that name an alternative.

mod column_lists;
mod derived_tables;
mod describe;
mod distinct_floats;
mod duplicate_columns;
mod engine_rules;
mod file_checks;
mod functions;
mod hints;
mod identifiers;
mod insert_checks;
mod install;
mod json;
mod overflow;
mod row_errors;
mod settings;
mod show_create;
mod statement;
mod statement_set;
mod token_offsets;
mod tokens;
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "only the command sets variables")
)]
mod variables;
pub(crate) mod windows;

pub(crate) use engine_rules::expect_rules;
pub(crate) use install::install;
pub(crate) use overflow::check_overflow;
pub use overflow::fail_on_overflow;
pub(crate) use row_errors::with_record;
pub use settings::StreamingSettings;
pub(crate) use statement::{READ_STATE, logical_plan, plan_to_run};
#[cfg(feature = "cli")]
pub(crate) use statement_set::StatementEnds;
pub(crate) use statement_set::{is_statement_set, statement_set_of, statements_of_set};
#[cfg(feature = "cli")]
pub(crate) use token_offsets::TokenOffsets;
#[cfg(feature = "cli")]
pub(crate) use variables::Unusable;
pub(crate) use variables::{Variables, hash_of_values};
