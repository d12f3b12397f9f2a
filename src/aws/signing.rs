//! Signatures of requests that no client of the SDK signs.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity as SigningIdentity;

use super::credentials::{CredentialFailure, Identity};
use super::error_chain::causes;
use crate::model::UnixMillis;

/// A request to sign.
#[derive(Debug)]
pub(crate) struct UnsignedRequest<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    /// The headers that the signature covers, besides `host`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// What a signature is valid for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignatureScope<'a> {
    pub(crate) service: &'static str,
    pub(crate) region: &'a str,
    /// The time according to the service.
    pub(crate) time: UnixMillis,
}

impl Identity {
    /// The credentials to sign with.
    ///
    /// # Errors
    /// There are none.
    pub(crate) async fn credentials(&self) -> Result<Credentials, CredentialFailure> {
        let credentials = self.provide_credentials().await;
        credentials.map_err(|error| CredentialFailure::of(&error))
    }
}

/// The headers that sign a request.
///
/// # Errors
/// The request cannot be signed: the URL or a header is invalid.
pub(crate) fn signature(
    credentials: Credentials,
    scope: SignatureScope<'_>,
    request: &UnsignedRequest<'_>,
) -> Result<Vec<(&'static str, String)>, String> {
    let unsigned =
        |error: &(dyn StdError + 'static)| format!("it cannot be signed: {}", causes(error));
    let identity = SigningIdentity::from(credentials);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(system_time(scope.time))
        .settings(SigningSettings::default())
        .build();
    let params = params.map_err(|error| unsigned(&error))?.into();
    let headers = request.headers.iter().copied();
    let body = SignableBody::Bytes(request.body);
    let signable = SignableRequest::new(request.method, request.url, headers, body);
    let signable = signable.map_err(|error| unsigned(&error))?;
    let signed = sign(signable, &params).map_err(|error| unsigned(&error))?;
    let (headers, _) = signed.into_parts().0.into_parts();
    let headers = headers.iter();
    Ok(headers
        .map(|header| (header.name(), header.value().to_owned()))
        .collect())
}

fn system_time(time: UnixMillis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or_default())
}
