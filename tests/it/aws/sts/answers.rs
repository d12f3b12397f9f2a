//! Results and errors as XML.

use chrono::{DateTime, SecondsFormat, Utc};
use hyper::StatusCode;

use crate::aws::directory::{Refused, Session};
use crate::aws::http_server::{Answer, REQUEST_ID, text};

/// An error response.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// A parameter is out of range.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// The caller lacks permission.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let (code, message) = match refused {
            Refused::Unsigned => (
                "MissingAuthenticationToken",
                "Request is missing Authentication Token".to_owned(),
            ),
            Refused::UnknownToken => (
                "InvalidClientTokenId",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Refused::ExpiredToken => (
                "ExpiredToken",
                "The security token included in the request is expired".to_owned(),
            ),
            Refused::BadSignature(words) => ("SignatureDoesNotMatch", words),
        };
        Self::new(StatusCode::FORBIDDEN, code, message)
    }
}

pub(super) fn respond(answer: Result<String, Failure>) -> Answer {
    match answer {
        Ok(body) => text(StatusCode::OK, "text/xml", body),
        Err(failure) => {
            let blame = match failure.status.is_server_error() {
                true => "Receiver",
                false => "Sender",
            };
            let error = [
                ("Type", blame),
                ("Code", failure.code),
                ("Message", &failure.message),
            ];
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <Error>{}</Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
                elements(&error)
            );
            text(failure.status, "text/xml", body)
        }
    }
}

/// The response to `action`, with the elements of its result.
pub(super) fn result(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>\
         </{action}Response>"
    )
}

pub(super) fn elements(elements: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        let text = text.replace('&', "&amp;");
        text.replace('<', "&lt;").replace('>', "&gt;")
    };
    let element = |(name, text): &(&str, &str)| format!("<{name}>{}</{name}>", escaped(text));
    elements.iter().map(element).collect()
}

/// The result that both ways to assume a role share.
pub(super) fn session(session: &Session) -> String {
    let expires_at: DateTime<Utc> = session.expires_at.into();
    let expires_at = expires_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let credentials = elements(&[
        ("AccessKeyId", &session.access_key_id),
        ("SecretAccessKey", &session.secret),
        ("SessionToken", &session.token),
        ("Expiration", &expires_at),
    ]);
    let name = session.arn.rsplit('/').next().unwrap_or_default();
    let id = format!("AROA{}:{name}", session.access_key_id);
    let user = elements(&[("Arn", &session.arn), ("AssumedRoleId", &id)]);
    format!("<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>")
}
