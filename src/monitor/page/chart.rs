//! Draws a chart as SVG.

use std::fmt::Write;

use maud::{Markup, html};

use super::text::{bytes, count, number, span};

/// The size of a drawing. A phone shows it in its own size.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 150.0;

/// The area of the values.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 128.0;

/// What the values measure.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Count,
    PerSecond,
    Millis,
    Bytes,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Count => count(value.round() as u64),
            Self::PerSecond => format!("{}/s", number(value)),
            Self::Millis => span(value),
            Self::Bytes => bytes(value),
        }
    }

    /// A round number that is not below `largest`.
    fn ceiling(self, largest: f64) -> f64 {
        if largest <= 0.0 {
            return 1.0;
        }
        let base = match self {
            Self::Bytes => 1024_f64.powf(largest.log(1024.0).floor().max(0.0)),
            // Seconds and minutes are read as such.
            Self::Millis if largest > 3_600_000.0 => 3_600_000.0,
            Self::Millis if largest > 60_000.0 => 60_000.0,
            _ => 1.0,
        };
        let power = 10_f64.powf((largest / base).log10().floor()) * base;
        let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].map(|step| step * power);
        let ceiling = steps.into_iter().find(|step| *step >= largest * 0.999_999);
        match self {
            Self::Count => ceiling.unwrap_or(largest).max(1.0).ceil(),
            _ => ceiling.unwrap_or(largest),
        }
    }
}

/// The places of the values from left to right.
pub(super) struct Axis {
    /// From 0 to 1.
    pub(super) places: Vec<f64>,
    /// What each place is.
    pub(super) labels: Vec<String>,
    /// The texts below both ends.
    pub(super) ends: [String; 2],
}

/// Values with a name, one for each place.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// A chart before it is drawn.
pub(super) struct Chart {
    title: &'static str,
    unit: Unit,
    series: Vec<Series>,
    is_stacked: bool,
}

impl Chart {
    pub(super) fn line(title: &'static str, unit: Unit, values: Vec<Option<f64>>) -> Self {
        Self {
            title,
            unit,
            series: vec![Series {
                name: title,
                values,
            }],
            is_stacked: false,
        }
    }

    pub(super) fn stacked(title: &'static str, unit: Unit, series: Vec<Series>) -> Self {
        Self {
            title,
            unit,
            series,
            is_stacked: true,
        }
    }

    pub(super) fn has_values(&self) -> bool {
        self.series
            .iter()
            .any(|series| series.values.iter().any(Option::is_some))
    }

    fn total(&self, index: usize) -> f64 {
        let values = self.series.iter();
        values.filter_map(|series| series.values[index]).sum()
    }

    pub(super) fn draw(&self, axis: &Axis) -> Markup {
        let totals = (0..axis.places.len()).map(|index| self.total(index));
        let top = self.unit.ceiling(totals.fold(0.0, f64::max));
        let now = self.total(axis.places.len() - 1);
        let known = self
            .series
            .iter()
            .any(|series| series.values.last().is_some_and(Option::is_some));
        html! {
            figure.chart {
                figcaption {
                    strong { (self.title) }
                    span { @if known { (self.unit.text(now)) } @else { "–" } }
                }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.title) {
                    (self.grid(top, axis))
                    @if self.is_stacked { (self.bars(top, axis)) } @else { (self.lines(top, axis)) }
                    (self.tips(axis))
                }
                @if self.is_stacked { (self.legend()) }
            }
        }
    }

    fn grid(&self, top: f64, axis: &Axis) -> Markup {
        html! {
            @for (share, y) in [(0.0, BOTTOM), (0.5, f64::midpoint(TOP, BOTTOM)), (1.0, TOP)] {
                line.grid x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
                text.tick x=(LEFT - 5.0) y=(y + 4.0) text-anchor="end" { (self.unit.text(top * share)) }
            }
            text.tick x=(LEFT) y=(HEIGHT - 6.0) { (axis.ends[0]) }
            text.tick x=(RIGHT) y=(HEIGHT - 6.0) text-anchor="end" { (axis.ends[1]) }
        }
    }

    /// A line, interrupted where values are missing.
    fn lines(&self, top: f64, axis: &Axis) -> Markup {
        let (mut line, mut area) = (String::new(), String::new());
        let mut alone = Vec::new();
        for run in runs(&self.series[0].values) {
            let point = |index: &usize| {
                let value = self.series[0].values[*index].unwrap_or_default();
                (x(axis.places[*index]), y(value, top))
            };
            let points: Vec<(f64, f64)> = run.iter().map(point).collect();
            let (first, last) = (points[0], points[points.len() - 1]);
            if points.len() == 1 {
                alone.push(first);
            }
            for (index, (x, y)) in points.iter().enumerate() {
                let command = if index == 0 { 'M' } else { 'L' };
                append(&mut line, format_args!("{command}{x:.1} {y:.1}"));
                append(&mut area, format_args!("{command}{x:.1} {y:.1}"));
            }
            append(
                &mut area,
                format_args!("L{:.1} {BOTTOM}L{:.1} {BOTTOM}Z", last.0, first.0),
            );
        }
        html! {
            path.area d=(area) {}
            path.line d=(line) {}
            @for (x, y) in alone { circle.dot cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.5" {} }
        }
    }

    /// A bar for each place, one part above the other.
    fn bars(&self, top: f64, axis: &Axis) -> Markup {
        let width = bar_width(axis);
        let mut paths = vec![String::new(); self.series.len()];
        for (index, place) in axis.places.iter().enumerate() {
            let left = (x(*place) - width / 2.0).clamp(LEFT, RIGHT - width);
            let mut below = 0.0;
            for (series, path) in self.series.iter().zip(&mut paths) {
                let value = series.values[index].unwrap_or_default();
                let (from, to) = (y(below, top), y(below + value, top));
                below += value;
                if from - to >= 0.05 {
                    append(
                        path,
                        format_args!("M{left:.1} {from:.1}V{to:.1}h{width:.1}V{from:.1}Z"),
                    );
                }
            }
        }
        html! {
            @for (index, path) in paths.iter().enumerate() {
                path class=(format!("phase phase{index}")) d=(path) {}
            }
        }
    }

    /// What a pointer over a place shows.
    fn tips(&self, axis: &Axis) -> Markup {
        let width = (RIGHT - LEFT) / axis.places.len() as f64;
        html! {
            g.tips {
                @for (index, label) in axis.labels.iter().enumerate() {
                    rect x=(format!("{:.1}", (x(axis.places[index]) - width / 2.0).max(LEFT)))
                        y=(TOP) width=(format!("{:.1}", width.max(1.0))) height=(BOTTOM - TOP) {
                        title { (label) (self.values_at(index)) }
                    }
                }
            }
        }
    }

    fn values_at(&self, index: usize) -> String {
        let mut text = String::new();
        if self.is_stacked {
            append(
                &mut text,
                format_args!("\ntotal {}", self.unit.text(self.total(index))),
            );
        }
        for series in &self.series {
            let value = series.values[index];
            let value = value.map_or("–".to_owned(), |value| self.unit.text(value));
            match self.is_stacked {
                true => append(&mut text, format_args!("\n{} {value}", series.name)),
                false => append(&mut text, format_args!(": {value}")),
            }
        }
        text
    }

    fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for (index, series) in self.series.iter().enumerate().rev() {
                    li {
                        svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" {
                            rect class=(format!("phase phase{index}")) width="12" height="12" {}
                        }
                        (series.name)
                    }
                }
            }
        }
    }
}

fn append(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part)
        .expect("writing to a String cannot fail");
}

fn x(place: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * place
}

fn y(value: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * (value / top).clamp(0.0, 1.0)
}

fn bar_width(axis: &Axis) -> f64 {
    ((RIGHT - LEFT) / axis.places.len() as f64 * 0.9).clamp(0.8, 24.0)
}

/// The places of values in succession.
fn runs(values: &[Option<f64>]) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut is_open = false;
    for (index, value) in values.iter().enumerate() {
        match (value, runs.last_mut()) {
            (None, _) => {}
            (Some(_), Some(run)) if is_open => run.push(index),
            (Some(_), _) => runs.push(vec![index]),
        }
        is_open = value.is_some();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (unit, largest, expected) in [
            (Unit::Count, 0.0, 1.0),
            (Unit::Count, 0.4, 1.0),
            (Unit::Count, 37.0, 40.0),
            (Unit::PerSecond, 100.0, 100.0),
            (Unit::PerSecond, 101.0, 200.0),
            (Unit::Millis, 61_000.0, 120_000.0),
            (Unit::Bytes, 3_000.0, 4_096.0),
            (Unit::Bytes, 300.0, 400.0),
        ] {
            assert_eq!(unit.ceiling(largest), expected, "{unit:?} {largest}");
        }
    }

    #[test]
    fn a_line_is_interrupted_where_values_are_missing() {
        let one = Some(1.0);
        assert_eq!(runs(&[None, one, one, None, one]), [vec![1, 2], vec![4]]);
        assert_eq!(runs(&[]), Vec::<Vec<usize>>::new());
    }
}
