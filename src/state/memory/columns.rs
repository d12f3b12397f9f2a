//! What the columns of a state mean, as its files say it: they can be read without the statement.

use datafusion::arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

/// What the columns of a state mean. Columns are told by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateColumns {
    /// How many columns are what groups are told apart by; the others hold what they have come to.
    pub(crate) groups: usize,
    /// The bounds of a session, where groups are sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<SessionColumns>,
    /// How groups end, where a watermark closes them.
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
    /// How long that time goes on.
    pub(crate) after: After,
}

/// How long the time of a group goes on behind what its column says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum After {
    /// For no time: the column says the end.
    Nothing,
    /// For an interval.
    Interval { months: i32, days: i32, nanos: i64 },
    /// To the start of the next window of so many months, one of which starts at `origin`, in nanoseconds
    /// since 1970-01-01 UTC.
    Months { months: i32, origin: i64 },
    /// To the end of the last window that begins with the pane or before; in the unit of the column.
    Pane { slide: i64, size: i64 },
}

impl StateColumns {
    /// Whether `schema` has the columns that this tells of.
    pub(crate) fn fits(&self, schema: &Schema) -> bool {
        let session = self.session.iter().flat_map(|s| [s.start, s.end]);
        let ends = self.ends.iter().map(|ends| ends.column);
        let mut columns = session.chain(ends);
        self.groups <= schema.fields().len() && columns.all(|column| column < self.groups)
    }
}
