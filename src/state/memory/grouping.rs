//! [`Grouping`]: the definition of an aggregation's groups, and which of them a batch outputs.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, UInt32Array,
};
use datafusion::arrow::compute::{cast, concat_batches, filter_record_batch, take};
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::common::Result;

use super::columns::StateColumns;
use super::groups::{ChunkImage, Groups, Layout};
use crate::model::{OutputMode, UnixMillis};
use crate::sql::windows::HopWindow;

/// The definition of an aggregation's groups, and which of them a batch outputs.
#[derive(Debug)]
pub(crate) struct Grouping {
    pub(crate) layout: Arc<Layout>,
    /// The group columns by which groups are partitioned.
    pub(crate) keys: Vec<usize>,
    pub(crate) hop: Option<HopWindow>,
    /// Whether there are no aggregates, so that a batch outputs the new groups.
    pub(crate) distinct: bool,
    pub(crate) mode: OutputMode,
    /// The number of partitions.
    pub(crate) partitions: usize,
}

/// The output of a partition of a batch.
#[derive(Debug, Clone)]
pub(crate) enum BatchOutput {
    Rows(RecordBatch),
    /// All groups, sharing the memory of the state.
    All(Vec<ChunkImage>),
}

/// The event time of a batch, and whether it reads anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchWatermarks {
    /// Event times up to and including it are closed.
    pub(crate) watermark: Option<UnixMillis>,
    /// The watermark of the previous batch.
    pub(crate) previous_watermark: Option<UnixMillis>,
    pub(crate) has_rows: bool,
}

/// The result of saving a partition of a batch.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) output: BatchOutput,
    /// The new and changed groups, with their present states.
    pub(crate) changed: RecordBatch,
    /// How many groups the watermark has closed.
    pub(crate) closed: u64,
}

impl Grouping {
    /// Groups that are only read, in one partition.
    pub(crate) fn stored(schema: SchemaRef, described: StateColumns) -> Result<Self> {
        Ok(Self {
            layout: Arc::new(Layout::of_columns(schema, described)?),
            keys: Vec::new(),
            hop: None,
            distinct: false,
            mode: OutputMode::Update,
            partitions: 1,
        })
    }

    /// What the columns of the state mean.
    pub(crate) fn describe(&self) -> StateColumns {
        let mut described = self.layout.describe();
        // Output mode complete never closes groups.
        described.ends = described.ends.filter(|_| self.mode != OutputMode::Complete);
        described
    }

    /// Stores the groups that a batch has merged in a partition, closes those that end, and returns the output.
    pub(crate) fn save(
        &self,
        groups: &mut Groups,
        reduced: &[RecordBatch],
        early_output: Option<RecordBatch>,
        batch: &BatchWatermarks,
    ) -> Result<Saved> {
        let reduced = concat_batches(self.layout.schema(), reduced)?;
        let changed = match self.distinct {
            true => groups.absent(&reduced)?,
            false => reduced,
        };
        groups.put(&changed)?;
        let output = match early_output {
            Some(closing) => BatchOutput::Rows(closing),
            None => self.output(groups, &changed, batch)?,
        };
        let closed = self
            .limit(batch)
            .map_or(Ok(0), |limit| groups.close(limit))?;
        Ok(Saved {
            output,
            changed,
            closed: closed as u64,
        })
    }

    /// The output that a batch determines before it merges its rows: hopping windows that its watermark closes. A row
    /// of the batch may be too late for such a window, and on time for another window of the same pane.
    pub(crate) fn output_before_merge(
        &self,
        groups: &Groups,
        batch: &BatchWatermarks,
    ) -> Result<Option<RecordBatch>> {
        if self.mode != OutputMode::Append || self.hop.is_none() {
            return Ok(None);
        }
        self.closing(groups, batch).map(Some)
    }

    /// Whether the output of a batch shares its memory with the changed groups.
    pub(crate) fn outputs_changed_groups(&self) -> bool {
        let appends = self.mode == OutputMode::Append;
        self.distinct || (!appends && self.hop.is_none())
    }

    /// The latest end that the batch closes.
    fn limit(&self, batch: &BatchWatermarks) -> Option<i64> {
        let expiry = self.layout.expiry()?;
        let watermark = batch
            .watermark
            .filter(|_| self.mode != OutputMode::Complete)?;
        Some(expiry.limit(watermark))
    }

    fn output(
        &self,
        groups: &Groups,
        changed: &RecordBatch,
        batch: &BatchWatermarks,
    ) -> Result<BatchOutput> {
        Ok(match self.mode {
            OutputMode::Complete => BatchOutput::All(groups.image()),
            OutputMode::Append | OutputMode::Update if self.distinct => {
                BatchOutput::Rows(changed.clone())
            }
            OutputMode::Update => BatchOutput::Rows(self.updated(groups, changed, batch)?),
            OutputMode::Append => BatchOutput::Rows(self.closing(groups, batch)?),
        })
    }

    /// The output of a partition in batches of about `rows` rows. The rows of all groups are materialized
    /// lazily, because together they would take as much memory as the state.
    pub(crate) fn rows(
        self: Arc<Self>,
        output: BatchOutput,
        rows: usize,
    ) -> Box<dyn Iterator<Item = Result<RecordBatch>> + Send> {
        let images = match output {
            BatchOutput::Rows(rows) => return Box::new(std::iter::once(Ok(rows))),
            BatchOutput::All(images) => images,
        };
        let layout = Arc::clone(&self.layout);
        let parts = images.into_iter().flat_map(move |image| {
            let layout = Arc::clone(&layout);
            image.parts(layout, rows)
        });
        Box::new(parts.map(move |part| self.expanded(part?)))
    }

    /// Expands panes into windows; returns other groups unchanged.
    fn expanded(&self, rows: RecordBatch) -> Result<RecordBatch> {
        match &self.hop {
            Some(hop) => hop.expand(&rows),
            None => Ok(rows),
        }
    }

    /// The groups that a batch has changed, for output mode update.
    fn updated(
        &self,
        groups: &Groups,
        changed: &RecordBatch,
        batch: &BatchWatermarks,
    ) -> Result<RecordBatch> {
        // Without rows nothing has changed. The group of an aggregation without GROUP BY always exists.
        if self.layout.groups() == 0 && !batch.has_rows {
            return Ok(changed.slice(0, 0));
        }
        let Some(hop) = &self.hop else {
            return Ok(changed.clone());
        };
        // A window consists of several panes: those of a changed pane also need its neighbors.
        let panes = groups.find(&neighbours(hop, changed)?)?;
        let touched = self.layout.keys(&hop.expand(changed)?)?;
        let touched: HashSet<&[u8]> = touched.iter().flatten().collect();
        let windows = hop.expand(&panes)?;
        let keys = self.layout.keys(&windows)?;
        let starts = starts(hop, &windows)?;
        let closed = self.limit(batch).unwrap_or(i64::MIN);
        let is_output = (0..windows.num_rows()).map(|row| {
            let open = starts.is_null(row) || starts.value(row).saturating_add(hop.size()) > closed;
            Some(open && touched.contains(keys.value(row)))
        });
        Ok(filter_record_batch(
            &windows,
            &is_output.collect::<BooleanArray>(),
        )?)
    }

    /// The groups that end between the previous watermark and this one, for output mode append.
    fn closing(&self, groups: &Groups, batch: &BatchWatermarks) -> Result<RecordBatch> {
        let (Some(limit), Some(expiry)) = (self.limit(batch), self.layout.expiry()) else {
            return Ok(RecordBatch::new_empty(Arc::clone(self.layout.schema())));
        };
        let Some(hop) = &self.hop else {
            return groups.ending(limit);
        };
        let before = batch.previous_watermark;
        let before = before.map_or(i64::MIN, |before| expiry.limit(before));
        // The first window of a pane ends this much before its last one.
        let ahead = hop.size() - hop.pane();
        let panes = groups.ending(limit.saturating_add(ahead))?;
        let windows = hop.expand(&panes)?;
        let starts = starts(hop, &windows)?;
        let is_output = starts.iter().map(|start| {
            let end = start.map(|start| start.saturating_add(hop.size()));
            Some(end.is_some_and(|end| before < end && end <= limit))
        });
        Ok(filter_record_batch(
            &windows,
            &is_output.collect::<BooleanArray>(),
        )?)
    }
}

/// The window column as numbers.
fn starts(hop: &HopWindow, rows: &RecordBatch) -> Result<PrimitiveArray<Int64Type>> {
    let starts = cast(rows.column(hop.column), &DataType::Int64)?;
    Ok(starts.as_primitive::<Int64Type>().clone())
}

/// For each pane of `rows` the panes that share a window with it, with the same values in the other columns.
fn neighbours(hop: &HopWindow, rows: &RecordBatch) -> Result<RecordBatch> {
    let panes = starts(hop, rows)?;
    let (mut origins, mut values) = (Vec::new(), Vec::new());
    for row in 0..panes.len() {
        let origin = row as u32;
        if panes.is_null(row) {
            origins.push(origin);
            values.push(None);
            continue;
        }
        let pane = panes.value(row);
        let reach = hop.size() - hop.pane();
        let first = hop.windows_of(pane).min().unwrap_or(pane);
        let last = pane.saturating_add(reach);
        let step = usize::try_from(hop.pane()).unwrap_or(usize::MAX);
        for neighbour in (first..=last).step_by(step) {
            origins.push(origin);
            values.push(Some(neighbour));
        }
    }
    let origins = UInt32Array::from(origins);
    let column = |(index, column): (usize, &ArrayRef)| -> Result<ArrayRef> {
        if index != hop.column {
            return Ok(take(column, &origins, None)?);
        }
        let values = PrimitiveArray::<Int64Type>::from(values.clone());
        Ok(cast(&values, column.data_type())?)
    };
    let columns = rows.columns().iter().enumerate().map(column);
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
