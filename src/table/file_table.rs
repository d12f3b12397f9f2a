//! File tables that list their files for every scan.
//!
//! DataFusion lists the files of a table once per session, and treats a file that does not exist as an empty
//! table. A query that joins a stream with such a table would never see a new file, and would drop all rows
//! if the path were misspelled. Here each scan lists the files again and refuses missing ones.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Constraints, Result as DataFusionResult, Statistics};
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::TableScopedPath;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::TryStreamExt;

use crate::error::{Error, ErrorKind};

/// How many times to list files that appear or disappear during the listing.
const MAX_LISTINGS: usize = 3;

/// A file table that lists its files for each scan.
#[derive(Debug)]
pub(crate) struct FileTable {
    /// Its name in the statement.
    name: String,
    /// The [`ListingTable`].
    provider: Arc<dyn TableProvider>,
}

/// Replaces each file table in `plan`, including its subqueries, with a [`FileTable`].
///
/// # Errors
/// DataFusion cannot rewrite the plan.
pub(crate) fn relist_files(plan: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let replaced = plan.transform_down_with_subqueries(|mut node| {
        let LogicalPlan::TableScan(scan) = &mut node else {
            return Ok(Transformed::no(node));
        };
        let Ok(provider) = source_as_provider(&scan.source) else {
            return Ok(Transformed::no(node));
        };
        if provider.downcast_ref::<ListingTable>().is_none() {
            return Ok(Transformed::no(node));
        }
        let name = scan.table_name.to_string();
        scan.source = provider_as_source(Arc::new(FileTable { name, provider }));
        Ok(Transformed::yes(node))
    })?;
    Ok(replaced.data)
}

/// Refuses a plan that reads a file or local folder that does not exist.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) with the table and the path.
pub(crate) async fn expect_files(
    session: &dyn Session,
    plan: &LogicalPlan,
) -> DataFusionResult<()> {
    let mut tables = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && provider.downcast_ref::<FileTable>().is_some()
        {
            tables.push(provider);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for table in tables
        .iter()
        .filter_map(|table| table.downcast_ref::<FileTable>())
    {
        table.expect_files(session).await?;
    }
    Ok(())
}

impl FileTable {
    fn listing(&self) -> &ListingTable {
        self.provider
            .downcast_ref()
            .expect("relist_files wraps listing tables only")
    }

    /// Evicts the cached listing, so that the next scan lists the files.
    fn forget_listing(&self, session: &dyn Session) {
        let Some(listings) = session.runtime_env().cache_manager.get_list_files_cache() else {
            return;
        };
        for path in self.listing().table_paths() {
            let _ = listings.remove(&TableScopedPath {
                table: path.get_table_ref().clone(),
                path: path.prefix().clone(),
            });
        }
    }

    /// Refuses a file or local folder that does not exist. Returns whether any of the files is not empty.
    async fn expect_files(&self, session: &dyn Session) -> DataFusionResult<bool> {
        let mut has_content = false;
        for path in self.listing().table_paths() {
            has_content |= match path.is_collection() {
                true => self.expect_folder(path).await?,
                false => self.expect_file(path, session).await?,
            };
        }
        Ok(has_content)
    }

    /// Refuses a local folder that does not exist. Object stores have no folders that could be missing.
    async fn expect_folder(&self, url: &ListingTableUrl) -> DataFusionResult<bool> {
        let Some(folder) = local(url) else {
            return Ok(false);
        };
        let is_folder = tokio::task::spawn_blocking(move || folder.is_dir()).await;
        match is_folder {
            Ok(false) => Err(self.missing(url, "folder")),
            Ok(true) | Err(_) => Ok(false),
        }
    }

    async fn expect_file(
        &self,
        url: &ListingTableUrl,
        session: &dyn Session,
    ) -> DataFusionResult<bool> {
        let store = session.runtime_env().object_store(url)?;
        self.forget_listing(session);
        // If the file does not exist, this lists its name as a prefix.
        let mut files = url.list_all_files(session, &*store, "").await?;
        match files.try_next().await? {
            Some(file) => Ok(file.size > 0),
            None => Err(self.missing(url, "file")),
        }
    }

    fn missing(&self, url: &ListingTableUrl, what: &str) -> DataFusionError {
        let path = local(url).map_or_else(|| url.to_string(), |path| path.display().to_string());
        Error::new(
            ErrorKind::NotFound,
            format!(
                "table '{}': {what} '{path}' does not exist: correct LOCATION or create the {what}; to replace \
                 a file that is in use, rename another one over it",
                self.name
            ),
        )
        .into()
    }

    fn unstable(&self) -> DataFusionError {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "table '{}': files appear and disappear while they are listed: run the query again, and replace \
                 a file by renaming another one over it",
                self.name
            ),
        )
        .into()
    }
}

/// The path of a local file or folder, or the parent folder of a local glob.
fn local(url: &ListingTableUrl) -> Option<PathBuf> {
    (url.get_url().scheme() == "file")
        .then(|| url.get_url().to_file_path().ok())
        .flatten()
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        self.provider.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.provider.constraints()
    }

    fn table_type(&self) -> TableType {
        self.provider.table_type()
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.provider.get_table_definition()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.provider.get_column_default(column)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let args = ScanArgs::default()
            .with_projection(projection.map(Vec::as_slice))
            .with_filters(Some(filters))
            .with_limit(limit);
        Ok(self.scan_with_args(session, args).await?.into_inner())
    }

    async fn scan_with_args<'a>(
        &self,
        session: &dyn Session,
        args: ScanArgs<'a>,
    ) -> DataFusionResult<ScanResult> {
        // Filters on partition columns exclude files.
        let is_pruned = !self.listing().options().table_partition_cols.is_empty();
        let several = self.listing().table_paths().len() > 1;
        let mut tries = MAX_LISTINGS;
        loop {
            tries -= 1;
            self.forget_listing(session);
            let found = self.provider.scan_with_args(session, args.clone()).await?;
            let is_empty = found.plan().downcast_ref::<EmptyExec>().is_some();
            if !is_empty && !several {
                return Ok(found);
            }
            let has_content = self.expect_files(session).await?;
            // A file that was missing from the listing may exist now.
            if !is_empty || !has_content || is_pruned {
                return Ok(found);
            }
            if tries == 0 {
                return Err(self.unstable());
            }
        }
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        self.provider.supports_filters_pushdown(filters)
    }

    fn statistics(&self) -> Option<Statistics> {
        self.provider.statistics()
    }
}
