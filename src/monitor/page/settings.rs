//! The settings of the session and the options of its tables.

use maud::{Markup, html};

use super::text::NONE;
use crate::monitor::look::{OptionView, Origin, SettingsView, TableView};

pub(super) fn page(settings: &SettingsView) -> Markup {
    let versions = &settings.versions;
    html! {
        h1 { "Settings" }
        h2 { "Versions" }
        dl.pairs {
            dt { "datafusion-kinesis" } dd { (versions.datafusion_kinesis) }
            dt { "DataFusion" } dd { (versions.datafusion) }
            dt { "build" } dd { (versions.build) ", " (versions.platform) }
        }
        h2 { "Session" }
        p.quiet { "As they are set now. A query keeps those that it was started with." }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Setting" } th { "Value" } th { "From" } th { "Meaning" } } }
                tbody {
                    @for setting in &settings.settings {
                        tr {
                            th scope="row" { (setting.name) }
                            td { (value(setting.value.as_deref())) }
                            td { (origin(setting.origin)) }
                            td.message { (setting.description) }
                        }
                    }
                }
            }
        }
        @for table in &settings.tables { (options(table)) }
        @if settings.tables.is_empty() { p { "The session has no Kinesis tables." } }
    }
}

fn options(table: &TableView) -> Markup {
    let is_set = |option: &&OptionView| option.origin != Origin::Default;
    let kind = if table.is_unbounded {
        "unbounded"
    } else {
        "bounded"
    };
    html! {
        h2 { "Table " (table.table) }
        p.quiet { (kind) ", stream " (table.stream) }
        (list(table.options.iter().filter(is_set)))
        details {
            summary { "defaults" }
            (list(table.options.iter().filter(|option| !is_set(option))))
        }
    }
}

fn list<'a>(options: impl Iterator<Item = &'a OptionView>) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Option" } th { "Value" } th { "From" } } }
                tbody {
                    @for option in options {
                        tr {
                            th scope="row" { (option.name) }
                            td { (value(option.value.as_deref())) }
                            td { (origin(option.origin)) }
                        }
                    }
                }
            }
        }
    }
}

fn value(value: Option<&str>) -> Markup {
    html! { @match value { Some(value) => code { (value) }, None => (NONE) } }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Given => "given",
        Origin::Session => "session or ARN",
        Origin::Default => "default",
    }
}
