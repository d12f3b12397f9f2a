//! Verifies request signatures (AWS Signature Version 4).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use chrono::NaiveDateTime;
use hyper::http::request::Parts;

/// Maximum difference between the times of a signature and the server.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";

/// The signature in the headers of a request.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) access_key_id: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_at: SystemTime,
    signed_headers: Vec<String>,
    digits: String,
}

impl Signature {
    /// `None` if it is missing or malformed.
    pub(crate) fn of(head: &Parts) -> Option<Self> {
        let header = |name: &str| head.headers.get(name)?.to_str().ok();
        let fields = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let mut fields = fields.split(',');
            fields.find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let &[access_key_id, _date, region, service, "aws4_request"] = scope.as_slice() else {
            return None;
        };
        let time = NaiveDateTime::parse_from_str(header("x-amz-date")?, "%Y%m%dT%H%M%SZ").ok()?;
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            session_token: header("x-amz-security-token").map(str::to_owned),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_at: time.and_utc().into(),
            signed_headers: field("SignedHeaders")?
                .split(';')
                .map(str::to_owned)
                .collect(),
            digits: field("Signature")?.to_owned(),
        })
    }

    /// Returns the message of AWS if the signature is too old, too new, or not made with `secret`.
    pub(crate) fn check(
        &self,
        secret: &str,
        now: SystemTime,
        head: &Parts,
        body: &[u8],
    ) -> Result<(), String> {
        if self.signed_at + MAX_SKEW < now {
            return Err("Signature expired: it is older than 5 min.".to_owned());
        }
        if self.signed_at > now + MAX_SKEW {
            return Err("Signature not yet current: it is more than 5 min. ahead.".to_owned());
        }
        match self.again(secret, head, body) == self.digits {
            true => Ok(()),
            false => Err(MISMATCH.to_owned()),
        }
    }

    /// The expected signature.
    fn again(&self, secret: &str, head: &Parts, body: &[u8]) -> String {
        // The signer adds these itself.
        let added = ["host", "x-amz-date", "x-amz-security-token"];
        let names = self.signed_headers.iter().map(String::as_str);
        let headers = names.filter(|name| !added.contains(name)).flat_map(|name| {
            let values = head.headers.get_all(name).iter();
            values.filter_map(move |value| Some((name, value.to_str().ok()?)))
        });
        let host = head.headers.get("host").and_then(|host| host.to_str().ok());
        let uri = format!("http://{}{}", host.unwrap_or_default(), head.uri);
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(head.method.as_str(), uri, headers, body).unwrap();
        let token = self.session_token.clone();
        let identity: Identity =
            Credentials::new(&self.access_key_id, secret, token, None, "directory").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.signed_at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        sign(request, &params).unwrap().signature().to_owned()
    }
}
