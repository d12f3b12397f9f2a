//! [`StateColumns`]: what the columns of a state mean. Files record it, so that they can be read without the statement.

use datafusion::arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

/// What the columns of a state mean. Columns are identified by index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateColumns {
    /// How many columns are the key of a group; the others hold the states of the aggregates.
    pub(crate) groups: usize,
    /// The bounds of a session, if groups are sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<SessionColumns>,
    /// How groups end, if a watermark closes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<Ends>,
}

/// The two group columns that are the bounds of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionColumns {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// How groups end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ends {
    /// The group column that is a time.
    pub(crate) column: usize,
    /// How long after that time the group ends.
    pub(crate) after: After,
}

/// How long after the time in its column a group ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum After {
    /// At that time: the column is the end.
    Nothing,
    /// After an interval.
    Interval { months: i32, days: i32, nanos: i64 },
    /// At the start of the next window of this many months. One window starts at `origin`, in nanoseconds since
    /// 1970-01-01 UTC.
    Months { months: i32, origin: i64 },
    /// At the end of the last window that includes the pane; in the unit of the column.
    Pane { slide: i64, size: i64 },
}

impl StateColumns {
    /// Whether `schema` has these columns.
    pub(crate) fn fits(&self, schema: &Schema) -> bool {
        let session = self.session.iter().flat_map(|s| [s.start, s.end]);
        let ends = self.ends.iter().map(|ends| ends.column);
        let mut columns = session.chain(ends);
        self.groups <= schema.fields().len() && columns.all(|column| column < self.groups)
    }
}
