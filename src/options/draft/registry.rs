//! Checks of the options of a schema registry against each other.

use crate::error::{Error, Result};
use crate::model::Secret;
use crate::options::format::{RegistryLogin, SchemaRegistryOptions, SchemaRegistryType};

/// Parsed options of a schema registry, before they are checked together.
#[derive(Debug, Clone, Default)]
pub(in crate::options) struct RegistryDraft {
    pub(in crate::options) kind: Option<SchemaRegistryType>,
    pub(in crate::options) url: Option<String>,
    pub(in crate::options) username: Option<String>,
    pub(in crate::options) password: Option<Secret>,
    pub(in crate::options) region: Option<String>,
}

impl RegistryDraft {
    /// Checks the options together; `None` if there are none.
    pub(super) fn finish(&self) -> Result<Option<SchemaRegistryOptions>> {
        let kind = match (self.kind, &self.url) {
            (Some(kind), _) => kind,
            (None, Some(_)) => SchemaRegistryType::Confluent,
            (None, None) => return self.refuse_rest(),
        };
        match kind {
            SchemaRegistryType::Confluent => self.confluent().map(Some),
            SchemaRegistryType::Glue => self.glue().map(Some),
        }
    }

    fn confluent(&self) -> Result<SchemaRegistryOptions> {
        let Some(url) = self.url.clone() else {
            return Err(Error::invalid_option(
                "option 'kinesis.schemaRegistry.type' = 'confluent': expected together with \
                 'kinesis.schemaRegistry.url'",
            ));
        };
        if self.region.is_some() {
            return Err(only_with("region", "glue"));
        }
        let login = match (&self.username, &self.password) {
            (Some(username), Some(password)) => Some(RegistryLogin {
                username: username.clone(),
                password: password.clone(),
            }),
            (None, None) => None,
            _ => {
                return Err(Error::invalid_option(
                    "options 'kinesis.schemaRegistry.username' and 'kinesis.schemaRegistry.password': expected \
                     both or neither",
                ));
            }
        };
        if login
            .as_ref()
            .is_some_and(|login| login.username.contains(':'))
        {
            return Err(Error::invalid_option(
                "option 'kinesis.schemaRegistry.username': expected a name without ':', which basic authentication \
                 cannot send",
            ));
        }
        Ok(SchemaRegistryOptions::Confluent { url, login })
    }

    fn glue(&self) -> Result<SchemaRegistryOptions> {
        if self.username.is_some() {
            return Err(only_with("username", "confluent"));
        }
        if self.password.is_some() {
            return Err(only_with("password", "confluent"));
        }
        Ok(SchemaRegistryOptions::Glue {
            endpoint_url: self.url.clone(),
            region: self.region.clone(),
        })
    }

    /// Refuses options that would be ignored without a registry.
    fn refuse_rest(&self) -> Result<Option<SchemaRegistryOptions>> {
        let given = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("region", self.region.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(None),
            Some((name, _)) => Err(Error::invalid_option(format!(
                "option 'kinesis.schemaRegistry.{name}': expected only together with \
                 'kinesis.schemaRegistry.type' or 'kinesis.schemaRegistry.url'"
            ))),
        }
    }
}

fn only_with(name: &str, kind: &str) -> Error {
    Error::invalid_option(format!(
        "option 'kinesis.schemaRegistry.{name}': expected only together with \
         'kinesis.schemaRegistry.type' = '{kind}'"
    ))
}
