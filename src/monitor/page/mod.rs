//! The pages as HTML.

mod batches;
mod chart;
mod charts;
mod cost;
mod layout;
mod lineage;
mod overview;
mod plan;
mod queries;
mod settings;
mod shards;
mod sink;
mod state;
mod text;

use maud::{Markup, html};

pub(super) use self::charts::Range;
pub(super) use self::layout::Tab;
use self::layout::{Page, query_page};
use super::look::{Look, QueryView, StateView};
use crate::model::BatchId;
use crate::query::ObservedQuery;

/// All queries.
pub(super) fn queries(look: &Look) -> String {
    let mask = look.mask();
    let views = look.queries(&mask);
    Page::new("Queries", queries::page(&views, &look.not_ready(&mask)))
        .refreshed()
        .render()
}

/// A tab of a query.
pub(super) fn query(look: &Look, run: &ObservedQuery, tab: Tab, range: Range) -> String {
    let mask = look.mask();
    let view = QueryView::of(run, &mask);
    let content = match tab {
        Tab::Overview => overview::page(look, run, &view, range, &mask),
        Tab::Batches => batches::page(run, &view),
        Tab::Shards => shards::page(run, &mask),
        Tab::State => state::page(run, &StateView::of(run, &mask)),
        Tab::Sink => sink::page(run, &view, &mask),
    };
    query_page(&view, tab, &content).refreshed().render()
}

/// One batch: its ranges and its plan.
pub(super) fn batch(look: &Look, run: &ObservedQuery, batch: BatchId) -> String {
    let mask = look.mask();
    let view = QueryView::of(run, &mask);
    let recent = run.recent_progress();
    let progress = recent.iter().find(|progress| progress.batch_id == batch);
    let plan = Look::plan(run, batch, &mask);
    let content = plan::page(batch, progress.map(AsRef::as_ref), plan.as_ref(), &mask);
    // A committed batch does not change.
    query_page(&view, Tab::Batches, &content).render()
}

/// The settings of the session.
pub(super) fn settings(look: &Look) -> String {
    Page::new("Settings", settings::page(&look.settings())).render()
}

/// There is no such query.
pub(super) fn no_query(id: &str) -> String {
    note(
        "No such query",
        &html! {
            p { "No query has the id, run id or name " code { (id) } ". The page knows the runs of this process only." }
        },
    )
}

/// There is no such page.
pub(super) fn not_found() -> String {
    note("No such page", &html! { p { "Nothing is here." } })
}

fn note(title: &str, text: &Markup) -> String {
    let content = html! {
        h1 { (title) }
        (text)
        p { a href="/" { "All queries" } }
    };
    Page::new(title, content).render()
}
