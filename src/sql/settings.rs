//! `SET streaming.… = '…'`: a session's settings for its streaming queries.

mod alarms;
mod files;
mod prices;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{ResetStatement, Statement};

use self::alarms::{ALARMS, is_secret};
use self::files::REFRESH_TABLES;
use self::prices::PRICES;
use crate::error::{Error, Result};
use crate::model::{OutputMode, Secret, Trigger, format_duration, parse_duration};
use crate::options::{PriceList, location, may_hold_secret, nearest};

/// A session's settings for streaming queries. The builder of a query can override each of them.
///
/// [`register`](crate::register) installs them for `SET` and `SHOW`:
///
/// | Setting | Default | |
/// |---|---|---|
/// | `streaming.trigger` | `as fast as possible` | see [`Trigger`] |
/// | `streaming.checkpoint_location` | | an absolute path or a URL without a password |
/// | `streaming.output_mode` | `append` | see [`OutputMode`] |
/// | `streaming.query_name` | | any text |
/// | `streaming.watermark_delay` | | a duration such as `10 seconds`: how far the watermark stays behind the latest event time |
/// | `streaming.watermark_column` | the first argument of the window | the column that holds the event time |
/// | `streaming.watermark_idle_timeout` | `30 seconds` if the event time is `approximateArrivalTimestamp`, else none | a duration: when no record has arrived for this long, the watermark follows the clock |
/// | `streaming.accept_changed_query` | `false` | `true` lets a changed statement resume from the checkpoint of the old one |
/// | `streaming.refresh_tables` | `every batch` | when tables of files are read again: `every batch`, or after a duration such as `10 minutes`, for which up to 256 MiB of rows of each table are kept |
/// | `streaming.alarm_lag` | | a duration such as `5 minutes`: the query is unhealthy while rows wait this long until they are committed |
/// | `streaming.alarm_stuck` | | a duration such as `10 minutes`: it is unhealthy if no batch is committed for this long although rows wait |
/// | `streaming.alarm_error_rate` | | a share such as `0.05`: it is unhealthy while a larger share of requests fails or is throttled |
/// | `streaming.alarm_webhook` | | an `https://` URL to which each change of the health is posted |
/// | `streaming.prices` | the list prices in this crate | a JSON file of prices, from which the costs of queries are estimated; read by `SET` |
///
/// `SET` refuses an invalid value. `RESET streaming.…` restores the default; it needs
/// [`sql`](fn@crate::sql).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct StreamingSettings {
    /// When batches run.
    pub trigger: Trigger,
    /// Where progress is stored.
    pub checkpoint_location: Option<String>,
    /// Which rows a batch emits.
    pub output_mode: OutputMode,
    /// The name of the query in messages.
    pub query_name: Option<String>,
    /// How far the watermark stays behind the latest event time; `None` means no watermark.
    pub watermark_delay: Option<Duration>,
    /// The event-time column; `None` means the first argument of the window.
    pub watermark_column: Option<String>,
    /// The watermark follows the clock after this time without a record.
    pub watermark_idle_timeout: Option<Duration>,
    /// Whether a changed statement, or one with another target, may resume from the old one's checkpoint.
    pub accept_changed_query: bool,
    /// For how long the rows of tables of files are kept; `None` means that every batch reads them.
    pub refresh_tables: Option<Duration>,
    /// The query is unhealthy while rows wait this long until they are committed; `None` means no alarm.
    pub alarm_lag: Option<Duration>,
    /// The query is unhealthy if no batch is committed for this long although rows wait.
    pub alarm_stuck: Option<Duration>,
    /// The query is unhealthy while a larger share of requests fails or is throttled.
    pub alarm_error_rate: Option<f64>,
    /// A URL to which each change of the health is posted.
    pub alarm_webhook: Option<Secret>,
    /// Prices that override the built-in ones.
    pub(crate) price_file: Option<Arc<PriceList>>,
}

/// A setting, named without the prefix `streaming.`.
#[derive(Debug, Clone, Copy)]
struct Setting {
    name: &'static str,
    description: &'static str,
    get: fn(&StreamingSettings) -> Option<String>,
    set: fn(&mut StreamingSettings, &str) -> Result<(), String>,
    reset: fn(&mut StreamingSettings, StreamingSettings),
}

const SETTINGS: [Setting; 8] = [
    Setting {
        name: "trigger",
        description: "When a streaming query runs batches: 'as fast as possible', an interval such as '1 second', 'once' or 'available now'.",
        get: |settings| Some(settings.trigger.to_string()),
        set: |settings, text| {
            let trigger = text.parse().map_err(|_| Trigger::EXPECTED);
            assign(&mut settings.trigger, trigger)
        },
        reset: |settings, default| settings.trigger = default.trigger,
    },
    Setting {
        name: "checkpoint_location",
        description: "Where a streaming query stores its progress: an absolute path or a URL.",
        get: |settings| settings.checkpoint_location.clone(),
        set: |settings, text| assign(&mut settings.checkpoint_location, location(text).map(Some)),
        reset: |settings, default| settings.checkpoint_location = default.checkpoint_location,
    },
    Setting {
        name: "output_mode",
        description: "Which rows a batch of a streaming query emits: 'append', 'update' or 'complete'.",
        get: |settings| Some(settings.output_mode.to_string()),
        set: |settings, text| {
            let mode = text.parse().map_err(|_| OutputMode::EXPECTED);
            assign(&mut settings.output_mode, mode)
        },
        reset: |settings, default| settings.output_mode = default.output_mode,
    },
    Setting {
        name: "query_name",
        description: "The name of a streaming query in messages.",
        get: |settings| settings.query_name.clone(),
        set: |settings, text| assign(&mut settings.query_name, non_empty(text).map(Some)),
        reset: |settings, default| settings.query_name = default.query_name,
    },
    Setting {
        name: "watermark_delay",
        description: "How far the watermark of a streaming GROUP BY stays behind the latest event time, such as '10 seconds'; without it there is no watermark.",
        get: |settings| settings.watermark_delay.map(format_duration),
        set: |settings, text| assign(&mut settings.watermark_delay, duration(text).map(Some)),
        reset: |settings, default| settings.watermark_delay = default.watermark_delay,
    },
    Setting {
        name: "watermark_column",
        description: "The timestamp column that holds the event time of a streaming GROUP BY; by default the first argument of its window.",
        get: |settings| settings.watermark_column.clone(),
        set: |settings, text| assign(&mut settings.watermark_column, non_empty(text).map(Some)),
        reset: |settings, default| settings.watermark_column = default.watermark_column,
    },
    Setting {
        name: "watermark_idle_timeout",
        description: "After this time without a record, such as '1 minute', the watermark follows the clock; the default is 30 seconds if the event time is approximateArrivalTimestamp, else never.",
        get: |settings| settings.watermark_idle_timeout.map(format_duration),
        set: |settings, text| {
            assign(
                &mut settings.watermark_idle_timeout,
                duration(text).map(Some),
            )
        },
        reset: |settings, default| {
            settings.watermark_idle_timeout = default.watermark_idle_timeout;
        },
    },
    Setting {
        name: "accept_changed_query",
        description: "Whether a changed statement, or one with another target, may resume from the old one's checkpoint: 'true' or 'false'.",
        get: |settings| Some(settings.accept_changed_query.to_string()),
        set: |settings, text| assign(&mut settings.accept_changed_query, flag(text)),
        reset: |settings, default| settings.accept_changed_query = default.accept_changed_query,
    },
];

fn assign<T, E: Into<String>>(slot: &mut T, value: Result<T, E>) -> Result<(), String> {
    *slot = value.map_err(Into::into)?;
    Ok(())
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text)
        .ok_or("expected a duration up to 365 days, such as '10 seconds' or '0 seconds'")
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("expected 'true' or 'false'"),
    }
}

fn non_empty(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("expected a non-empty string"),
        name => Ok(name.to_owned()),
    }
}

fn all() -> impl Iterator<Item = &'static Setting> {
    let others = [&REFRESH_TABLES, &PRICES];
    SETTINGS.iter().chain(&ALARMS).chain(others)
}

/// The error about a value, which is not shown if it is a secret.
fn refused(setting: &Setting, value: &str, expected: &str) -> Error {
    let is_hidden = is_secret(setting) || may_hold_secret(value);
    let shown = if is_hidden { "***" } else { value };
    let name = setting.name;
    Error::invalid_option(format!(
        "setting 'streaming.{name}' = '{shown}': {expected}"
    ))
}

/// The setting `streaming.<name>`.
fn find(name: &str) -> Result<&'static Setting> {
    let known = all().find(|known| known.name.eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let nearest = nearest(name, all().map(|setting| setting.name));
        Error::invalid_option(format!(
            "unknown setting 'streaming.{name}': expected a setting such as 'streaming.{nearest}'"
        ))
    })
}

impl StreamingSettings {
    /// The settings of a session, or defaults if they are not installed.
    pub fn of(config: &ConfigOptions) -> Self {
        config.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// The prices from which costs are estimated.
    pub(crate) fn prices(&self) -> Arc<PriceList> {
        let given = self.price_file.as_ref();
        given.map_or_else(PriceList::built_in, Arc::clone)
    }

    /// Adds default settings to a session that has none.
    pub(super) fn install(config: &mut ConfigOptions) {
        if config.extensions.get::<Self>().is_none() {
            config.extensions.insert(Self::default());
        }
    }
}

impl ConfigExtension for StreamingSettings {
    const PREFIX: &'static str = "streaming";
}

impl ExtensionOptions for StreamingSettings {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, name: &str, value: &str) -> DataFusionResult<()> {
        let setting = find(name)?;
        (setting.set)(self, value)
            .map_err(|expected| DataFusionError::from(refused(setting, value, &expected)))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |setting: &Setting| ConfigEntry {
            key: format!("{}.{}", Self::PREFIX, setting.name),
            value: (setting.get)(self),
            description: setting.description,
        };
        all().map(entry).collect()
    }
}

/// Runs `RESET streaming.…`, which DataFusion does not support for extensions. Returns whether `statement`
/// was such a RESET.
pub(super) fn reset(ctx: &SessionContext, statement: &Statement) -> Result<bool> {
    let Statement::Reset(ResetStatement::Variable(variable)) = statement else {
        return Ok(false);
    };
    let variable = variable.to_string().to_lowercase();
    let Some(name) = variable.strip_prefix("streaming.") else {
        return Ok(false);
    };
    let state = ctx.state_ref();
    let mut state = state.write();
    let extensions = &mut state.config_mut().options_mut().extensions;
    let Some(settings) = extensions.get_mut::<StreamingSettings>() else {
        return Ok(false);
    };
    (find(name)?.reset)(settings, StreamingSettings::default());
    Ok(true)
}
