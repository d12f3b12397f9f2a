//! Filter pushdown: narrows a read to the arrival times and shards that a WHERE clause allows.
//!
//! DataFusion still applies the clause to every row; pushdown only skips records that cannot match.

use std::collections::BTreeSet;
use std::time::Duration;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};

use super::columns::TableColumns;
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::options::ExtraColumn;
use crate::source::{RowColumn, Until};

/// Arrival times are approximate: within a shard a record may have a slightly earlier time than the one
/// before it. A read therefore starts this much before the lower bound and ends at a record this much after
/// the upper bound. AWS only states that the times are "usually accurate to within a second or so" (API
/// reference, Record); 300 times that allows for less accurate servers and for clock skew.
const ARRIVAL_MARGIN: Duration = Duration::from_secs(300);

/// The bounds that a conjunction of filters implies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Rows that arrived earlier cannot match.
    arrived_from: Option<UnixMillis>,
    /// Rows that arrived later cannot match.
    arrived_to: Option<UnixMillis>,
    /// Rows of other shards cannot match.
    shards: Option<BTreeSet<String>>,
}

impl Bounds {
    /// The bounds of the conjunction of `filters`.
    pub(super) fn of(filters: &[Expr], columns: &TableColumns) -> Self {
        let and = |bounds: Self, filter| bounds.and(filter, columns);
        filters.iter().fold(Self::default(), and)
    }

    fn and(self, filter: &Expr, columns: &TableColumns) -> Self {
        let Self {
            arrived_from,
            arrived_to,
            shards,
        } = match filter {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => return self.and(left, columns).and(right, columns),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, columns),
            Expr::Between(between) if !between.negated => {
                let from = compared(&between.expr, Operator::GtEq, &between.low, columns);
                let to = compared(&between.expr, Operator::LtEq, &between.high, columns);
                Self {
                    arrived_to: to.arrived_to,
                    ..from
                }
            }
            Expr::InList(list) if !list.negated && is_column(&list.expr, SHARD_ID, columns) => {
                Self {
                    shards: list.list.iter().map(text).collect(),
                    ..Self::default()
                }
            }
            _ => Self::default(),
        };
        Self {
            arrived_from: self.arrived_from.max(arrived_from),
            arrived_to: match (self.arrived_to, arrived_to) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            },
            shards: match (self.shards, shards) {
                (Some(ours), Some(theirs)) => Some(&ours & &theirs),
                (ours, theirs) => ours.or(theirs),
            },
        }
    }

    /// Whether rows of `shard` can match.
    pub(super) fn allows(&self, shard: &ShardId) -> bool {
        self.shards
            .as_ref()
            .is_none_or(|shards| shards.contains(shard.as_str()))
    }

    /// The end of a read that is bounded by `tip`: the tip, or an earlier arrival time after which no row can
    /// match.
    pub(super) fn until(&self, tip: UnixMillis) -> Until {
        match self.arrived_to.map(|time| time.plus(ARRIVAL_MARGIN)) {
            // Times before the year 0 have no textual form.
            Some(by) if by < tip => Until::Arrived {
                tip,
                by: by.max(UnixMillis::FIRST),
            },
            _ => Until::Tip(tip),
        }
    }

    /// `start`, or a later position before which no row can match.
    pub(super) fn start(&self, start: ShardPosition) -> ShardPosition {
        let from = self.arrived_from.map(|time| time.minus(ARRIVAL_MARGIN));
        // Nothing arrived before 1970, and the service may refuse such times.
        let Some(from) = from.filter(|time| time.0 > 0) else {
            return start;
        };
        let from = from.min(UnixMillis::LAST);
        match start {
            ShardPosition::TrimHorizon => ShardPosition::AtTimestamp(from),
            ShardPosition::AtTimestamp(time) => ShardPosition::AtTimestamp(time.max(from)),
            // The arrival time of a sequence number is not known before it is read.
            other => other,
        }
    }
}

/// How far `filter` narrows the read. DataFusion applies the filter to the rows in every case.
pub(super) fn support(filter: &Expr, columns: &TableColumns) -> TableProviderFilterPushDown {
    if Bounds::of(std::slice::from_ref(filter), columns) == Bounds::default() {
        TableProviderFilterPushDown::Unsupported
    } else {
        TableProviderFilterPushDown::Inexact
    }
}

const ARRIVAL: RowColumn = RowColumn::ArrivalTimestamp;
const SHARD_ID: RowColumn = RowColumn::Extra(ExtraColumn::ShardId);

fn compared(left: &Expr, op: Operator, right: &Expr, columns: &TableColumns) -> Bounds {
    let (column, op, value) = match right {
        Expr::Column(_) => match op.swap() {
            Some(op) => (right, op, left),
            None => return Bounds::default(),
        },
        _ => (left, op, right),
    };
    let from_below = matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq);
    let from_above = matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq);
    let time = is_column(column, ARRIVAL, columns)
        .then(|| millis(value))
        .flatten();
    Bounds {
        arrived_from: time.filter(|_| from_below),
        arrived_to: time.filter(|_| from_above),
        shards: (op == Operator::Eq && is_column(column, SHARD_ID, columns))
            .then(|| text(value).map(|shard| [shard].into()))
            .flatten(),
    }
}

fn is_column(expr: &Expr, column: RowColumn, columns: &TableColumns) -> bool {
    matches!(expr, Expr::Column(found) if columns.read_column(&found.name) == Some(column))
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
            _,
        ) => text.clone(),
        _ => None,
    }
}

/// The timestamp literal `expr`, rounded down to milliseconds.
fn millis(expr: &Expr) -> Option<UnixMillis> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value {
        ScalarValue::TimestampSecond(time, _) => time.map(|time| time.saturating_mul(1_000)),
        ScalarValue::TimestampMillisecond(time, _) => *time,
        ScalarValue::TimestampMicrosecond(time, _) => time.map(|time| time.div_euclid(1_000)),
        ScalarValue::TimestampNanosecond(time, _) => time.map(|time| time.div_euclid(1_000_000)),
        _ => None,
    }
    .map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::OptionsBuilder;
    use datafusion::arrow::datatypes::Fields;
    use datafusion::logical_expr::{ident, lit};

    fn at(millis: i64) -> Expr {
        Expr::Literal(
            ScalarValue::TimestampMicrosecond(Some(millis * 1_000), Some("UTC".into())),
            None,
        )
    }

    fn arrival() -> Expr {
        ident("approximateArrivalTimestamp")
    }

    fn columns() -> TableColumns {
        let mut options = OptionsBuilder::default();
        options.set_location("words").unwrap();
        options.set("kinesis.extraColumns", "shardId").unwrap();
        TableColumns::new(&options.finish().unwrap(), &Fields::empty()).unwrap()
    }

    fn bounds(filters: &[Expr]) -> Bounds {
        Bounds::of(filters, &columns())
    }

    #[test]
    fn the_latest_lower_bound_applies() {
        let filters = [
            arrival().gt_eq(at(5_000)).and(at(7_000).lt(arrival())),
            arrival().between(at(6_000), at(90_000)),
            arrival().lt(at(80_000)),
            ident("partitionKey").eq(lit("x")),
        ];
        assert_eq!(bounds(&filters).arrived_from, Some(UnixMillis(7_000)));
    }

    #[test]
    fn the_earliest_upper_bound_applies() {
        let tip = UnixMillis(10_000_000);
        let until = |filters: &[Expr]| bounds(filters).until(tip);
        let by = |millis: i64| Until::Arrived {
            tip,
            by: UnixMillis(millis),
        };
        let both = [
            arrival().lt(at(9_000)).and(at(8_000).gt_eq(arrival())),
            arrival().between(at(1_000), at(7_000)),
        ];
        assert_eq!(until(&both), by(307_000));
        assert_eq!(until(&both[..1]), by(308_000));
        assert_eq!(until(&[arrival().eq(at(5))]), by(300_005));
        assert_eq!(until(&[arrival().lt_eq(at(9_699_999))]), by(9_999_999));
        assert_eq!(until(&[arrival().lt_eq(at(9_700_000))]), Until::Tip(tip));
        assert_eq!(until(&[arrival().gt(at(5))]), Until::Tip(tip));
        let never = until(&[arrival().lt(at(i64::MIN / 1_000))]);
        assert_eq!(never, by(UnixMillis::FIRST.0));
        assert_eq!(never.to_string().parse::<Until>().unwrap(), never);
    }

    #[test]
    fn a_bound_moves_the_start_forward_up_to_the_margin() {
        let bounds = bounds(&[arrival().gt(at(1_000_000))]);
        let from = ShardPosition::AtTimestamp(UnixMillis(700_000));
        assert_eq!(bounds.start(ShardPosition::TrimHorizon), from);
        let early = ShardPosition::AtTimestamp(UnixMillis(1));
        assert_eq!(bounds.start(early), from);
        let late = ShardPosition::AtTimestamp(UnixMillis(900_000));
        assert_eq!(bounds.start(late.clone()), late);
        assert_eq!(
            bounds.start(ShardPosition::ShardEnd),
            ShardPosition::ShardEnd
        );
    }

    #[test]
    fn bounds_out_of_range_do_not_move_the_start() {
        for millis in [i64::MIN / 1_000, -5, 0, 299_999] {
            let bounds = bounds(&[arrival().gt(at(millis))]);
            let start = bounds.start(ShardPosition::TrimHorizon);
            assert_eq!(start, ShardPosition::TrimHorizon, "{millis}");
        }
        let bounds = bounds(&[arrival().gt(at(i64::MAX / 1_000))]);
        let start = bounds.start(ShardPosition::TrimHorizon);
        assert_eq!(start, ShardPosition::AtTimestamp(UnixMillis::LAST));
    }

    #[test]
    fn only_shards_in_all_filters_are_allowed() {
        let shard = || ident("shardId");
        let filters = [
            shard().in_list(vec![lit("a"), lit("b"), lit("c")], false),
            shard().in_list(vec![lit("b"), lit("c")], false),
            lit("c").eq(shard()),
        ];
        let bounds = bounds(&filters);
        assert!(bounds.allows(&ShardId::new("c")));
        assert!(!bounds.allows(&ShardId::new("b")));
    }

    #[test]
    fn unsupported_filters_imply_no_bounds() {
        for filter in [
            arrival().gt(at(1)).or(ident("shardId").eq(lit("a"))),
            ident("shardId").not_eq(lit("a")),
            ident("shardId").in_list(vec![lit("a"), ident("streamName")], false),
            ident("shardId").in_list(vec![lit("a")], true),
            arrival().between(at(1), at(2)).is_null(),
            Expr::Not(Box::new(arrival().gt(at(5)))),
        ] {
            assert_eq!(
                bounds(std::slice::from_ref(&filter)),
                Bounds::default(),
                "{filter}"
            );
            assert_eq!(
                support(&filter, &columns()),
                TableProviderFilterPushDown::Unsupported
            );
        }
    }
}
