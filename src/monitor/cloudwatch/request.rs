//! Requests to CloudWatch.

use url::form_urlencoded::Serializer;

use super::figures::Datum;
use crate::aws::{Answer, AwsAccess, Request, RequestSender, endpoint_of};
use crate::error::{Error, Result};
use crate::model::{ConnectionSettings, UnixMillis};
use crate::monitor::metrics::Series;

/// The most values of one request (CloudWatch API reference, "PutMetricData").
pub(super) const MAX_DATUMS: usize = 1_000;

/// How much of an error of the service is shown.
const MAX_REASON_CHARS: usize = 300;

/// Sends values to the CloudWatch of a region.
#[derive(Debug)]
pub(super) struct CloudWatch {
    url: String,
    region: String,
    sender: RequestSender,
}

impl CloudWatch {
    /// # Errors
    /// No region is configured, or the endpoint is refused.
    pub(super) async fn connect(access: &AwsAccess, settings: &ConnectionSettings) -> Result<Self> {
        let sender = access.requests(settings).await?;
        let config = sender.config();
        let Some(region) = config.sdk.region().map(ToString::to_string) else {
            return Err(Error::invalid_option(
                "no AWS region to publish metrics in: set AWS_REGION, or a region in the profile",
            ));
        };
        let url = endpoint_of("CloudWatch", settings, &config.sdk)?;
        Ok(Self {
            url: url.unwrap_or_else(|| public_endpoint(&region)),
            region,
            sender,
        })
    }

    /// The region of the requests.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Publishes up to [`MAX_DATUMS`] values.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn put(
        &self,
        namespace: &str,
        time: UnixMillis,
        datums: &[(&Series, Datum)],
    ) -> std::result::Result<(), String> {
        let request = Request {
            method: "POST",
            url: &self.url,
            headers: vec![(
                "content-type".into(),
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: body(namespace, time, datums).into_bytes(),
            signed_for: Some(("monitoring", &self.region)),
        };
        let answer = self.sender.send(request).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        if answer.status == 200 {
            return Ok(());
        }
        let reason = refusal(&answer);
        if reason.starts_with("ExpiredToken") {
            // Other credentials are loaded for the next try.
            self.sender.config().identity.expired();
        }
        Err(reason)
    }
}

/// The body of PutMetricData in the query protocol.
fn body(namespace: &str, time: UnixMillis, datums: &[(&Series, Datum)]) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", "PutMetricData");
    form.append_pair("Version", "2010-08-01");
    form.append_pair("Namespace", namespace);
    let time = time.to_string();
    for (index, (_, datum)) in datums.iter().enumerate() {
        let member = format!("MetricData.member.{}", index + 1);
        let mut add = |name: &str, value: &str| {
            form.append_pair(&format!("{member}.{name}"), value);
        };
        add("MetricName", datum.name);
        add("Timestamp", &time);
        add("Unit", datum.unit);
        add("Value", &datum.value.to_string());
        let stream = datum.stream.as_deref().map(|stream| ("stream", stream));
        let dimensions = [("query", datum.query.as_str())].into_iter().chain(stream);
        for (index, (name, value)) in dimensions.enumerate() {
            let dimension = format!("Dimensions.member.{}", index + 1);
            add(&format!("{dimension}.Name"), name);
            add(&format!("{dimension}.Value"), value);
        }
    }
    form.finish()
}

/// The code and the message of an error.
fn refusal(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        Some(content.to_owned())
    };
    // The rest of the answer is not quoted: a server may repeat the headers of a request.
    let code = element("Code").or_else(|| answer.error_type.clone());
    let parts = [code, element("Message")].into_iter().flatten();
    let reason = parts.collect::<Vec<_>>().join(": ");
    let printable = reason.chars().filter(|character| !character.is_control());
    let reason: String = printable.take(MAX_REASON_CHARS).collect();
    match reason.is_empty() {
        true => format!("status {}", answer.status),
        false => format!("{reason} (status {})", answer.status),
    }
}

/// The public endpoint of a region (AWS General Reference, "Amazon CloudWatch endpoints and quotas").
fn public_endpoint(region: &str) -> String {
    let suffix = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("https://monitoring.{region}.{suffix}/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    use crate::monitor::metrics::Metric;

    #[test]
    fn a_body_names_each_value_with_its_dimensions() {
        let datum = |name, stream: Option<&str>| Datum {
            name,
            unit: "Count",
            value: 2.5,
            query: "a&b".to_owned(),
            stream: stream.map(str::to_owned),
        };
        let series = Series::new(Metric::Batches, [&"a".into()]);
        let datums = [
            (&series, datum("One", None)),
            (&series, datum("Two", Some("words"))),
        ];
        let body = body("My App", UnixMillis(1_700_000_000_000), &datums);
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
        let has = |name: &str, value: &str| pairs.contains(&(name.into(), value.into()));
        assert!(has("Action", "PutMetricData") && has("Namespace", "My App"));
        assert!(has("MetricData.member.1.Timestamp", "2023-11-14T22:13:20Z"));
        assert!(has("MetricData.member.1.Dimensions.member.1.Value", "a&b"));
        assert!(has("MetricData.member.2.MetricName", "Two"));
        assert!(has("MetricData.member.2.Value", "2.5"));
        assert!(has(
            "MetricData.member.2.Dimensions.member.2.Name",
            "stream"
        ));
        assert!(!body.contains("member.1.Dimensions.member.2"));
    }

    #[test]
    fn a_refusal_shows_code_and_message_only() {
        let answer = |body: &str| Answer {
            status: 403,
            error_type: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>not\u{1b} allowed</Message></Error>secret</ErrorResponse>";
        assert_eq!(
            refusal(&answer(xml)),
            "AccessDenied: not allowed (status 403)"
        );
        assert_eq!(refusal(&answer("secret")), "status 403");
    }
}
