//! Checks the schema registry of a table.

use super::Table;
use crate::cli::requests::RETRIES;
use crate::kinesis::Backoff;
use crate::schema_registry::SchemaRegistry;
use crate::table::Services;

impl Table {
    /// Checks whether the schema registry answers this caller.
    pub(super) async fn check_schema_registry(&mut self, services: &Services) {
        const CHECK: &str = "schema registry";
        let Some(registry) = self.options.schema_registry() else {
            return;
        };
        let access = services.access();
        let connected = SchemaRegistry::connect(registry, &self.options.connection, &access).await;
        let registry = match connected {
            Ok(registry) => registry,
            Err(error) => return self.section.failed(CHECK, error),
        };
        let mut backoff = Backoff::new(RETRIES, fastrand::Rng::new());
        match registry.probe(&mut backoff).await {
            Ok(()) => self.section.passed(CHECK, format!("{registry} answers")),
            Err(error) => self.section.failed(CHECK, error),
        }
    }
}
