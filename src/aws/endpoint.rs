//! The endpoint of a service, from the settings, the environment or the profile.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::error::{Error, Result};
use crate::model::{ConnectionSettings, is_unencrypted};

/// The endpoint that the settings, `AWS_ENDPOINT_URL_<service>`, `AWS_ENDPOINT_URL` or the profile give to clients of
/// a service; `None` if it is that of the region.
///
/// # Errors
/// It is an `http://` URL of a remote host, and `kinesis.allowHttp` is not set.
pub(crate) fn endpoint_of(
    service: &str,
    settings: &ConnectionSettings,
    sdk: &SdkConfig,
) -> Result<Option<String>> {
    if settings.endpoint_url.is_some() {
        return Ok(settings.endpoint_url.clone());
    }
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .expect("all parts are set");
    let configured = sdk.service_config();
    let url = configured.and_then(|configured| configured.load_config(key));
    let url = url.or_else(|| sdk.endpoint_url().map(str::to_owned));
    refuse_plain_http(settings, url.as_deref())?;
    Ok(url)
}

/// Refuses `http://` to a remote host, whether from the settings or the environment.
pub(super) fn refuse_plain_http(
    settings: &ConnectionSettings,
    environment: Option<&str>,
) -> Result<()> {
    let role = settings.credentials.role.as_ref();
    let urls = [
        settings.endpoint_url.as_deref(),
        role.and_then(|role| role.endpoint_url.as_deref()),
        environment,
    ];
    match urls.into_iter().flatten().find(|url| is_unencrypted(url)) {
        Some(url) if !settings.allow_http => Err(Error::invalid_option(format!(
            "endpoint '{url}': expected https:// for a remote host, because http:// exposes records in transit; \
             set option 'kinesis.allowHttp' = 'true' to allow it"
        ))),
        _ => Ok(()),
    }
}
