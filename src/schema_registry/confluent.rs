//! Registries with the REST interface of Confluent's: Confluent, Karapace, Apicurio, Redpanda.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::lookup::{LookupFailure, RegisteredSchema, excerpt};
use crate::aws::{Answer, AwsAccess, Request, RequestSender};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ConnectionSettings, SchemaId, Secret};
use crate::options::RegistryLogin;

/// The error code of an id that the registry does not have (Schema Registry API reference, "Schemas").
const SCHEMA_NOT_FOUND: i64 = 40_403;

/// The most schemas that one schema may refer to, directly or not.
const MAX_REFERENCES: usize = 1_000;

/// A registry.
#[derive(Debug)]
pub(crate) struct ConfluentRegistry {
    url: Url,
    /// The header of each request that says who asks.
    authorization: Option<Secret>,
    /// What must not be quoted from an answer.
    secrets: Vec<Secret>,
    sender: RequestSender,
}

/// A schema as the registry describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    schema: String,
    /// Left out for Avro.
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

/// A version of a subject, whose types a schema uses.
#[derive(Deserialize, Clone, PartialEq, Eq, Hash)]
struct Reference {
    subject: String,
    version: i64,
}

/// An answer without a schema. Registries differ in what they leave out.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error_code: Value,
    #[serde(default)]
    message: Value,
}

impl ConfluentRegistry {
    pub(super) async fn connect(
        url: &str,
        login: Option<&RegistryLogin>,
        connection: &ConnectionSettings,
        access: &AwsAccess,
    ) -> Result<Self> {
        let url = Url::parse(url).map_err(|error| {
            Error::invalid_option(format!(
                "option 'kinesis.schemaRegistry.url' = '{url}': {error}"
            ))
        })?;
        // The registry is no endpoint of AWS: only proxies and certificates are used.
        let settings = ConnectionSettings {
            endpoint_url: None,
            ..connection.clone()
        };
        Ok(Self {
            url,
            authorization: login.map(basic_authentication),
            secrets: login.map(secrets_of).unwrap_or_default(),
            sender: access.requests(&settings).await?,
        })
    }

    /// The URL of the options.
    pub(super) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The schema with this id, and the schemas that it refers to.
    pub(super) async fn schema(&self, id: SchemaId) -> Result<RegisteredSchema, LookupFailure> {
        let SchemaId::Confluent(number) = id else {
            let error = Error::internal(format!("{id} is of another registry"));
            return Err(LookupFailure::permanent(error));
        };
        let number = number.to_string();
        let described = self.described(id, &["schemas", "ids", &number]).await?;
        let mut references = Vec::new();
        let roots = described.references.unwrap_or_default();
        let collected = self.collect(roots, &mut references).await;
        collected.map_err(|failure| match failure {
            LookupFailure::NoSchema(reason) => {
                LookupFailure::NoSchema(format!("names {id}, which {reason}"))
            }
            other => other,
        })?;
        Ok(RegisteredSchema {
            text: described.schema,
            references,
        })
    }

    /// Appends the schemas of `roots`, each after those that it refers to. A failure says what the schema with these
    /// roots does.
    async fn collect(
        &self,
        roots: Vec<Reference>,
        texts: &mut Vec<String>,
    ) -> Result<(), LookupFailure> {
        /// What to do next.
        enum Step {
            Visit(Reference),
            Append(String),
        }
        let mut seen = HashSet::new();
        let mut steps: Vec<Step> = roots.into_iter().rev().map(Step::Visit).collect();
        while let Some(step) = steps.pop() {
            let reference = match step {
                Step::Append(text) => {
                    texts.push(text);
                    continue;
                }
                Step::Visit(reference) if !seen.insert(reference.clone()) => continue,
                Step::Visit(reference) => reference,
            };
            if seen.len() > MAX_REFERENCES {
                return Err(LookupFailure::NoSchema(format!(
                    "refers to more than {MAX_REFERENCES} others, in"
                )));
            }
            let version = reference.version.to_string();
            let path = ["subjects", &reference.subject, "versions", &version];
            let described = self.described(&reference, &path).await?;
            steps.push(Step::Append(described.schema));
            let further = described.references.unwrap_or_default().into_iter().rev();
            steps.extend(further.map(Step::Visit));
        }
        Ok(())
    }

    /// The schema at `path`; `name` is its name in messages.
    async fn described(
        &self,
        name: impl fmt::Display,
        path: &[&str],
    ) -> Result<Described, LookupFailure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        // A schema stays readable after its subject was deleted, as its documents are.
        url.query_pairs_mut().append_pair("deleted", "true");
        let accept = "application/vnd.schemaregistry.v1+json, application/json";
        let mut headers = vec![("accept".into(), accept.to_owned())];
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization".into(), authorization.reveal().to_owned()));
        }
        let request = Request {
            method: "GET",
            url: url.as_str(),
            headers,
            body: Vec::new(),
            signed_for: None,
        };
        let answer = self.sender.send(request).await?;
        let described = self.read(&answer).map_err(|failure| match failure {
            LookupFailure::NoSchema(_) => {
                LookupFailure::NoSchema(format!("names {name}, which does not exist in"))
            }
            other => other,
        })?;
        match described.schema_type.as_deref() {
            None | Some("AVRO") => Ok(described),
            Some(other) => Err(LookupFailure::NoSchema(format!(
                "names {name}, which is of type {} instead of AVRO, in",
                excerpt(other.as_bytes())
            ))),
        }
    }

    /// The schema in an answer.
    fn read(&self, answer: &Answer) -> Result<Described, LookupFailure> {
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body).map_err(|error| {
                LookupFailure::permanent(Error::invalid_option(format!(
                    "the answer is not that of a registry ({}): expected its URL in option \
                     'kinesis.schemaRegistry.url', found '{}'",
                    // The error quotes what is of another type.
                    self.quoted(error.to_string().as_bytes()),
                    self.quoted(&answer.body)
                )))
            });
        }
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = match refusal.message.as_str() {
            None | Some("") => self.quoted(&answer.body),
            Some(message) => self.quoted(message.as_bytes()),
        };
        let code = refusal.error_code.as_i64().unwrap_or_default();
        let status = answer.status;
        let error =
            |kind, what: &str| Error::new(kind, format!("{what} (status {status}: {said})"));
        Err(match status {
            // The registry answers 404 with this code for an id, and with others for a subject or version.
            404 if code == SCHEMA_NOT_FOUND || code / 100 == 404 => {
                LookupFailure::NoSchema(String::new())
            }
            401 | 403 => LookupFailure::permanent(error(
                ErrorKind::AccessDenied,
                "access is denied: expected valid 'kinesis.schemaRegistry.username' and \
                 'kinesis.schemaRegistry.password' that may read schemas",
            )),
            408 | 429 | 500.. => {
                LookupFailure::unavailable(format!("it failed (status {status}: {said})"))
            }
            _ => LookupFailure::permanent(error(
                ErrorKind::InvalidOption,
                "the answer is not that of a registry: expected its URL in option \
                 'kinesis.schemaRegistry.url'",
            )),
        })
    }

    /// The beginning of an answer, for a message. A server may repeat the headers of a request.
    fn quoted(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret.reveal(), "***");
        }
        excerpt(text.as_bytes())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} of subject '{}'", self.version, self.subject)
    }
}

/// The header of basic authentication (RFC 7617).
fn basic_authentication(login: &RegistryLogin) -> Secret {
    Secret::new(format!("Basic {}", encoded(login)))
}

fn encoded(login: &RegistryLogin) -> String {
    let pair = format!("{}:{}", login.username, login.password.reveal());
    base64_simd::STANDARD.encode_to_string(pair)
}

/// The password in the forms in which a server may repeat it.
fn secrets_of(login: &RegistryLogin) -> Vec<Secret> {
    vec![Secret::new(encoded(login)), login.password.clone()]
}
