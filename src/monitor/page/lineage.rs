//! Draws which shards came from which by splits and merges.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::text::short;
use crate::monitor::look::ShardView;

/// How many shards a picture has.
const SHOWN_SHARDS: usize = 120;

const BOX_WIDTH: usize = 92;
const BOX_HEIGHT: usize = 26;
const COLUMN: usize = 140;
const ROW: usize = 36;

/// The picture; nothing if no shard was split or merged.
pub(super) fn picture(shards: &[ShardView]) -> Markup {
    let related = related(shards);
    if related.is_empty() {
        return html! {};
    }
    let left_out = related.len().saturating_sub(SHOWN_SHARDS);
    // The newest shards are the interesting ones.
    let related = &related[left_out..];
    let places = places(related);
    let columns = places
        .values()
        .map(|(column, _)| column + 1)
        .max()
        .unwrap_or(1);
    let rows = places.values().map(|(_, row)| row + 1).max().unwrap_or(1);
    let (width, height) = ((columns - 1) * COLUMN + BOX_WIDTH + 2, rows * ROW);
    html! {
        h3 { "Splits and merges" }
        div.scroll tabindex="0" {
            svg.lineage viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img"
                aria-label="Which shards came from which" {
                @for shard in related {
                    @for parent in &shard.parent_shard_ids {
                        @if let (Some(from), Some(to)) = (places.get(&**parent), places.get(&*shard.shard_id)) {
                            path.edge d=(edge(*from, *to)) {}
                        }
                    }
                }
                @for shard in related {
                    @if let Some((column, row)) = places.get(&*shard.shard_id) { (node(shard, *column, *row)) }
                }
            }
        }
        @if left_out > 0 { p.quiet { (left_out) " older shards are left out." } }
    }
}

/// The shards that have parents or children, in the order of their ids.
fn related(shards: &[ShardView]) -> Vec<&ShardView> {
    let parents = shards.iter().flat_map(|shard| &shard.parent_shard_ids);
    let parents: BTreeSet<&String> = parents.collect();
    let related = shards
        .iter()
        .filter(|shard| !shard.parent_shard_ids.is_empty() || parents.contains(&shard.shard_id));
    related.collect()
}

/// The column and row of each shard: a column for each generation, and children next to their parents.
fn places<'a>(shards: &[&'a ShardView]) -> BTreeMap<&'a str, (usize, usize)> {
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    // The first free row of each column.
    let mut free: Vec<usize> = Vec::new();
    // A child has a larger id than its parents.
    for shard in shards {
        let parents = shard.parent_shard_ids.iter();
        let parents = parents.filter_map(|parent| places.get(&**parent));
        let parents: Vec<_> = parents.copied().collect();
        let column = parents
            .iter()
            .map(|(column, _)| column + 1)
            .max()
            .unwrap_or(0);
        let row = parents.iter().map(|(_, row)| *row).min().unwrap_or(0);
        if free.len() <= column {
            free.resize(column + 1, 0);
        }
        let row = row.max(free[column]);
        free[column] = row + 1;
        // A shard with children leaves room for two.
        let children = shards
            .iter()
            .filter(|child| child.parent_shard_ids.contains(&shard.shard_id));
        if children.count() > 1 {
            free[column] = row + 2;
        }
        places.insert(&shard.shard_id, (column, row));
    }
    places
}

fn edge(from: (usize, usize), to: (usize, usize)) -> String {
    let start = (from.0 * COLUMN + BOX_WIDTH + 1, from.1 * ROW + ROW / 2);
    let end = (to.0 * COLUMN + 1, to.1 * ROW + ROW / 2);
    let middle = usize::midpoint(start.0, end.0);
    format!(
        "M{} {}C{middle} {} {middle} {} {} {}",
        start.0, start.1, start.1, end.1, end.0, end.1
    )
}

fn node(shard: &ShardView, column: usize, row: usize) -> Markup {
    let (x, y) = (column * COLUMN + 1, row * ROW + (ROW - BOX_HEIGHT) / 2);
    let (class, word) = match shard.status {
        _ if shard.is_hot => ("hot", "▲ hot"),
        "ended" => ("ended", "ended"),
        "waiting" => ("waiting", "waits"),
        "catchingUp" => ("reading", "reads"),
        _ => ("tip", "at tip"),
    };
    html! {
        g.shard.(class) {
            title { (shard.shard_id) ", " (word) }
            rect x=(x) y=(y) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="4" {}
            text x=(x + BOX_WIDTH / 2) y=(y + 17) text-anchor="middle" { (short(&shard.shard_id)) " · " (word) }
        }
    }
}
