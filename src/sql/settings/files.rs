//! The setting of tables of files.

use std::time::Duration;

use super::{Setting, assign};
use crate::model::{format_duration, parse_duration};

/// The value that keeps no rows.
const EVERY_BATCH: &str = "every batch";

pub(super) const REFRESH_TABLES: Setting = Setting {
    name: "refresh_tables",
    description: "When a streaming query reads tables of files again: 'every batch', or after a duration such as '10 minutes', for which up to 256 MiB of rows of each table are kept in memory.",
    get: |settings| {
        let kept = settings.refresh_tables.map(format_duration);
        kept.or_else(|| Some(EVERY_BATCH.to_owned()))
    },
    set: |settings, text| assign(&mut settings.refresh_tables, period(text)),
    reset: |settings, default| settings.refresh_tables = default.refresh_tables,
};

fn period(text: &str) -> Result<Option<Duration>, &'static str> {
    if text.trim().eq_ignore_ascii_case(EVERY_BATCH) {
        return Ok(None);
    }
    let period = parse_duration(text).filter(|period| !period.is_zero());
    let expected = "expected 'every batch', or a duration up to 365 days, such as '10 minutes'";
    period.map(Some).ok_or(expected)
}
