//! The registry of AWS Glue.

use serde::Deserialize;

use super::lookup::{LookupFailure, RegisteredSchema, excerpt};
use crate::aws::{Answer, AwsAccess, Request, RequestSender};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, kind_of_code};
use crate::model::{ConnectionSettings, SchemaId, region_of_endpoint};

/// The registry of a region.
#[derive(Debug)]
pub(crate) struct GlueRegistry {
    url: String,
    region: String,
    sender: RequestSender,
}

/// The answer of `GetSchemaVersion` (Glue API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SchemaVersion {
    schema_definition: String,
    data_format: String,
}

/// An error of the service.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: Option<String>,
    #[serde(rename = "message", default)]
    lower_case_message: Option<String>,
}

impl GlueRegistry {
    pub(super) async fn connect(
        endpoint_url: Option<&str>,
        region: Option<&str>,
        connection: &ConnectionSettings,
        access: &AwsAccess,
    ) -> Result<Self> {
        let named = region.map(str::to_owned);
        let of_endpoint = || endpoint_url.and_then(region_of_endpoint);
        let stream = connection.endpoint_url.as_deref();
        let settings = ConnectionSettings {
            endpoint_url: None,
            region: named
                .or_else(of_endpoint)
                .or_else(|| connection.region.clone())
                .or_else(|| stream.and_then(region_of_endpoint)),
            ..connection.clone()
        };
        let sender = access.requests(&settings).await?;
        let config = sender.config();
        let Some(region) = config.sdk.region().map(ToString::to_string) else {
            return Err(Error::invalid_option(
                "no region of the schema registry is configured: set option 'kinesis.schemaRegistry.region'",
            ));
        };
        // The environment can name an endpoint for all services.
        let url = match endpoint_url.or(config.sdk.endpoint_url()) {
            Some(url) => url.to_owned(),
            None => public_endpoint(&region),
        };
        Ok(Self {
            url,
            region,
            sender,
        })
    }

    /// The URL of the endpoint.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The version of a schema with this id.
    pub(super) async fn schema(&self, id: SchemaId) -> Result<RegisteredSchema, LookupFailure> {
        let SchemaId::Glue(version) = id else {
            let error = Error::internal(format!("{id} is of another registry"));
            return Err(LookupFailure::permanent(error));
        };
        let body = serde_json::json!({ "SchemaVersionId": version.to_string() });
        let content_type = "application/x-amz-json-1.1".to_owned();
        let request = Request {
            method: "POST",
            url: &self.url,
            headers: vec![
                ("content-type".into(), content_type),
                ("x-amz-target".into(), "AWSGlue.GetSchemaVersion".to_owned()),
            ],
            body: body.to_string().into_bytes(),
            signed_for: Some(("glue", &self.region)),
        };
        let answer = self.sender.send(request).await?;
        let found = self.read(id, &answer)?;
        match found.data_format.as_str() {
            "AVRO" => Ok(RegisteredSchema {
                text: found.schema_definition,
                references: Vec::new(),
            }),
            other => Err(LookupFailure::NoSchema(format!(
                "names {id}, which is of type {} instead of AVRO, in",
                excerpt(other.as_bytes())
            ))),
        }
    }

    fn read(&self, id: SchemaId, answer: &Answer) -> Result<SchemaVersion, LookupFailure> {
        if answer.status == 200 {
            // The error is not shown: it quotes what is of another type, and a server may repeat headers.
            return serde_json::from_slice(&answer.body).map_err(|_| {
                LookupFailure::permanent(Error::invalid_option(
                    "the answer is not that of AWS Glue: expected an endpoint of it in option \
                     'kinesis.schemaRegistry.url'",
                ))
            });
        }
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = match refusal.code.as_str() {
            "" => answer.error_type.as_deref().unwrap_or_default(),
            code => code,
        };
        // The code may have a namespace before it, and a URL after it.
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default().trim();
        // The rest of the answer is not quoted: a server may repeat the headers of a request.
        let said = refusal.message.or(refusal.lower_case_message);
        let said = excerpt(said.unwrap_or_default().as_bytes());
        let status = answer.status;
        let message = format!("GetSchemaVersion of {id} failed: {code}: {said} (status {status})");
        let permanent = |kind| LookupFailure::permanent(Error::new(kind, message.clone()));
        let unavailable = || LookupFailure::unavailable(message.clone());
        Err(match (code, kind_of_code(code)) {
            ("EntityNotFoundException", _) => {
                LookupFailure::NoSchema(format!("names {id}, which does not exist in"))
            }
            // Other credentials are loaded for the next try.
            ("ExpiredTokenException" | "ExpiredToken", _)
                if self.sender.config().identity.expired() =>
            {
                unavailable()
            }
            (_, ApiErrorKind::AccessDenied | ApiErrorKind::Credentials) => {
                permanent(ErrorKind::AccessDenied)
            }
            (_, ApiErrorKind::Throttled | ApiErrorKind::Unavailable) => unavailable(),
            ("InternalServiceException" | "OperationTimeoutException", _) => unavailable(),
            _ if status >= 500 || status == 429 => unavailable(),
            _ => permanent(ErrorKind::InvalidOption),
        })
    }
}

/// The public endpoint of a region (AWS General Reference, "AWS Glue endpoints and quotas").
fn public_endpoint(region: &str) -> String {
    let suffix = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("https://glue.{region}.{suffix}/")
}
