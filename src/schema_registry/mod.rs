//! Registries of schemas: the schema that a document names by its id.

mod confluent;
mod glue;
mod lookup;

use std::fmt;

use confluent::ConfluentRegistry;
use glue::GlueRegistry;
use lookup::LookupFailure;
pub(crate) use lookup::RegisteredSchema;

use crate::aws::AwsAccess;
use crate::error::Result;
use crate::kinesis::{Backoff, with_retries};
use crate::model::{ConnectionSettings, SchemaId};
use crate::options::SchemaRegistryOptions;

/// A registry of schemas.
#[derive(Debug)]
pub(crate) enum SchemaRegistry {
    Confluent(ConfluentRegistry),
    Glue(GlueRegistry),
}

impl SchemaRegistry {
    /// The registry of these options, for a table with this connection. Sends no request to it.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if there is no region, or the connection cannot be used.
    pub(crate) async fn connect(
        options: &SchemaRegistryOptions,
        connection: &ConnectionSettings,
        access: &AwsAccess,
    ) -> Result<Self> {
        match options {
            SchemaRegistryOptions::Confluent { url, login } => {
                let registry = ConfluentRegistry::connect(url, login.as_ref(), connection, access);
                registry.await.map(Self::Confluent)
            }
            SchemaRegistryOptions::Glue {
                endpoint_url,
                region,
            } => {
                let region = region.as_deref();
                let registry =
                    GlueRegistry::connect(endpoint_url.as_deref(), region, connection, access);
                registry.await.map(Self::Glue)
            }
        }
    }

    /// The schema with this id, or why documents that name it cannot be decoded. Retries according to `backoff`.
    ///
    /// # Errors
    /// [`AccessDenied`](crate::ErrorKind::AccessDenied) if the registry refuses the caller,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if it does not answer for longer than the retries last,
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the URL is not that of a registry.
    pub(crate) async fn look_up(
        &self,
        id: SchemaId,
        backoff: &mut Backoff,
    ) -> Result<Result<RegisteredSchema, String>> {
        with_retries(backoff, self, || async {
            let found = match self {
                Self::Confluent(registry) => registry.schema(id).await,
                Self::Glue(registry) => registry.schema(id).await,
            };
            match found {
                Ok(schema) => Ok(Ok(schema)),
                Err(LookupFailure::NoSchema(reason)) => Ok(Err(format!("{reason} {self}"))),
                Err(LookupFailure::Failed(failure)) => Err(failure),
            }
        })
        .await
    }
}

#[cfg(feature = "cli")]
impl SchemaRegistry {
    /// Asks for a schema that hardly exists, to see whether the registry answers this caller.
    ///
    /// # Errors
    /// Those of [`look_up`](Self::look_up).
    pub(crate) async fn probe(&self, backoff: &mut Backoff) -> Result<()> {
        let id = match self {
            Self::Confluent(_) => SchemaId::Confluent(i32::MAX.unsigned_abs()),
            Self::Glue(_) => SchemaId::Glue(uuid::Uuid::nil()),
        };
        self.look_up(id, backoff).await.map(|_| ())
    }
}

impl fmt::Display for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confluent(registry) => write!(f, "schema registry '{}'", registry.url()),
            Self::Glue(registry) => write!(f, "schema registry '{}'", registry.url()),
        }
    }
}
