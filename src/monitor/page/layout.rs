//! What all pages share: head, navigation, the parts of a query's page.

use maud::{DOCTYPE, Markup, html};

use super::text::span;
use crate::monitor::look::{QueryState, QueryView};

/// A page of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::monitor) enum Tab {
    Overview,
    Batches,
    Shards,
    State,
    Sink,
}

impl Tab {
    const ALL: [Self; 5] = [
        Self::Overview,
        Self::Batches,
        Self::Shards,
        Self::State,
        Self::Sink,
    ];

    /// The tab with this name in the URL.
    pub(in crate::monitor) fn of(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|tab| tab.name() == name && *tab != Self::Overview)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Batches => "batches",
            Self::Shards => "shards",
            Self::State => "state",
            Self::Sink => "sink",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Batches => "Batches",
            Self::Shards => "Shards",
            Self::State => "State",
            Self::Sink => "Sink",
        }
    }

    fn path(self, run_id: &str) -> String {
        match self {
            Self::Overview => format!("/queries/{run_id}"),
            tab => format!("/queries/{run_id}/{}", tab.name()),
        }
    }
}

/// A page before it is written.
pub(super) struct Page {
    title: String,
    content: Markup,
    is_refreshed: bool,
}

impl Page {
    pub(super) fn new(title: &str, content: Markup) -> Self {
        Self {
            title: title.to_owned(),
            content,
            is_refreshed: false,
        }
    }

    /// The script loads it again from time to time.
    pub(super) fn refreshed(mut self) -> Self {
        self.is_refreshed = true;
        self
    }

    pub(super) fn render(self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · kinesis-sql" }
                    link rel="icon" href="/static/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/static/style.css";
                    script src="/static/app.js" defer {}
                }
                body {
                    header.top {
                        a.brand href="/" { "kinesis-sql" }
                        nav aria-label="Pages" {
                            a href="/" { "Queries" }
                            a href="/settings" { "Settings" }
                        }
                        @if self.is_refreshed {
                            span.live {
                                span #updated role="status" { "updates every 2 s with JavaScript" }
                                button #pause type="button" hidden { "Pause" }
                            }
                        }
                    }
                    main data-refresh[self.is_refreshed] { (self.content) }
                }
            }
        };
        page.into_string()
    }
}

/// The page of a query with this tab open.
pub(super) fn query_page(view: &QueryView, open: Tab, content: &Markup) -> Page {
    let page = html! {
        div.title {
            h1 { (view.title()) }
            (badges(view))
            @if view.is_active { (stop_button(view)) }
        }
        (alarms(view))
        p.quiet {
            @if view.exception.is_none() { (view.status.message) " · " }
            @if view.is_active { "runs for " } @else { "ran for " } (span(view.run_time_ms as f64))
            " · trigger: " (view.trigger)
        }
        @if let Some(exception) = &view.exception {
            pre.error role="alert" { (exception) }
        }
        nav.tabs aria-label="Parts of the query" {
            @for tab in Tab::ALL {
                a href=(tab.path(&view.run_id)) aria-current=[(tab == open).then_some("page")] { (tab.title()) }
            }
        }
        (content)
    };
    Page::new(view.title(), page)
}

/// The state in words, with a sign for those who look quickly, and whether an alarm is raised.
pub(super) fn badges(view: &QueryView) -> Markup {
    let (class, text) = match view.state {
        QueryState::Running => ("running", "▶ running"),
        QueryState::Finished => ("ended", "✓ finished"),
        QueryState::Stopped => ("ended", "■ stopped"),
        QueryState::StopLock => ("ended", "■ stopped by STOP_LOCK"),
        QueryState::Failed => ("failed", "✕ failed"),
    };
    html! {
        span.badge.(class) { (text) }
        @if view.is_active && !view.health.is_healthy() { span.badge.unhealthy { "⚠ unhealthy" } }
    }
}

/// The raised alarms of a query that runs. The error of one that has failed is shown in full elsewhere.
pub(super) fn alarms(view: &QueryView) -> Markup {
    html! {
        @if view.is_active && !view.health.is_healthy() {
            ul.notice role="alert" {
                @for reason in &view.health.reasons {
                    li { strong { (reason.alarm) } ": " (reason.message) }
                }
            }
        }
    }
}

/// The button that stops a query after the batch in flight.
pub(super) fn stop_button(view: &QueryView) -> Markup {
    let question = format!(
        "Stop the query '{}' after the batch in flight?",
        view.title()
    );
    html! {
        form.stop method="post" action=(format!("/queries/{}/stop", view.run_id)) data-confirm=(question) {
            button type="submit" { "Stop" }
        }
    }
}

/// A figure with its name.
pub(super) fn figure(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
