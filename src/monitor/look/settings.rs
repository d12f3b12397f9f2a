//! Settings and options as they are in force, and where each came from.

use datafusion::common::config::{ConfigEntry, ExtensionOptions};
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::mask::{Mask, kinesis_tables};
use crate::options::{all, may_hold_secret};
use crate::sql::StreamingSettings;
use crate::table::KinesisTable;

const MASK: &str = "***";

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) enum Origin {
    Given,
    /// Given for all tables, such as on the command line.
    Session,
    Default,
}

/// A setting, or an option of a table.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct OptionView {
    pub(in crate::monitor) name: &'static str,
    pub(in crate::monitor) value: Option<String>,
    pub(in crate::monitor) origin: Origin,
}

/// A setting of the session.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct SettingView {
    pub(in crate::monitor) name: String,
    pub(in crate::monitor) value: Option<String>,
    pub(in crate::monitor) origin: Origin,
    pub(in crate::monitor) description: &'static str,
}

/// The options of a table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct TableView {
    pub(in crate::monitor) table: String,
    pub(in crate::monitor) stream: String,
    pub(in crate::monitor) is_unbounded: bool,
    pub(in crate::monitor) options: Vec<OptionView>,
}

/// What runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct Versions {
    pub(in crate::monitor) datafusion_kinesis: &'static str,
    pub(in crate::monitor) datafusion: &'static str,
    pub(in crate::monitor) build: &'static str,
    pub(in crate::monitor) platform: String,
}

/// The settings of a session and the options of its tables.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct SettingsView {
    pub(in crate::monitor) versions: Versions,
    pub(in crate::monitor) settings: Vec<SettingView>,
    pub(in crate::monitor) tables: Vec<TableView>,
}

impl SettingsView {
    pub(super) fn of(ctx: &SessionContext, mask: &Mask) -> Self {
        let settings = StreamingSettings::of(ctx.state_ref().read().config_options());
        let defaults = StreamingSettings::default().entries().into_iter();
        let settings = settings.entries().into_iter().zip(defaults);
        let tables = kinesis_tables(ctx).into_iter();
        Self {
            versions: Versions {
                datafusion_kinesis: env!("CARGO_PKG_VERSION"),
                datafusion: datafusion::DATAFUSION_VERSION,
                build: match cfg!(debug_assertions) {
                    true => "debug",
                    false => "release",
                },
                platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            },
            settings: settings
                .map(|(entry, default)| setting(entry, &default, mask))
                .collect(),
            tables: tables
                .map(|(name, table)| table_view(name, &table, mask))
                .collect(),
        }
    }
}

fn setting(entry: ConfigEntry, default: &ConfigEntry, mask: &Mask) -> SettingView {
    let value = entry.value.map(masked);
    let (value, origin) = match value == default.value {
        true => (value, Origin::Default),
        false => (value.map(|value| mask.known(value)), Origin::Given),
    };
    SettingView {
        name: entry.key,
        value,
        origin,
        description: entry.description,
    }
}

fn table_view(name: String, table: &KinesisTable, mask: &Mask) -> TableView {
    let options = table.options();
    let given = table.given_options().shown();
    let view = |option: &crate::options::OptionSpec| {
        let (value, origin) = match given.get(option.name) {
            Some(value) => {
                let shown = value.clone().map(|value| mask.known(value));
                (shown.or(Some(MASK.to_owned())), Origin::Given)
            }
            None => match session_value(option.name, table) {
                Some(value) => (Some(value), Origin::Session),
                None => (option.default.map(str::to_owned), Origin::Default),
            },
        };
        OptionView {
            name: option.name,
            value,
            origin,
        }
    };
    TableView {
        table: name,
        stream: mask.known(options.stream.to_string()),
        is_unbounded: table.is_unbounded(),
        options: all().map(view).collect(),
    }
}

/// What the session gives to tables that leave an option out.
fn session_value(option: &str, table: &KinesisTable) -> Option<String> {
    let connection = &table.options().connection;
    match option {
        "kinesis.endpointUrl" => connection.endpoint_url.clone().map(masked),
        "kinesis.region" => connection.region.clone(),
        _ => None,
    }
}

fn masked(value: String) -> String {
    match may_hold_secret(&value) {
        true => MASK.to_owned(),
        false => value,
    }
}
