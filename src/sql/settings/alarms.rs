//! The settings of alarms.

use std::time::Duration;

use url::Url;

use super::{Setting, StreamingSettings, assign, refused};
use crate::error::Result;
use crate::model::{Secret, format_duration, is_unencrypted, parse_duration};

const LAG: Setting = Setting {
    name: "alarm_lag",
    description: "A streaming query is unhealthy while rows wait this long until they are committed, such as '5 minutes'.",
    get: |settings| settings.alarm_lag.map(format_duration),
    set: |settings, text| assign(&mut settings.alarm_lag, span(text).map(Some)),
    reset: |settings, default| settings.alarm_lag = default.alarm_lag,
};

const STUCK: Setting = Setting {
    name: "alarm_stuck",
    description: "A streaming query is unhealthy if it commits no batch for this time although rows wait, such as '10 minutes'.",
    get: |settings| settings.alarm_stuck.map(format_duration),
    set: |settings, text| assign(&mut settings.alarm_stuck, span(text).map(Some)),
    reset: |settings, default| settings.alarm_stuck = default.alarm_stuck,
};

const ERROR_RATE: Setting = Setting {
    name: "alarm_error_rate",
    description: "A streaming query is unhealthy while a larger share of its requests fails or is throttled, such as '0.05'.",
    get: |settings| settings.alarm_error_rate.map(|rate| rate.to_string()),
    set: |settings, text| assign(&mut settings.alarm_error_rate, share(text).map(Some)),
    reset: |settings, default| settings.alarm_error_rate = default.alarm_error_rate,
};

const WEBHOOK: Setting = Setting {
    name: "alarm_webhook",
    description: "A URL to which each change of the health of a streaming query is posted; shown without its path.",
    get: |settings| settings.alarm_webhook.as_ref().map(shown),
    set: |settings, text| assign(&mut settings.alarm_webhook, webhook(text).map(Some)),
    reset: |settings, default| settings.alarm_webhook = default.alarm_webhook,
};

pub(super) const ALARMS: [Setting; 4] = [LAG, STUCK, ERROR_RATE, WEBHOOK];

fn span(text: &str) -> Result<Duration, &'static str> {
    let span = parse_duration(text).filter(|span| !span.is_zero());
    span.ok_or("expected a duration from 1 millisecond to 365 days, such as '5 minutes'; RESET switches the alarm off")
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.trim().parse().ok();
    let share = share.filter(|share| 0.0 < *share && *share < 1.0);
    share.ok_or(
        "expected a number above 0 and below 1, such as '0.05'; RESET switches the alarm off",
    )
}

fn webhook(text: &str) -> Result<Secret, &'static str> {
    let text = text.trim();
    let is_url = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.host_str().is_some());
    match is_url && !is_unencrypted(text) {
        true => Ok(Secret::new(text)),
        false => Err("expected an https:// URL, or an http:// URL of this machine"),
    }
}

/// The host of a webhook. The path of many is a secret.
fn shown(url: &Secret) -> String {
    match Url::parse(url.reveal()) {
        Ok(url) => format!(
            "{}://{}/***",
            url.scheme(),
            url.host_str().unwrap_or_default()
        ),
        Err(_) => "***".to_owned(),
    }
}

/// What a program sets, under the rules of `SET`.
impl StreamingSettings {
    pub(crate) fn set_alarm_lag(&mut self, limit: Duration) -> Result<()> {
        self.set_by_program(&LAG, &format_duration(limit))
    }

    pub(crate) fn set_alarm_stuck(&mut self, limit: Duration) -> Result<()> {
        self.set_by_program(&STUCK, &format_duration(limit))
    }

    pub(crate) fn set_alarm_error_rate(&mut self, limit: f64) -> Result<()> {
        self.set_by_program(&ERROR_RATE, &limit.to_string())
    }

    pub(crate) fn set_alarm_webhook(&mut self, url: &str) -> Result<()> {
        self.set_by_program(&WEBHOOK, url)
    }

    fn set_by_program(&mut self, setting: &Setting, text: &str) -> Result<()> {
        (setting.set)(self, text).map_err(|expected| refused(setting, text, &expected))
    }
}

/// Whether the values of a setting are secrets.
pub(super) fn is_secret(setting: &Setting) -> bool {
    setting.name == WEBHOOK.name
}
