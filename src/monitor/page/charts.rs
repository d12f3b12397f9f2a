//! The charts of a query.

use maud::{Markup, html};
use url::form_urlencoded::parse;

use super::chart::{Axis, Chart, Series, Unit};
use super::text::time_of_day;
use crate::monitor::look::{Hour, PHASES, Point, timestamp};

/// What the charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::monitor) enum Range {
    /// The batches that are kept.
    Batches,
    /// The last hour, as far as somebody looked.
    Hour,
}

impl Range {
    /// The range that the query of a URL asks for.
    pub(in crate::monitor) fn of(query: Option<&str>) -> Self {
        let mut pairs = parse(query.unwrap_or_default().as_bytes());
        match pairs.any(|(name, value)| name == "range" && value == "hour") {
            true => Self::Hour,
            false => Self::Batches,
        }
    }
}

/// Links to the ranges.
pub(super) fn choice(run_id: &str, open: Range) -> Markup {
    let current = |range| (range == open).then_some("page");
    html! {
        nav.choice aria-label="Range of the charts" {
            a href=(format!("/queries/{run_id}")) aria-current=[current(Range::Batches)] { "last 100 batches" }
            a href=(format!("/queries/{run_id}?range=hour")) aria-current=[current(Range::Hour)] { "last hour" }
        }
    }
}

/// The charts of batches.
pub(super) fn of_batches(points: &[Point]) -> Markup {
    all(points, Range::Batches)
}

/// The charts of the last hour.
pub(super) fn of_hour(hour: &Hour) -> Markup {
    html! {
        @if !hour.points.is_empty() {
            p.quiet {
                "One point for every " (hour.step.as_secs()) " seconds in which batches ran while this page was open somewhere."
            }
        }
        (all(&hour.points, Range::Hour))
    }
}

/// All charts, except those without a value.
fn all(points: &[Point], range: Range) -> Markup {
    if points.is_empty() {
        return html! { p { "No batch has been committed yet." } };
    }
    let axis = axis(points, range);
    let charts = charts(points);
    html! {
        div.charts {
            @for chart in charts.iter().filter(|chart| chart.has_values()) { (chart.draw(&axis)) }
        }
    }
}

fn axis(points: &[Point], range: Range) -> Axis {
    let times: Vec<String> = points.iter().map(|point| timestamp(point.time)).collect();
    let name = |point: &Point| match point.first == point.last {
        true => format!("batch {}", point.first),
        false => format!("batches {} to {}", point.first, point.last),
    };
    let labels = points.iter().zip(&times);
    let labels = labels.map(|(point, time)| format!("{}, {}", name(point), time_of_day(time)));
    let labels = labels.collect();
    let last = points.len() - 1;
    let (first_time, last_time) = (points[0].time.0, points[last].time.0);
    let places = points.iter().enumerate().map(|(index, point)| match range {
        Range::Batches => index as f64 / last.max(1) as f64,
        Range::Hour => (point.time.0 - first_time) as f64 / (last_time - first_time).max(1) as f64,
    });
    let ends = match range {
        Range::Batches => [points[0].first, points[last].last].map(|batch| format!("#{batch}")),
        Range::Hour => [0, last].map(|index| time_of_day(&times[index]).to_owned()),
    };
    Axis {
        places: places.collect(),
        labels,
        ends,
    }
}

fn charts(points: &[Point]) -> Vec<Chart> {
    let line = |title, unit, value: &dyn Fn(&Point) -> Option<f64>| {
        let values = points.iter().map(value).collect();
        Chart::line(title, unit, values)
    };
    let count = |count: Option<u64>| count.map(|count| count as f64);
    let millis = |span: std::time::Duration| span.as_secs_f64() * 1_000.0;
    let phases = PHASES.iter().enumerate().map(|(index, name)| Series {
        name,
        values: points
            .iter()
            .map(|point| Some(millis(point.phase(index))))
            .collect(),
    });
    vec![
        line("Input rate", Unit::PerSecond, &|point| point.input_rate()),
        line("Processing rate", Unit::PerSecond, &|point| {
            point.processing_rate()
        }),
        Chart::stacked("Batch duration by phase", Unit::Millis, phases.collect()),
        line("Scheduling delay", Unit::Millis, &|point| {
            Some(millis(point.scheduling_delay))
        }),
        line("Lag", Unit::Millis, &|point| point.lag.map(millis)),
        line("Watermark delay", Unit::Millis, &|point| {
            point.watermark_delay.map(millis)
        }),
        line("State rows", Unit::Count, &|point| count(point.state_rows)),
        line("State memory", Unit::Bytes, &|point| {
            count(point.state_bytes)
        }),
        line("Late rows dropped", Unit::Count, &|point| {
            count(point.late_rows)
        }),
    ]
}
