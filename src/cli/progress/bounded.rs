//! The progress line of a bounded read or write, from the metrics of the running plan.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;
use tokio::time::Instant;

use super::line::{Line, RATE_WINDOW, grouped, lag};

const READ_NODE: &str = "KinesisReadExec";
const DECODE_NODE: &str = "KinesisDecodeExec";
const WRITE_NODE: &str = "KinesisSinkExec";
const RECORDS: &str = "records";
const BYTES: &str = "bytes";
const LAG: &str = "millis_behind_latest";
const LOSSES: &str = "lost_ranges";
const SKIPPED: &str = "skipped_documents";
const UNFIT: &str = "type_mismatches";

/// The counters of all Kinesis nodes of a plan at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    read: Option<Flow>,
    written: Option<Flow>,
    millis_behind: u64,
}

/// Records and bytes that passed through nodes of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flow {
    records: u64,
    bytes: u64,
}

impl Counters {
    fn of(plan: &dyn ExecutionPlan) -> Self {
        let mut counters = Self::default();
        counters.add(plan);
        counters
    }

    fn add(&mut self, plan: &dyn ExecutionPlan) {
        let flow = match plan.name() {
            READ_NODE => Some(&mut self.read),
            WRITE_NODE => Some(&mut self.written),
            _ => None,
        };
        if let Some(flow) = flow {
            let flow = flow.get_or_insert_default();
            for metric in plan.metrics().iter().flat_map(|metrics| metrics.iter()) {
                let value = metric.value().as_usize() as u64;
                match (metric.value().name(), metric.value()) {
                    (RECORDS, MetricValue::Count { .. }) => flow.records += value,
                    (BYTES, MetricValue::Count { .. }) => flow.bytes += value,
                    (LAG, MetricValue::Gauge { .. }) => {
                        self.millis_behind = self.millis_behind.max(value);
                    }
                    _ => {}
                }
            }
        }
        for child in plan.children() {
            self.add(child.as_ref());
        }
    }
}

/// The sum of a counter over all nodes of a plan with this name.
fn total(plan: &dyn ExecutionPlan, node: &str, counter: &str) -> u64 {
    let metrics = plan.metrics().filter(|_| plan.name() == node);
    let own = metrics.and_then(|metrics| metrics.sum_by_name(counter));
    let own = own.map_or(0, |found| found.as_usize() as u64);
    let children = plan.children().into_iter();
    own + children
        .map(|child| total(child.as_ref(), node, counter))
        .sum::<u64>()
}

/// The contents of one progress line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Snapshot {
    counters: Counters,
    read_per_second: f64,
    written_per_second: f64,
}

impl Snapshot {
    /// Computes rates from two samples that are `span` apart.
    fn between(before: &Counters, now: Counters, span: Duration) -> Self {
        let bytes = |flow: Option<Flow>| flow.unwrap_or_default().bytes;
        let rate = |before: Option<Flow>, now: Option<Flow>| {
            if span.is_zero() {
                0.0
            } else {
                bytes(now).saturating_sub(bytes(before)) as f64 / span.as_secs_f64()
            }
        };
        Self {
            read_per_second: rate(before.read, now.read),
            written_per_second: rate(before.written, now.written),
            counters: now,
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            read,
            written,
            millis_behind,
        } = self.counters;
        if let Some(flow) = read {
            write_flow(f, "reading", flow, self.read_per_second)?;
            // A reader that has no response yet also reports zero.
            if millis_behind > 0 {
                write!(f, "  {} behind", lag(millis_behind))?;
            }
        }
        if let Some(flow) = written {
            let gap = if read.is_some() { "   " } else { "" };
            f.write_str(gap)?;
            write_flow(f, "writing", flow, self.written_per_second)?;
        }
        Ok(())
    }
}

fn write_flow(f: &mut fmt::Formatter<'_>, verb: &str, flow: Flow, per_second: f64) -> fmt::Result {
    let records = grouped(flow.records);
    if per_second >= 1e6 {
        write!(f, "{verb}  {records} records  {:.1} MB/s", per_second / 1e6)
    } else {
        write!(f, "{verb}  {records} records  {:.1} kB/s", per_second / 1e3)
    }
}

/// Draws the progress line of one statement.
#[derive(Debug)]
pub(in crate::cli) struct BoundedProgress {
    line: Line,
    plan: Option<Arc<dyn ExecutionPlan>>,
    samples: VecDeque<(Instant, Counters)>,
}

impl BoundedProgress {
    pub(in crate::cli) fn start() -> Self {
        Self {
            line: Line::start(),
            plan: None,
            samples: VecDeque::new(),
        }
    }

    /// Sets the plan whose metrics are shown.
    pub(in crate::cli) fn watch(&mut self, plan: Arc<dyn ExecutionPlan>) {
        self.samples
            .push_back((Instant::now(), Counters::default()));
        self.plan = Some(plan);
    }

    /// Waits until the line is due. Cancel safe.
    pub(in crate::cli) async fn due(&mut self) {
        self.line.due().await;
    }

    pub(in crate::cli) fn draw(&mut self) {
        let Some(plan) = &self.plan else { return };
        let counters = Counters::of(plan.as_ref());
        if counters == Counters::default() {
            return;
        }
        let snapshot = self.sample(Instant::now(), counters);
        self.line.draw(&snapshot);
    }

    /// Number of data losses so far.
    pub(in crate::cli) fn losses(&self) -> u64 {
        self.total(READ_NODE, LOSSES)
    }

    /// Number of documents that have been skipped so far because they cannot be parsed.
    pub(in crate::cli) fn skipped(&self) -> u64 {
        self.total(DECODE_NODE, SKIPPED)
    }

    /// Number of values that did not fit their columns so far.
    pub(in crate::cli) fn unfit(&self) -> u64 {
        self.total(DECODE_NODE, UNFIT)
    }

    fn total(&self, node: &str, counter: &str) -> u64 {
        let plan = self.plan.as_deref();
        plan.map_or(0, |plan| total(plan, node, counter))
    }

    /// Removes the line, for other output or the prompt.
    pub(in crate::cli) fn clear(&mut self) {
        self.line.clear();
    }

    /// Removes the `^C` that the terminal printed over the line.
    pub(in crate::cli) fn hide_echo(&mut self) {
        self.line.hide_echo();
    }

    fn sample(&mut self, now: Instant, counters: Counters) -> Snapshot {
        self.samples.push_back((now, counters));
        while self.samples.len() > 2 && now - self.samples[1].0 >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        Snapshot::between(&before, counters, now - then)
    }
}

#[cfg(test)]
mod tests;
