//! Random statements.

use std::time::Duration;

use datafusion_kinesis::model::OutputMode;
use fastrand::Rng;

use super::aggregates::{CONDITIONS, Near, aggregate, of_one_column, whole};
use super::rows::over_rows;

/// A statement, and properties of its columns.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// Reads from `rows`.
    pub(super) sql: String,
    pub(super) mode: OutputMode,
    /// The watermark delay, if groups are closed.
    pub(super) delay: Option<Duration>,
    /// The first `keys` columns identify a group.
    pub(super) keys: usize,
    /// How closely the other columns must match.
    pub(super) near: Vec<Near>,
    /// Sessions are merged: a later row replaces those it contains. The first two columns are its
    /// bounds.
    pub(super) session: bool,
}

const KEYS: [&str; 15] = [
    "k",
    "n",
    "b",
    "f",
    "k",
    "n",
    "n % 3",
    "upper(k)",
    "named_struct('k', k)['k']",
    "v > 5",
    "date_trunc('second', t)",
    "coalesce(k, 'none')",
    "f * 0.0",
    "arrow_cast(k, 'Dictionary(Int32, Utf8)')",
    "arrow_cast(n, 'Decimal128(10, 2)')",
];
/// Columns that can be in grouping sets.
const COLUMNS: [&str; 4] = ["k", "n", "b", "f"];

/// A statement under construction.
struct Draft {
    columns: Vec<String>,
    groups: Vec<String>,
    keys: usize,
    near: Vec<Near>,
    window: Option<&'static str>,
}

impl Query {
    /// The statement over the stream `words`.
    pub(super) fn over_words(&self) -> String {
        over_rows(&self.sql)
    }

    pub(super) fn draw(random: &mut Rng) -> Self {
        let (mode, delay) = match random.u32(..8) {
            0..=2 => (OutputMode::Complete, None),
            3..=5 => (OutputMode::Update, None),
            _ => {
                let delay = Duration::from_millis(random.u64(0..3_000));
                (OutputMode::Append, Some(delay))
            }
        };
        if random.u32(..10) == 0 && delay.is_none() {
            return Self::distinct(random);
        }
        let draft = Draft::draw(random, delay.is_some());
        let mut sql = format!("SELECT {} FROM rows", draft.columns.join(", "));
        sql.push_str(&condition(random));
        if !draft.groups.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", draft.groups.join(", ")));
        }
        if mode != OutputMode::Update && random.u32(..4) == 0 {
            let bound = random.i32(-2..5);
            sql.push_str(&format!(" HAVING {} > {bound}", whole(random)));
        }
        let mut query = Self {
            sql,
            mode,
            delay,
            keys: draft.keys,
            session: draft.window == Some("session"),
            near: draft.near,
        };
        query.wrap(random);
        query
    }

    /// Groups without aggregates.
    fn distinct(random: &mut Rng) -> Self {
        let count = random.usize(1..4);
        let keys = some(random, &KEYS, count);
        let (columns, groups) = (named(&keys).join(", "), keys.join(", "));
        let condition = condition(random);
        let sql = match random.u32(..2) {
            0 => format!("SELECT DISTINCT {columns} FROM rows{condition}"),
            _ => format!("SELECT {columns} FROM rows{condition} GROUP BY {groups}"),
        };
        let modes = [OutputMode::Append, OutputMode::Update, OutputMode::Complete];
        let mode = modes[random.usize(..modes.len())];
        Self {
            sql,
            mode,
            delay: None,
            keys: keys.len(),
            near: Vec::new(),
            session: false,
        }
    }

    /// Computes something from the result, with a limit in complete mode.
    fn wrap(&mut self, random: &mut Rng) {
        if random.u32(..4) == 0 {
            let sql = std::mem::take(&mut self.sql);
            self.sql = format!("SELECT *, a0 IS NULL AS again FROM ({sql})");
            self.near.push(Near::Alike);
        }
        if self.mode == OutputMode::Complete && self.keys > 0 && random.u32(..4) == 0 {
            let places: Vec<String> = (1..=self.keys).map(|place| place.to_string()).collect();
            let most = random.u32(1..6);
            self.sql = format!("{} ORDER BY {} LIMIT {most}", self.sql, places.join(", "));
        }
    }
}

impl Draft {
    fn draw(random: &mut Rng, closes: bool) -> Self {
        let mut draft = Self {
            columns: Vec::new(),
            groups: Vec::new(),
            keys: 0,
            near: Vec::new(),
            window: None,
        };
        if closes || random.u32(..3) == 0 {
            draft.window(random);
        }
        let count = random.usize(0..4);
        if draft.window.is_none() && random.u32(..4) == 0 {
            draft.sets(random, count.max(1));
        } else {
            let keys = some(random, &KEYS, count);
            draft.columns.extend(named(&keys));
            draft.groups.extend(keys.into_iter().map(str::to_owned));
        }
        draft.keys = draft.columns.len();
        let calls = match random.u32(..8) {
            0 => of_one_column(random),
            _ => (0..random.usize(1..6)).map(|_| computed(random)).collect(),
        };
        for (number, (call, near)) in calls.into_iter().enumerate() {
            draft.columns.push(format!("{call} AS a{number}"));
            draft.near.push(near);
        }
        draft
    }

    fn window(&mut self, random: &mut Rng) {
        let unit = [100, 250, 1_000][random.usize(..3)];
        let one = unit * random.i64(1..8);
        let (name, arguments) = match random.u32(..3) {
            0 => ("tumble", format!("INTERVAL '{one} milliseconds'")),
            1 => {
                let size = one + unit * random.i64(0..12);
                let lengths =
                    format!("INTERVAL '{one} milliseconds', INTERVAL '{size} milliseconds'");
                ("hop", lengths)
            }
            _ => ("session", format!("INTERVAL '{one} milliseconds'")),
        };
        self.columns = vec![
            "window_start AS ws".to_owned(),
            "window_end AS we".to_owned(),
        ];
        self.groups = vec![format!("{name}(t, {arguments})")];
        self.window = Some(name);
    }

    /// Grouping sets; each row contains its grouping id.
    fn sets(&mut self, random: &mut Rng, count: usize) {
        let keys = some(random, &COLUMNS, count);
        self.columns.extend(named(&keys));
        let sets = keys.iter().enumerate();
        self.columns
            .extend(sets.map(|(number, key)| format!("grouping({key}) AS s{number}")));
        let list = keys.join(", ");
        self.groups.push(match random.u32(..3) {
            0 => format!("ROLLUP ({list})"),
            1 => format!("CUBE ({list})"),
            _ => {
                let single = keys.iter().map(|key| format!("({key})"));
                let single: Vec<String> = single.collect();
                let all = if keys.len() > 1 {
                    format!(", ({list})")
                } else {
                    String::new()
                };
                let none = ["", ", ()"][random.usize(..2)];
                format!("GROUPING SETS ({}{all}{none})", single.join(", "))
            }
        });
    }
}

/// An aggregate, or an expression of two.
fn computed(random: &mut Rng) -> (String, Near) {
    if random.u32(..6) > 0 {
        return aggregate(random);
    }
    let (one, other) = (whole(random), whole(random));
    (format!("{one} * 2 + {other}"), Near::Alike)
}

/// Keeps rows that only advance the event time.
fn condition(random: &mut Rng) -> String {
    match random.u32(..3) {
        0 => {
            let condition = CONDITIONS[random.usize(..CONDITIONS.len())];
            format!(" WHERE id < 0 OR id IS NOT NULL AND ({condition})")
        }
        _ => " WHERE id IS NOT NULL".to_owned(),
    }
}

/// `count` distinct elements of `all`.
fn some<'a>(random: &mut Rng, all: &[&'a str], count: usize) -> Vec<&'a str> {
    let mut left = all.to_vec();
    random.shuffle(&mut left);
    let mut found = Vec::new();
    for item in left {
        if found.len() < count && !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

fn named(keys: &[&str]) -> Vec<String> {
    let keys = keys.iter().enumerate();
    keys.map(|(number, key)| format!("{key} AS g{number}"))
        .collect()
}
