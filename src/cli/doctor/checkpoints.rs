//! Checks where streaming queries keep their progress, by writing there and deleting it again.

use super::report::Section;
use super::table::Table;
use crate::checkpoint::{StopLock, try_location};
use crate::options::CommitterKind;
use crate::table::Services;

/// Tries a location that is named at `place`.
pub(super) async fn location(place: &str, location: &str) -> Section {
    let mut section = Section::new(format!("{place}  checkpoint '{location}'"));
    match try_location(location).await {
        Ok(()) => section.good("location", "written, read, listed and deleted"),
        Err(error) => section.bad("location", chain(&error)),
    }
    if let Ok(lock) = StopLock::at(location)
        && let Ok(true) = lock.is_there().await
    {
        let detail = "is there, and no query starts: remove the object";
        section.bad("STOP_LOCK", detail);
    }
    section
}

/// Where the options of a table say that offsets of its queries are kept, if they do.
pub(super) async fn of_table(services: &Services, table: &mut Table) {
    let metadata = &table.options.source.metadata;
    if let Some(path) = &metadata.path
        && metadata.committer == CommitterKind::ObjectStore
    {
        match try_location(path).await {
            Ok(()) => {
                let detail = format!("'{path}' was written, read, listed and deleted");
                table.section.good("metadataPath", detail);
            }
            Err(error) => table.section.bad("metadataPath", chain(&error)),
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
            let detail = format!("'{name}': an item was written, read and deleted");
            table.section.good("DynamoDB", detail);
        }
        Ok((name, false)) => {
            let detail =
                format!("'{name}' is not there: the first start makes it (dynamodb:CreateTable)");
            table.section.open("DynamoDB", detail);
        }
        Err(error) => table.section.bad("DynamoDB", chain(&error)),
    }
}

#[cfg(not(feature = "dynamodb"))]
async fn dynamodb(_: &Services, table: &mut Table) {
    table.section.bad(
        "DynamoDB",
        "this build knows none: build with the cargo feature 'dynamodb'",
    );
}

fn chain(error: &crate::Error) -> String {
    crate::cli::failure::chain(error)
}
