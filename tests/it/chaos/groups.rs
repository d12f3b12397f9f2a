//! The query with groups. Each group reports the rows it consists of, so that the rows that a batch
//! adds can be checked like copied rows.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::cast::as_string_array;
use datafusion::error::DataFusionError;
use datafusion_kinesis::model::{BatchId, SequenceNumber};

use super::sink::Row;

/// Groups the rows by their key.
pub(super) const GROUPS: &str = "SELECT partitionKey, count(*), sum(n), min(n), max(n),
        array_agg(placed ORDER BY placed)
    FROM (SELECT partitionKey, CAST(split_part(CAST(data AS VARCHAR), ' ', 1) AS BIGINT) AS n,
            shardId || ' ' || sequenceNumber || ' ' || CAST(subSequenceNumber AS VARCHAR) || ' ' ||
                split_part(CAST(data AS VARCHAR), ' ', 1) AS placed
        FROM words)
    GROUP BY partitionKey";

/// The contents of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Number of rows, and sum, minimum and maximum of their numbers.
    numbers: [i64; 4],
    rows: BTreeSet<Row>,
}

/// The groups that a batch returns, by key.
pub(super) type Groups = BTreeMap<String, Group>;

/// The groups that each batch returned.
#[derive(Debug, Default)]
pub(super) struct GroupedBatches(BTreeMap<u64, Groups>);

impl GroupedBatches {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest group of each key.
    pub(super) fn newest(&self) -> BTreeMap<&str, &Group> {
        let all = self.0.values().flatten();
        all.map(|(key, group)| (key.as_str(), group)).collect()
    }

    /// Stores the groups of a batch, replacing those it returned before. Returns the rows that it
    /// added, ordered by position.
    pub(super) fn put(&mut self, batch: BatchId, groups: Groups) -> Result<Vec<Row>, String> {
        let mut added = Vec::new();
        for (key, group) in &groups {
            group.check(key)?;
            let mut older = self.0.range(..batch.0).rev();
            let before = older.find_map(|(_, groups)| groups.get(key));
            let before = before.map_or_else(BTreeSet::new, |group| group.rows.clone());
            if let Some(lost) = before.difference(&group.rows).next() {
                return Err(format!("group '{key}' has no {lost:?} any more"));
            }
            let count = added.len();
            added.extend(group.rows.difference(&before).cloned());
            if added.len() == count {
                return Err(format!(
                    "group '{key}' is returned although it has not changed"
                ));
            }
        }
        self.0.insert(batch.0, groups);
        added.sort();
        Ok(added)
    }
}

impl Group {
    /// Asserts that all aggregates are of the same rows.
    fn check(&self, key: &str) -> Result<(), String> {
        let numbers = || self.rows.iter().map(|row| row.counter as i64);
        let [least, greatest] = [numbers().min(), numbers().max()];
        let sum: i64 = numbers().sum();
        let expected = [
            self.rows.len() as i64,
            sum,
            least.unwrap_or_default(),
            greatest.unwrap_or_default(),
        ];
        if self.numbers != expected || self.rows.iter().any(|row| row.key != key) {
            let numbers = self.numbers;
            return Err(format!(
                "group '{key}' is {numbers:?}, its rows {expected:?}"
            ));
        }
        Ok(())
    }
}

/// The groups in the result of [`GROUPS`].
pub(super) fn read_groups(batches: &[RecordBatch]) -> Result<Groups, DataFusionError> {
    let mut groups = Groups::new();
    for batch in batches {
        let keys = cast(batch.column(0), &DataType::Utf8)?;
        let keys = as_string_array(&keys)?;
        let number = |column: usize, row: usize| {
            let column = batch.column(column).as_primitive::<Int64Type>();
            column.value(row)
        };
        for row in 0..batch.num_rows() {
            let key = keys.value(row).to_owned();
            let places = batch.column(5).as_list::<i32>().value(row);
            let places = cast(&places, &DataType::Utf8)?;
            let places = as_string_array(&places)?;
            let rows: BTreeSet<Row> = places
                .iter()
                .flatten()
                .map(|place| read_row(&key, place))
                .collect::<Result<_, _>>()?;
            if rows.len() != places.len() {
                let twice = format!("group '{key}' has a duplicate row");
                return Err(DataFusionError::External(twice.into()));
            }
            let numbers = [1, 2, 3, 4].map(|column| number(column, row));
            let given = groups.insert(key, Group { numbers, rows });
            if let Some(group) = given {
                let twice = format!("a batch gives {group:?} twice");
                return Err(DataFusionError::External(twice.into()));
            }
        }
    }
    Ok(groups)
}

/// Parses a row from `shard sequence sub number`.
fn read_row(key: &str, text: &str) -> Result<Row, DataFusionError> {
    let parts: Vec<&str> = text.split(' ').collect();
    let [shard, sequence, sub, counter] = parts[..] else {
        return Err(DataFusionError::External(format!("no row: {text}").into()));
    };
    let place = (
        shard.to_owned(),
        SequenceNumber::new(sequence)?,
        sub.parse().unwrap(),
    );
    Ok(Row {
        place,
        key: key.to_owned(),
        counter: counter.parse().unwrap(),
    })
}
