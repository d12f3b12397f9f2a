//! Late rows, one shard at a time and batch by batch, compared with a reference implementation of
//! windows.

use std::iter::once;
use std::ops::Range;
use std::time::Duration;

use datafusion_kinesis::model::OutputMode;
use fastrand::Rng;

use super::compare::{Cell, Groups};
use super::rows::{Row, Times};
use super::*;

/// Maximum lateness of a row.
const BEHIND: i64 = 4_000;

/// A window, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Tumble(i64),
    Hop(i64, i64),
    Session(i64),
}

#[derive(Debug, Clone)]
pub(super) struct Window {
    times: Range<i64>,
    k: Option<&'static str>,
    count: u64,
    sum: Option<i64>,
    first: i64,
}

/// The reference windows, updated batch by batch.
pub(super) struct Book {
    kind: Kind,
    delay: i64,
    latest: Option<i64>,
    open: Vec<Window>,
    closed: Vec<Window>,
    late: u64,
}

impl Kind {
    pub(super) fn draw(random: &mut Rng) -> Self {
        let one = 250 * random.i64(1..8);
        match random.u32(..3) {
            0 => Self::Tumble(one),
            1 => Self::Hop(one, one + 250 * random.i64(0..12)),
            _ => Self::Session(one),
        }
    }

    fn sql(self) -> String {
        match self {
            Self::Tumble(size) => format!("tumble(t, INTERVAL '{size} milliseconds')"),
            Self::Hop(slide, size) => {
                format!("hop(t, INTERVAL '{slide} milliseconds', INTERVAL '{size} milliseconds')")
            }
            Self::Session(gap) => format!("session(t, INTERVAL '{gap} milliseconds')"),
        }
    }

    /// The windows of a row, last one first.
    fn windows(self, time: i64) -> Vec<Range<i64>> {
        let (slide, size) = match self {
            Self::Tumble(size) => (size, size),
            Self::Hop(slide, size) => (slide, size),
            Self::Session(gap) => return once(time..time + gap).collect(),
        };
        let last = time.div_euclid(slide) * slide;
        let starts = (0..).map(|back| last - back * slide);
        let windows = starts.map(|start| start..start + size);
        windows
            .take_while(|window| window.contains(&time))
            .collect()
    }
}

impl Book {
    pub(super) fn new(kind: Kind, case: &Case) -> Self {
        Self {
            kind,
            delay: case.query.delay.unwrap().as_millis() as i64,
            latest: None,
            open: Vec::new(),
            closed: Vec::new(),
            late: 0,
        }
    }

    /// Compares `batches` with the reference windows, except for rows of [`Source::ahead`].
    pub(super) fn expect(&self, query: &Query, batches: &[Vec<Line>]) -> Result<(), String> {
        let found = match query.mode {
            OutputMode::Append => query.groups(&batches.concat())?,
            _ => query.newest(batches.iter())?,
        };
        let windows = self.open.iter().chain(&self.closed);
        let expected = windows.filter(|window| window.first >= 0);
        let expected: Groups = expected
            .map(|window| (window.key(), window.line()))
            .collect();
        query.differs(&expected, &found).map_or(Ok(()), Err)
    }

    fn watermark(&self) -> i64 {
        self.latest.map_or(i64::MIN, |latest| latest - self.delay)
    }

    pub(super) fn batch<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) {
        let watermark = self.watermark();
        let mut latest = self.latest;
        for row in rows {
            let (Some(id), Some(time)) = (row.id, row.t) else {
                self.late += u64::from(row.id.is_some());
                continue;
            };
            latest = latest.max(Some(time));
            let windows = self.kind.windows(time);
            if windows[0].end <= watermark {
                self.late += 1;
                continue;
            }
            for times in windows {
                let window = Window {
                    times,
                    k: row.k,
                    count: 1,
                    sum: row.v,
                    first: id,
                };
                if window.times.end > watermark {
                    self.add(window);
                }
            }
        }
        self.latest = latest;
        let watermark = self.watermark();
        let (open, closed) = self
            .open
            .drain(..)
            .partition(|window| window.times.end > watermark);
        self.open = open;
        self.closed.extend::<Vec<_>>(closed);
    }

    fn add(&mut self, mut window: Window) {
        let is_session = matches!(self.kind, Kind::Session(_));
        let joins = |one: &Window, other: &Window| match is_session {
            true => one.times.start <= other.times.end && other.times.start <= one.times.end,
            false => one.times == other.times,
        };
        let joined = self
            .open
            .extract_if(.., |other| other.k == window.k && joins(&window, other));
        for other in joined.collect::<Vec<_>>() {
            let (one, two) = (&window.times, &other.times);
            window.times = one.start.min(two.start)..one.end.max(two.end);
            window.count += other.count;
            window.sum = match (window.sum, other.sum) {
                (Some(one), Some(two)) => Some(one + two),
                (one, two) => one.or(two),
            };
            window.first = window.first.min(other.first);
        }
        self.open.push(window);
    }
}

impl Window {
    fn key(&self) -> Vec<String> {
        let Range { start, end } = self.times;
        vec![
            start.to_string(),
            end.to_string(),
            self.k.unwrap_or("NULL").to_owned(),
        ]
    }

    fn line(&self) -> Vec<Cell> {
        let sum = self.sum.map_or("NULL".to_owned(), |sum| sum.to_string());
        let aggregates = [self.count.to_string(), sum, self.first.to_string()];
        self.key()
            .into_iter()
            .chain(aggregates)
            .map(Cell::Text)
            .collect()
    }
}

/// A statement over windows of `kind`, with the contents of each window.
pub(super) fn windows(random: &mut Rng, kind: Kind) -> Query {
    let sql = format!(
        "SELECT arrow_cast(window_start, 'Int64'), arrow_cast(window_end, 'Int64'), k, count(*), sum(v), \
         min(id) FROM rows WHERE id IS NOT NULL GROUP BY {}, k HAVING min(id) >= 0",
        kind.sql()
    );
    Query {
        sql,
        mode: [OutputMode::Append, OutputMode::Update][random.usize(..2)],
        delay: Some(Duration::from_millis(random.u64(0..2_000))),
        keys: 3,
        near: Vec::new(),
        session: matches!(kind, Kind::Session(_)),
    }
}

fn late_case(seed: u64) -> (Case, Kind) {
    let mut random = Rng::with_seed(seed ^ 0x1A7E);
    let random = &mut random;
    let kind = Kind::draw(random);
    let query = windows(random, kind);
    let mut case = Case::over(random, seed, query, 1, Times::Around(BEHIND));
    // Each round is a batch, and what it closes is another batch before the next.
    for round in &mut case.rounds {
        round.rest = Duration::from_millis(2_500);
    }
    (case, kind)
}

async fn run(case: &Case, kind: Kind) -> Result<(), String> {
    let mut book = Book::new(kind, case);
    for round in &case.rounds {
        book.batch(round.rows.iter());
    }
    let (late, batches) = case.stream().await?;
    book.expect(&case.query, &batches)?;
    match case.lives.len() {
        1 if late != book.late => Err(format!("{late} late rows instead of {}", book.late)),
        _ => Ok(()),
    }
}

#[test]
fn rows_behind_the_watermark_are_dropped_and_counted() {
    check(|seed| {
        let (case, kind) = late_case(seed);
        let outcome = tried(run(&case, kind));
        (case, outcome)
    });
}
