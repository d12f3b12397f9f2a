//! `SET streaming.… = '…'`: what a session says about its streaming queries.

use std::any::Any;
use std::time::Duration;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{ResetStatement, Statement};

use crate::error::{Error, Result};
use crate::model::{OutputMode, Trigger, display_span, parse_span};
use crate::options::{location, may_hold_secret, nearest};

/// What a session says about its streaming queries, as far as a query does not say it itself.
///
/// [`register`](crate::register) installs them, so that `SET` and `SHOW` know them:
///
/// | Setting | Default | |
/// |---|---|---|
/// | `streaming.trigger` | `as fast as possible` | see [`Trigger`] |
/// | `streaming.checkpoint_location` | | an absolute path or a URL without a password |
/// | `streaming.output_mode` | `append` | see [`OutputMode`] |
/// | `streaming.query_name` | | any text |
/// | `streaming.watermark_delay` | | a span such as `10 seconds`: how much later than others a row may come |
/// | `streaming.watermark_column` | the time of the window | the column that says when a row happened |
/// | `streaming.watermark_idle_timeout` | `30 seconds` where the event time is `approximateArrivalTimestamp`, else none | a span: once no record has arrived for this long, the watermark follows the clock |
/// | `streaming.accept_changed_query` | `false` | `true` starts a changed statement at the checkpoint of the old one |
///
/// A wrong value is refused by the `SET`. `RESET streaming.…` brings the default back, in
/// [`sql`](fn@crate::sql).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamingSettings {
    /// When batches run.
    pub trigger: Trigger,
    /// Where progress is kept.
    pub checkpoint_location: Option<String>,
    /// Which rows a batch gives.
    pub output_mode: OutputMode,
    /// What the query is called in messages.
    pub query_name: Option<String>,
    /// How much later than others a row may come; without it there is no watermark.
    pub watermark_delay: Option<Duration>,
    /// The column that says when a row happened; without it that is the time of the window.
    pub watermark_column: Option<String>,
    /// After how long without a record the watermark follows the clock.
    pub watermark_idle_timeout: Option<Duration>,
    /// Whether a changed statement, or one with another target, may go on at the checkpoint of the old one.
    pub accept_changed_query: bool,
}

/// A setting: its name behind `streaming.`, and what it says.
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
        description: "When a streaming query runs its batches: 'as fast as possible', an interval such as '1 second', 'once' or 'available now'.",
        get: |settings| Some(settings.trigger.to_string()),
        set: |settings, text| {
            let trigger = text.parse().map_err(|_| Trigger::EXPECTED);
            put(&mut settings.trigger, trigger)
        },
        reset: |settings, default| settings.trigger = default.trigger,
    },
    Setting {
        name: "checkpoint_location",
        description: "Where a streaming query keeps its progress: an absolute path or a URL.",
        get: |settings| settings.checkpoint_location.clone(),
        set: |settings, text| put(&mut settings.checkpoint_location, location(text).map(Some)),
        reset: |settings, default| settings.checkpoint_location = default.checkpoint_location,
    },
    Setting {
        name: "output_mode",
        description: "Which rows a batch of a streaming query gives: 'append', 'update' or 'complete'.",
        get: |settings| Some(settings.output_mode.to_string()),
        set: |settings, text| {
            let mode = text.parse().map_err(|_| OutputMode::EXPECTED);
            put(&mut settings.output_mode, mode)
        },
        reset: |settings, default| settings.output_mode = default.output_mode,
    },
    Setting {
        name: "query_name",
        description: "What a streaming query is called in messages.",
        get: |settings| settings.query_name.clone(),
        set: |settings, text| put(&mut settings.query_name, query_name(text).map(Some)),
        reset: |settings, default| settings.query_name = default.query_name,
    },
    Setting {
        name: "watermark_delay",
        description: "How much later than others a row of a streaming GROUP BY may come, such as '10 seconds'; sets a watermark.",
        get: |settings| settings.watermark_delay.map(display_span),
        set: |settings, text| put(&mut settings.watermark_delay, span(text).map(Some)),
        reset: |settings, default| settings.watermark_delay = default.watermark_delay,
    },
    Setting {
        name: "watermark_column",
        description: "The timestamp column that says when a row of a streaming GROUP BY happened; without it that is the time of its window.",
        get: |settings| settings.watermark_column.clone(),
        set: |settings, text| put(&mut settings.watermark_column, query_name(text).map(Some)),
        reset: |settings, default| settings.watermark_column = default.watermark_column,
    },
    Setting {
        name: "watermark_idle_timeout",
        description: "Once no record has arrived for this long, such as '1 minute', the watermark follows the clock; 30 seconds where the event time is approximateArrivalTimestamp, else it never does.",
        get: |settings| settings.watermark_idle_timeout.map(display_span),
        set: |settings, text| put(&mut settings.watermark_idle_timeout, span(text).map(Some)),
        reset: |settings, default| {
            settings.watermark_idle_timeout = default.watermark_idle_timeout;
        },
    },
    Setting {
        name: "accept_changed_query",
        description: "Whether a changed statement, or one with another target, may go on at the checkpoint of the old one: 'true' or 'false'.",
        get: |settings| Some(settings.accept_changed_query.to_string()),
        set: |settings, text| put(&mut settings.accept_changed_query, flag(text)),
        reset: |settings, default| settings.accept_changed_query = default.accept_changed_query,
    },
];

fn put<T, E: Into<String>>(slot: &mut T, value: Result<T, E>) -> Result<(), String> {
    *slot = value.map_err(Into::into)?;
    Ok(())
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_span(text).ok_or("expected a span up to 365 days, such as '10 seconds' or '0 seconds'")
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("expected 'true' or 'false'"),
    }
}

fn query_name(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("expected a text that is not empty"),
        name => Ok(name.to_owned()),
    }
}

/// The setting called `streaming.<name>`.
fn find(name: &str) -> Result<&'static Setting> {
    let known = SETTINGS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let nearest = nearest(name, SETTINGS.iter().map(|setting| setting.name));
        Error::invalid_option(format!(
            "setting 'streaming.{name}' is not known: expected a setting such as 'streaming.{nearest}'"
        ))
    })
}

impl StreamingSettings {
    /// The settings of a session; defaults where they are not installed.
    pub fn of(config: &ConfigOptions) -> Self {
        config.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Adds them to a session that has none.
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
        (setting.set)(self, value).map_err(|expected| {
            let shown = if may_hold_secret(value) { "***" } else { value };
            let name = setting.name;
            let message = format!("setting 'streaming.{name}' = '{shown}': {expected}");
            DataFusionError::from(Error::invalid_option(message))
        })
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |setting: &Setting| ConfigEntry {
            key: format!("{}.{}", Self::PREFIX, setting.name),
            value: (setting.get)(self),
            description: setting.description,
        };
        SETTINGS.iter().map(entry).collect()
    }
}

/// Runs `RESET streaming.…`, which DataFusion does not do for extensions; whether it was that.
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
