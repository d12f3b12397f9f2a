//! Random aggregates, and how closely their results must match.

use fastrand::Rng;

/// How closely two results must match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Near {
    /// Equal, except for the last digits of floating point numbers.
    Alike,
    /// Estimates that may differ by this much.
    Roughly(f64),
}

const ANY: [&str; 8] = ["id", "k", "n", "b", "f", "v", "s", "t"];
const ORDERED: [&str; 6] = ["k", "n", "v", "x", "s", "t"];
pub(super) const CONDITIONS: [&str; 7] = [
    "v > 5",
    "b",
    "k = 'a'",
    "n IS NOT NULL",
    "x < 0",
    "f = 0.0",
    "s <> k OR id % 3 = 0",
];

/// Functions of one argument, with the columns they apply to.
const PLAIN: [(&[&str], &[&str]); 6] = [
    (&["count"], &ANY),
    (&["sum", "avg"], &["n", "v", "x", "f"]),
    (&["min", "max"], &ORDERED),
    (&["bool_and", "bool_or"], &["b", "v > 3"]),
    (&["bit_and", "bit_or", "bit_xor"], &["n", "v"]),
    (
        &["var_pop", "var_samp", "stddev", "stddev_pop", "median"],
        &["x"],
    ),
];

const OF_TWO: [&str; 9] = [
    "corr",
    "covar_pop",
    "covar_samp",
    "regr_slope",
    "regr_intercept",
    "regr_count",
    "regr_r2",
    "regr_avgx",
    "regr_sxx",
];

const DISTINCT: [(&[&str], &[&str]); 4] = [
    (&["count"], &ANY),
    (&["sum", "avg", "median"], &["v"]),
    (&["min", "max"], &ORDERED),
    (&["avg", "sum"], &["n", "v"]),
];

fn one_of<'a>(random: &mut Rng, all: &[&'a str]) -> &'a str {
    all[random.usize(..all.len())]
}

fn of_one(
    random: &mut Rng,
    table: &[(&[&'static str], &[&'static str])],
) -> (&'static str, &'static str) {
    let (functions, columns) = table[random.usize(..table.len())];
    (one_of(random, functions), one_of(random, columns))
}

/// An aggregate with an optional filter.
pub(super) fn aggregate(random: &mut Rng) -> (String, Near) {
    let (call, near) = call(random);
    match random.u32(..4) {
        0 if !call.ends_with("NULLS") => {
            let condition = one_of(random, &CONDITIONS);
            (format!("{call} FILTER (WHERE {condition})"), near)
        }
        _ => (call, near),
    }
}

/// DISTINCT over a single column, which the engine tends to rewrite into two aggregations.
pub(super) fn of_one_column(random: &mut Rng) -> Vec<(String, Near)> {
    let others = ["sum(v)", "max(v)", "min(n)", "sum(DISTINCT v)"];
    let mut calls = vec!["count(DISTINCT v)"];
    calls.extend(others.iter().filter(|_| random.bool()));
    let calls = calls.into_iter();
    calls.map(|call| (call.to_owned(), Near::Alike)).collect()
}

/// An integer per group that does not depend on the order of computation.
pub(super) fn whole(random: &mut Rng) -> String {
    let all = [
        "count(*)",
        "count(v)",
        "sum(v)",
        "max(v)",
        "count(DISTINCT s)",
        "coalesce(min(n), 0)",
    ];
    one_of(random, &all).to_owned()
}

fn call(random: &mut Rng) -> (String, Near) {
    let call = match random.u32(..14) {
        0 => "count(*)".to_owned(),
        1..=3 => {
            let (function, column) = of_one(random, &PLAIN);
            format!("{function}({column})")
        }
        4 => format!("{}(y, x)", one_of(random, &OF_TWO)),
        5 | 6 => by_order(random),
        7 | 8 => {
            let (function, column) = of_one(random, &DISTINCT);
            format!("{function}(DISTINCT {column})")
        }
        9 => {
            let (column, order) = (one_of(random, &ORDERED), one_of(random, &["", " DESC"]));
            format!("array_agg(DISTINCT {column} ORDER BY {column}{order})")
        }
        10 => "string_agg(DISTINCT s, '+' ORDER BY s)".to_owned(),
        11 => {
            let share = one_of(random, &["0.0", "0.25", "0.5", "1.0"]);
            format!("percentile_cont({share}) WITHIN GROUP (ORDER BY x)")
        }
        12 => format!(
            "approx_distinct({})",
            one_of(random, &["k", "n", "v", "s", "t"])
        ),
        _ => return estimated(random),
    };
    (call, Near::Alike)
}

/// Aggregates that depend on the row order.
fn by_order(random: &mut Rng) -> String {
    let (column, order) = (
        one_of(random, &ANY),
        one_of(random, &["id", "id DESC", "v, id", "s DESC, id"]),
    );
    let nulls = one_of(random, &["", "", " IGNORE NULLS"]);
    match random.u32(..5) {
        0 => format!("first_value({column} ORDER BY {order}){nulls}"),
        1 => format!("last_value({column} ORDER BY {order}){nulls}"),
        2 => {
            let place = one_of(random, &["1", "2", "5", "-1", "-2"]);
            format!("nth_value({column}, {place} ORDER BY {order})")
        }
        3 => format!("array_agg({column} ORDER BY {order})"),
        _ => format!("string_agg(s, ',' ORDER BY {order})"),
    }
}

/// Aggregates by a digest, which depends on how it was built.
fn estimated(random: &mut Rng) -> (String, Near) {
    let (column, span) = [("x", 4_000.0), ("v", 25.0)][random.usize(..2)];
    let call = match random.u32(..2) {
        0 => format!("approx_median({column})"),
        _ => {
            let share = one_of(random, &["0.1", "0.5", "0.9"]);
            format!("approx_percentile_cont({share}) WITHIN GROUP (ORDER BY {column})")
        }
    };
    (call, Near::Roughly(span / 4.0))
}
