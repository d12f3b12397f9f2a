//! Refuses a table without files, or with files of another format only, and says what is there.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};

use super::FileTable;
use crate::error::{Error, ErrorKind};
use crate::stores::meaning;

/// Extensions of formats and compressions. A file with any other extension may have any format.
const KNOWN_EXTENSIONS: [&str; 12] = [
    "arrow", "avro", "bz2", "csv", "gz", "json", "jsonl", "ndjson", "parquet", "xz", "zip", "zst",
];

/// Extensions of files of one JSON object per line.
const JSON_EXTENSIONS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// The advice if a store has not found something.
const NOT_THERE: &str = "the bucket or container does not exist, or a file was deleted meanwhile";

/// How many files a message names.
const NAMED: usize = 3;

/// How many other files are looked for.
const MAX_OTHERS: usize = 1_000;

impl FileTable {
    /// Refuses a location without files, and one with files of another format only. Returns whether any of the files
    /// is not empty.
    pub(super) async fn expect_files(&self, session: &dyn Session) -> DataFusionResult<bool> {
        let mut has_content = false;
        for url in self.listing().table_paths() {
            let found = self.expect_files_at(url, session).await;
            has_content |= found.map_err(|error| self.explained(error))?;
        }
        Ok(has_content)
    }

    async fn expect_files_at(
        &self,
        url: &ListingTableUrl,
        session: &dyn Session,
    ) -> DataFusionResult<bool> {
        if let Some(folder) = local(url).filter(|_| url.is_collection()) {
            let is_folder = tokio::task::spawn_blocking(move || folder.is_dir()).await;
            if let Ok(false) = is_folder {
                return Err(self.missing(url, "folder"));
            }
        }
        let store = session.runtime_env().object_store(url)?;
        self.forget_listing(session);
        let extension = &self.listing().options().file_extension;
        let mut files = url.list_all_files(session, &*store, extension).await?;
        let (mut foreign, mut has_own, mut has_content) = (Vec::new(), false, false);
        // If a file does not exist, its name is listed as that of a folder.
        while let Some(file) = files.try_next().await? {
            has_content |= file.size > 0;
            match self.is_own_format(&file.location) {
                true => has_own = true,
                false => foreign.push(file.location),
            }
        }
        match (has_own, foreign.is_empty()) {
            (true, _) => Ok(has_content),
            (false, false) => Err(self.foreign(&foreign)),
            (false, true) => Err(self.without_files(url, &store).await?),
        }
    }

    /// Refuses a scan of files of another format only.
    pub(super) fn expect_own_format(&self, plan: &Arc<dyn ExecutionPlan>) -> DataFusionResult<()> {
        let source = plan.downcast_ref::<DataSourceExec>();
        let source = source.map(|source| source.data_source());
        let Some(config) = source.and_then(|source| source.downcast_ref::<FileScanConfig>()) else {
            return Ok(());
        };
        let files = config.file_groups.iter().flat_map(|group| group.files());
        let files: Vec<_> = files
            .map(|file| file.object_meta.location.clone())
            .collect();
        match files.is_empty() || files.iter().any(|file| self.is_own_format(file)) {
            true => Ok(()),
            false => Err(self.foreign(&files)),
        }
    }

    /// An error of an object store with the table and what helps.
    pub(super) fn explained(&self, error: DataFusionError) -> DataFusionError {
        let is_local = self
            .listing()
            .table_paths()
            .iter()
            .all(|url| local(url).is_some());
        let DataFusionError::ObjectStore(store) = error.find_root() else {
            return error;
        };
        if is_local {
            return error;
        }
        let (kind, known) = match meaning(store) {
            (Some(ErrorKind::NotFound), _) => (Some(ErrorKind::NotFound), NOT_THERE),
            meaning => meaning,
        };
        let colon = if known.is_empty() { "" } else { ": " };
        let message = format!(
            "table '{}' at '{}': cannot read its files: {known}{colon}{store}",
            self.name,
            self.location()
        );
        let kind = kind.unwrap_or(ErrorKind::Unavailable);
        Error::new(kind, message).with_source(error).into()
    }

    /// What the names of the table's files end with, such as `csv`, or `csv.gz` if they are compressed.
    fn extension(&self) -> String {
        let format = &self.listing().options().format;
        let compression = format.compression_type();
        let compressed = compression.map(|kind| format.get_ext_with_compression(&kind));
        let extension = compressed.and_then(Result::ok);
        extension.unwrap_or_else(|| format.get_ext())
    }

    /// Whether a file may have the format of the table.
    fn is_own_format(&self, file: &Path) -> bool {
        let Some(found) = file.extension().map(str::to_ascii_lowercase) else {
            return true;
        };
        let own = self.extension();
        let own = own.rsplit('.').next().unwrap_or_default();
        let found = found.as_str();
        let both_json = JSON_EXTENSIONS.contains(&own) && JSON_EXTENSIONS.contains(&found);
        found == own || both_json || !KNOWN_EXTENSIONS.contains(&found)
    }

    fn foreign(&self, found: &[Path]) -> DataFusionError {
        let (own, location) = (self.extension(), self.location());
        Error::invalid_option(format!(
            "table '{}' at '{location}' has files of another format only: expected .{own} files, found {}: correct \
             LOCATION or STORED AS; OPTIONS ('format.compression' 'gzip') reads CSV and JSON in .gz files, 'zstd', \
             'bzip2' and 'xz' those in .zst, .bz2 and .xz files",
            self.name,
            named(found.iter().filter_map(Path::filename))
        ))
        .into()
    }

    /// The locations of the table.
    fn location(&self) -> String {
        let locations = self.listing().table_paths().iter().map(shown);
        locations.collect::<Vec<_>>().join("', '")
    }

    /// The error for a location without files of the table.
    async fn without_files(
        &self,
        url: &ListingTableUrl,
        store: &Arc<dyn ObjectStore>,
    ) -> DataFusionResult<DataFusionError> {
        if !url.is_collection() && local(url).is_some() {
            return Ok(self.missing(url, "file"));
        }
        let others = store.list(Some(url.prefix())).take(MAX_OTHERS);
        let others: Vec<_> = others.try_collect().await?;
        let names = others.iter().map(|file| file.location.as_ref());
        let names = names.map(|name| name.strip_prefix(url.prefix().as_ref()).unwrap_or(name));
        let names = names.map(|name| name.trim_start_matches('/'));
        let found = match (others.is_empty(), url.get_glob()) {
            (true, _) => "there are no files".to_owned(),
            (false, Some(pattern)) => {
                format!("no file matches '{pattern}', found {}", named(names))
            }
            (false, None) => format!("no file belongs to the table, found {}", named(names)),
        };
        Ok(Error::new(
            ErrorKind::NotFound,
            format!(
                "table '{}' at '{}': {found}: correct LOCATION or write a file first",
                self.name,
                shown(url)
            ),
        )
        .into())
    }

    fn missing(&self, url: &ListingTableUrl, what: &str) -> DataFusionError {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "table '{}': {what} '{}' does not exist: correct LOCATION or create the {what}; to replace a file that \
                 is in use, rename another one over it",
                self.name,
                shown(url)
            ),
        )
        .into()
    }
}

/// A location as it may be shown: a path, or a URL.
fn shown(url: &ListingTableUrl) -> String {
    local(url).map_or_else(|| url.to_string(), |path| path.display().to_string())
}

/// The path of a local file or folder, or the parent folder of a local glob.
fn local(url: &ListingTableUrl) -> Option<PathBuf> {
    (url.get_url().scheme() == "file")
        .then(|| url.get_url().to_file_path().ok())
        .flatten()
}

/// The first of these names, and how many more there are.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut sorted: Vec<&str> = names.collect();
    sorted.sort_unstable();
    let first: Vec<_> = sorted
        .iter()
        .take(NAMED)
        .map(|name| format!("'{name}'"))
        .collect();
    match sorted.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
