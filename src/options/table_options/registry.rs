//! Setters of schema registries.

use super::TableOptions;
use super::format::name_of;
use crate::model::Secret;
use crate::options::SchemaRegistryType;
use crate::options::catalog::REGISTRY_TYPES;

impl TableOptions {
    /// Sets `kinesis.schemaRegistry.type`.
    #[must_use]
    pub fn with_schema_registry(self, kind: SchemaRegistryType) -> Self {
        let name = name_of(&REGISTRY_TYPES, kind);
        self.with("kinesis.schemaRegistry.type", name)
    }

    /// Sets `kinesis.schemaRegistry.url`.
    #[must_use]
    pub fn with_schema_registry_url(self, url: impl Into<String>) -> Self {
        self.with("kinesis.schemaRegistry.url", url)
    }

    /// Sets `kinesis.schemaRegistry.username` and `kinesis.schemaRegistry.password`.
    #[must_use]
    pub fn with_schema_registry_login(
        self,
        username: impl Into<String>,
        password: &Secret,
    ) -> Self {
        self.with("kinesis.schemaRegistry.username", username)
            .with("kinesis.schemaRegistry.password", password.reveal())
    }

    /// Sets `kinesis.schemaRegistry.region`.
    #[must_use]
    pub fn with_schema_registry_region(self, region: impl Into<String>) -> Self {
        self.with("kinesis.schemaRegistry.region", region)
    }
}
