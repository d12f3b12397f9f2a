//! The settings of an export, from the standard variables of OpenTelemetry.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::error::{Error, Result};
use crate::model::Secret;

/// Where receivers listen by default.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// Which signal an export is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Traces,
}

impl Signal {
    fn in_variables(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Traces => "TRACES",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Metrics => "v1/metrics",
            Self::Traces => "v1/traces",
        }
    }
}

/// Where a signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) timeout: Duration,
    pub(super) is_compressed: bool,
}

/// What is exported, how, and where to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// `None` if the signal is switched off.
    pub(super) metrics: Option<Target>,
    pub(super) traces: Option<Target>,
    /// What the spans and metrics are from, such as `service.name`.
    pub(super) resource: BTreeMap<String, String>,
    pub(super) metric_interval: Duration,
    pub(super) span_interval: Duration,
    /// The share of batches with spans, from 0 to 1.
    pub(super) sampled: f64,
}

/// Whether the environment names a receiver.
pub(super) fn names_endpoint(variable: &impl Fn(&str) -> Option<String>) -> bool {
    let suffixes = ["", "METRICS_", "TRACES_"];
    let mut names = suffixes
        .iter()
        .map(|suffix| format!("OTEL_EXPORTER_OTLP_{suffix}ENDPOINT"));
    names.any(|name| variable(&name).is_some_and(|value| !value.is_empty()))
}

impl Settings {
    /// The settings of the environment. `endpoint` goes before that of the environment.
    ///
    /// # Errors
    /// A value cannot be used.
    pub(super) fn of(
        endpoint: Option<&str>,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let variables = Variables(variable);
        let is_disabled = variables.get("OTEL_SDK_DISABLED");
        let is_disabled = is_disabled.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let target = |signal: Signal| match is_disabled || variables.is_off(signal)? {
            true => Ok(None),
            false => variables.target(signal, endpoint).map(Some),
        };
        Ok(Self {
            metrics: target(Signal::Metrics)?,
            traces: target(Signal::Traces)?,
            resource: variables.resource()?,
            metric_interval: variables.millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            span_interval: variables.millis("OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            sampled: variables.sampled()?,
        })
    }
}

struct Variables<'a, F>(&'a F);

impl<F: Fn(&str) -> Option<String>> Variables<'_, F> {
    /// A variable that is empty counts as not set.
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    /// The variable of a signal, or else that of all signals, with its name.
    fn of_signal(&self, signal: Signal, name: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.in_variables());
        let general = format!("OTEL_EXPORTER_OTLP_{name}");
        [own, general]
            .into_iter()
            .find_map(|name| Some((self.get(&name)?, name)))
            .map(|(value, name)| (name, value))
    }

    fn is_off(&self, signal: Signal) -> Result<bool> {
        let name = format!("OTEL_{}_EXPORTER", signal.in_variables());
        match self.get(&name).as_deref() {
            None | Some("otlp") => Ok(false),
            Some("none") => Ok(true),
            Some(_) => Err(unusable(&name, "otlp or none")),
        }
    }

    fn target(&self, signal: Signal, endpoint: Option<&str>) -> Result<Target> {
        if let Some((name, protocol)) = self.of_signal(signal, "PROTOCOL")
            && protocol != "http/protobuf"
        {
            return Err(unusable(&name, "http/protobuf, the only protocol there is"));
        }
        if let Some((name, _)) = self.of_signal(signal, "CERTIFICATE") {
            return Err(unusable(
                &name,
                "it not to be set; AWS_CA_BUNDLE names a file of trusted certificates",
            ));
        }
        let is_compressed = match self.of_signal(signal, "COMPRESSION") {
            None => false,
            Some((name, value)) => match value.as_str() {
                "gzip" => true,
                "none" => false,
                _ => return Err(unusable(&name, "gzip or none")),
            },
        };
        let timeout = match self.of_signal(signal, "TIMEOUT") {
            None => Duration::from_secs(10),
            Some((name, value)) => millis(&name, &value)?,
        };
        let headers = match self.of_signal(signal, "HEADERS") {
            None => Vec::new(),
            Some((name, value)) => {
                let pairs =
                    pairs(&value).ok_or_else(|| unusable(&name, "name=value,name=value"))?;
                let pairs = pairs.into_iter();
                pairs
                    .map(|(name, value)| (name.to_ascii_lowercase(), Secret::new(value)))
                    .collect()
            }
        };
        Ok(Target {
            url: self.url(signal, endpoint)?,
            headers,
            timeout,
            is_compressed,
        })
    }

    /// The URL of a signal: its own variable is used as it is, others get its path.
    fn url(&self, signal: Signal, endpoint: Option<&str>) -> Result<Url> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.in_variables());
        let parse = |name: &str, text: &str| match Url::parse(text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => Ok(url),
            _ => Err(unusable(name, "a URL such as http://localhost:4318")),
        };
        if let (None, Some(url)) = (endpoint, self.get(&own)) {
            return parse(&own, &url);
        }
        let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let mut url = match (endpoint, self.get(general)) {
            (Some(endpoint), _) => parse("the endpoint of OTLP", endpoint)?,
            (None, Some(endpoint)) => parse(general, &endpoint)?,
            (None, None) => parse(general, DEFAULT_ENDPOINT)?,
        };
        let path = format!("{}/{}", url.path().trim_end_matches('/'), signal.path());
        url.set_path(&path);
        Ok(url)
    }

    fn resource(&self) -> Result<BTreeMap<String, String>> {
        let mut resource = BTreeMap::from([("service.name".to_owned(), "kinesis-sql".to_owned())]);
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        if let Some(text) = self.get(name) {
            let pairs = pairs(&text).ok_or_else(|| unusable(name, "name=value,name=value"))?;
            resource.extend(pairs);
        }
        if let Some(service) = self.get("OTEL_SERVICE_NAME") {
            resource.insert("service.name".to_owned(), service);
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        resource
            .entry("service.version".to_owned())
            .or_insert(version);
        Ok(resource)
    }

    fn millis(&self, name: &str, default: u64) -> Result<Duration> {
        match self.get(name) {
            None => Ok(Duration::from_millis(default)),
            Some(value) => millis(name, &value),
        }
    }

    fn sampled(&self) -> Result<f64> {
        let name = "OTEL_TRACES_SAMPLER";
        let Some(sampler) = self.get(name) else {
            return Ok(1.0);
        };
        // A batch has no parent.
        match sampler.strip_prefix("parentbased_").unwrap_or(&sampler) {
            "always_on" => Ok(1.0),
            "always_off" => Ok(0.0),
            "traceidratio" => {
                let name = "OTEL_TRACES_SAMPLER_ARG";
                let ratio = self.get(name).map_or(Ok(1.0), |ratio| ratio.parse());
                let ratio = ratio.ok().filter(|ratio| (0.0..=1.0).contains(ratio));
                ratio.ok_or_else(|| unusable(name, "a number from 0 to 1"))
            }
            _ => Err(unusable(name, "always_on, always_off or traceidratio")),
        }
    }
}

/// The pairs of a list such as `a=1,b=%20`, which is encoded as in W3C Baggage.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), percent_decoded(value.trim())))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    // In a form, a plus sign means a space; here it means itself.
    let form = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(form.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn millis(name: &str, value: &str) -> Result<Duration> {
    let millis = value.trim().parse().ok().filter(|millis| *millis > 0);
    let millis = millis.ok_or_else(|| unusable(name, "a number of milliseconds"))?;
    Ok(Duration::from_millis(millis))
}

/// The value is not shown, because it may hold a token.
fn unusable(name: &str, expected: &str) -> Error {
    Error::invalid_option(format!("{name}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::of(endpoint, &variable)
    }

    fn urls(settings: &Settings) -> [Option<&str>; 2] {
        [&settings.metrics, &settings.traces]
            .map(|target| target.as_ref().map(|target| target.url.as_str()))
    }

    #[test]
    fn endpoints_come_from_the_most_specific_place() {
        let of = |endpoint, variables: &[(&str, &str)]| settings(endpoint, variables).unwrap();
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a.example/base/");
        let traces = (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://b.example/exact",
        );
        assert_eq!(
            urls(&of(None, &[])),
            [
                Some("http://localhost:4318/v1/metrics"),
                Some("http://localhost:4318/v1/traces")
            ]
        );
        assert_eq!(
            urls(&of(None, &[general, traces])),
            [
                Some("https://a.example/base/v1/metrics"),
                Some("http://b.example/exact")
            ]
        );
        assert_eq!(
            urls(&of(Some("http://c.example"), &[general, traces])),
            [
                Some("http://c.example/v1/metrics"),
                Some("http://c.example/v1/traces")
            ]
        );
        let off = ("OTEL_TRACES_EXPORTER", "none");
        assert_eq!(urls(&of(None, &[off]))[1], None);
        assert_eq!(
            urls(&of(None, &[("OTEL_SDK_DISABLED", "true")])),
            [None, None]
        );
    }

    #[test]
    fn all_variables_are_read() {
        let settings = settings(
            None,
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b+c, x=y=z"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
                ("OTEL_SERVICE_NAME", "orders"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=no,team=blue"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ],
        )
        .unwrap();
        let target = settings.metrics.as_ref().unwrap();
        let headers: Vec<_> = target
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.reveal()))
            .collect();
        assert_eq!(headers, [("api-key", "a b+c"), ("x", "y=z")]);
        assert!(target.is_compressed);
        assert_eq!(target.timeout, Duration::from_millis(1_500));
        assert_eq!(settings.resource["service.name"], "orders");
        assert_eq!(settings.resource["team"], "blue");
        assert_eq!(settings.metric_interval, Duration::from_secs(1));
        assert_eq!(settings.sampled, 0.25);
        assert!(!format!("{settings:?}").contains("a b+c"));
    }

    #[test]
    fn unusable_values_are_refused_without_being_shown() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ] {
            let error = settings(None, &[(name, value)]).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("expected"),
                "{error}"
            );
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
