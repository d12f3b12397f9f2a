//! Checks checkpoint locations and offset tables by writing to them and deleting what was written.

use super::report::Section;
use super::table::Table;
use crate::checkpoint::{StopLock, try_location};
use crate::options::CommitterKind;
use crate::table::Services;

/// Checks a checkpoint location that is set at `origin`.
pub(super) async fn location(origin: &str, location: &str) -> Section {
    let mut section = Section::new(format!("{origin}  checkpoint '{location}'"));
    match try_location(location).await {
        Ok(()) => section.passed("location", "written, read, listed and deleted"),
        Err(error) => section.failed("location", chain(&error)),
    }
    if let Ok(lock) = StopLock::at(location)
        && let Ok(true) = lock.is_there().await
    {
        let detail = "exists, so no query can start: delete the object";
        section.failed("STOP_LOCK", detail);
    }
    section
}

/// Checks where a table's options store the offsets of its queries, if they say so.
pub(super) async fn of_table(services: &Services, table: &mut Table) {
    let metadata = &table.options.source.metadata;
    if let Some(path) = &metadata.path
        && metadata.committer == CommitterKind::ObjectStore
    {
        match try_location(path).await {
            Ok(()) => {
                let detail = format!("'{path}': written, read, listed and deleted");
                table.section.passed("metadataPath", detail);
            }
            Err(error) => table.section.failed("metadataPath", chain(&error)),
        }
    }
    if matches!(metadata.committer, CommitterKind::DynamoDb(_)) {
        dynamodb(services, table).await;
    }
}

#[cfg(feature = "dynamodb")]
async fn dynamodb(services: &Services, table: &mut Table) {
    use crate::options::DynamoDbSettings;

    let CommitterKind::DynamoDb(settings) = &table.options.source.metadata.committer else {
        return;
    };
    let options = &table.options;
    let settings = &DynamoDbSettings {
        region: options.dynamodb_region(settings),
        ..DynamoDbSettings::clone(settings)
    };
    let access = services.access();
    let stream = options.stream.name();
    let tried = crate::checkpoint::try_table(&access, &options.connection, settings, stream).await;
    match tried {
        Ok((name, true)) => {
            let detail = format!("'{name}': item written, read and deleted");
            table.section.passed("DynamoDB", detail);
        }
        Ok((name, false)) => {
            let detail = format!(
                "'{name}' does not exist: the first start creates it (dynamodb:CreateTable)"
            );
            table.section.unknown("DynamoDB", detail);
        }
        Err(error) => table.section.failed("DynamoDB", chain(&error)),
    }
}

#[cfg(not(feature = "dynamodb"))]
#[expect(
    clippy::unused_async,
    reason = "it has the signature that it has with the feature"
)]
async fn dynamodb(_: &Services, table: &mut Table) {
    table.section.failed(
        "DynamoDB",
        "this build does not support it: enable the cargo feature 'dynamodb'",
    );
}

fn chain(error: &crate::Error) -> String {
    crate::cli::failure::chain(error)
}
