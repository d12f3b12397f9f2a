//! Random rows: NULLs, zeros of both signs, NaNs, and records without a row.

use std::time::Duration;

use fastrand::Rng;

const TEXTS: [Option<&str>; 5] = [
    Some("a"),
    Some("b"),
    Some("ab"),
    Some("longer than a view"),
    None,
];
const FLOATS: [Option<&str>; 6] = [
    Some("-0.0"),
    Some("0.0"),
    Some("NaN"),
    Some("1.5"),
    Some("-2.25"),
    None,
];

/// The columns of a row and the expressions for their fields, in field order.
const COLUMNS: [(&str, &str, &str); 10] = [
    ("id", "TRY_CAST(", " AS BIGINT)"),
    ("k", "", ""),
    ("n", "TRY_CAST(", " AS INT)"),
    ("b", "TRY_CAST(", " AS BOOLEAN)"),
    ("f", "TRY_CAST(", " AS DOUBLE)"),
    ("v", "TRY_CAST(", " AS BIGINT)"),
    ("x", "TRY_CAST(", " AS DOUBLE)"),
    ("y", "TRY_CAST(", " AS DOUBLE)"),
    ("s", "", ""),
    ("t", "to_timestamp_millis(TRY_CAST(", " AS BIGINT))"),
];

/// `sql` with the rows of the stream `words` in place of `FROM rows`. A record without a row has no
/// `id`.
pub(super) fn over_rows(sql: &str) -> String {
    let words: Vec<&str> = sql.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let columns = (1..).zip(COLUMNS);
    // Unused columns would slow down the planner.
    let columns = columns.filter(|(_, (name, ..))| words.contains(name));
    let columns = columns.map(|(field, (name, before, behind))| {
        format!("{before}NULLIF(split_part(line, ',', {field}), ''){behind} AS {name}")
    });
    let columns: Vec<String> = columns.collect();
    let lines = "(SELECT CAST(data AS VARCHAR) AS line FROM words)";
    let rows = format!("FROM (SELECT {} FROM {lines})", columns.join(", "));
    sql.replace("FROM rows", &rows)
}

/// A row to be put into a shard.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Unique; `None` for a record without a row.
    pub(super) id: Option<i64>,
    pub(super) shard: u32,
    pub(super) k: Option<&'static str>,
    pub(super) v: Option<i64>,
    /// Milliseconds.
    pub(super) t: Option<i64>,
    /// Columns used only by statements: `n`, `b` and `f`; `x`, `y` and `s`.
    others: [String; 2],
}

impl Row {
    pub(super) fn text(&self) -> String {
        let Some(id) = self.id else {
            return "no row".to_owned();
        };
        let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
        let (k, v, t) = (self.k.unwrap_or_default(), number(self.v), number(self.t));
        let [nbf, xys] = &self.others;
        format!("{id},{k},{nbf},{v},{xys},{t}")
    }
}

/// Rows put at once, and the pause after them.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) rows: Vec<Row>,
    pub(super) rest: Duration,
}

/// How event times are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// Arbitrary, and some rows have none.
    Anyhow,
    /// All rows have one, at most this many milliseconds behind earlier rows.
    Behind(i64),
    /// The same, but some rows have none.
    Around(i64),
}

/// Generates rows.
pub(super) struct Source<'a> {
    pub(super) random: &'a mut Rng,
    pub(super) shards: u32,
    pub(super) times: Times,
    now: i64,
    next: i64,
    kinds: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(random: &'a mut Rng, shards: u32, times: Times) -> Self {
        let kinds = random.usize(1..=TEXTS.len());
        Self {
            random,
            shards,
            times,
            now: 200_000,
            next: 0,
            kinds,
        }
    }

    pub(super) fn round(&mut self) -> Round {
        let most = [1, 4, 12, 40][self.random.usize(..4)];
        let count = self.random.usize(0..=most);
        let rows = (0..count).map(|_| match self.random.u32(..12) {
            0 => self.nothing(),
            _ => self.row(),
        });
        Round {
            rows: rows.collect(),
            rest: Duration::from_millis([0, 5, 300, 2_500][self.random.usize(..4)]),
        }
    }

    /// Rows of shards that are each `ahead` of the earlier rows. The rows of a shard are ordered up
    /// to `behind` milliseconds, and none is further than that behind the latest earlier row.
    pub(super) fn apart(&mut self, ahead: &[i64], behind: i64) -> Round {
        let start = self.now + 1;
        let mut times: Vec<i64> = ahead.iter().map(|ahead| start + ahead).collect();
        let count = self.random.usize(0..=30);
        let rows = (0..count).map(|_| {
            let shard = self.random.usize(..times.len());
            times[shard] += self.random.i64(0..400);
            let time = times[shard] - self.random.i64(0..=behind);
            let id = self.next;
            self.next += 1;
            let row = self.at(id, Some(time));
            let id = (self.random.u32(..12) > 0).then_some(id);
            let shard = shard as u32;
            Row { id, shard, ..row }
        });
        let rows = rows.collect();
        self.now = times.into_iter().max().unwrap_or(start);
        let rest = Duration::ZERO;
        Round { rows, rest }
    }

    fn nothing(&mut self) -> Row {
        Row {
            id: None,
            ..self.row()
        }
    }

    fn row(&mut self) -> Row {
        let id = self.next;
        self.next += 1;
        self.now += self.random.i64(0..400);
        let t = match self.times {
            Times::Anyhow => self.some(|random| 100_000 + random.i64(0..20_000)),
            Times::Behind(most) => Some(self.now - self.random.i64(0..=most)),
            Times::Around(most) => {
                let now = self.now;
                self.some(|random| now - random.i64(0..=most))
            }
        };
        self.at(id, t)
    }

    /// Closes all groups, or at least makes a batch.
    pub(super) fn last(&mut self) -> Round {
        match self.times {
            Times::Anyhow => Round {
                rows: vec![self.row()],
                rest: Duration::ZERO,
            },
            Times::Behind(_) | Times::Around(_) => self.ahead(),
        }
    }

    /// One row per shard, far ahead of all others.
    pub(super) fn ahead(&mut self) -> Round {
        let shards = self.shards;
        let row = |(number, shard): (i64, u32)| {
            let row = self.at(-1 - number, Some(1_000_000_000));
            Row { shard, ..row }
        };
        let rows = (0..).zip(0..shards).map(row).collect();
        let rest = Duration::from_secs(5);
        Round { rows, rest }
    }

    fn at(&mut self, id: i64, t: Option<i64>) -> Row {
        let text = |random: &mut Rng, kinds: usize| TEXTS[TEXTS.len() - 1 - random.usize(..kinds)];
        let k = text(self.random, self.kinds);
        let written = |value: Option<String>| value.unwrap_or_default();
        let n = written(self.some(|random| random.i32(-2..3).to_string()));
        let b = written(self.some(|random| random.bool().to_string()));
        let f = FLOATS[self.random.usize(..FLOATS.len())].unwrap_or_default();
        // Their sums are exact, and duplicates are rare.
        let wide =
            |random: &mut Rng| (f64::from(random.i32(-2_000_000..2_000_000)) / 1_024.0).to_string();
        let (x, y) = (written(self.some(wide)), written(self.some(wide)));
        let s = text(self.random, TEXTS.len()).unwrap_or_default();
        Row {
            id: Some(id),
            shard: self.random.u32(..self.shards),
            k,
            v: self.some(|random| random.i64(-5..20)),
            t,
            others: [format!("{n},{b},{f}"), format!("{x},{y},{s}")],
        }
    }

    /// A value, or sometimes none.
    fn some<T>(&mut self, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
        (self.random.u32(..8) > 0).then(|| draw(self.random))
    }
}
