//! Tables over files, as each read finds them.
//!
//! DataFusion lists the files of a table once per session, and takes a file that does not exist for a table
//! without rows. A query that joins with such a table would never see a new file, and would drop the rows of a
//! stream where the path is misspelt. Each scan in a plan of ours lists anew and refuses what is not there.

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

/// How often files are listed again that appear while they are listed.
const LISTINGS: usize = 3;

/// A table over files that are looked up at each scan.
#[derive(Debug)]
pub(crate) struct FileTable {
    /// What the statement calls it.
    name: String,
    /// The [`ListingTable`].
    provider: Arc<dyn TableProvider>,
}

/// `plan` with each scan of a table over files, in subqueries too, reading a [`FileTable`].
///
/// # Errors
/// Those of walking the plan.
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

/// Refuses a plan that reads a file, or a local folder, which does not exist.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) with the table and the place.
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
        table.expect_there(session).await?;
    }
    Ok(())
}

impl FileTable {
    fn listing(&self) -> &ListingTable {
        self.provider
            .downcast_ref()
            .expect("only listing tables are made file tables")
    }

    /// Makes the next scan list the files.
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

    /// Refuses a file, or a local folder, that does not exist. Whether any of the files has something in it.
    async fn expect_there(&self, session: &dyn Session) -> DataFusionResult<bool> {
        let mut has_content = false;
        for path in self.listing().table_paths() {
            has_content |= match path.is_collection() {
                true => self.expect_folder(path).await?,
                false => self.expect_file(path, session).await?,
            };
        }
        Ok(has_content)
    }

    /// A folder of an object store is no thing of its own: whether it is there nobody can tell.
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
        // Where there is no such file this lists what is below its name, as a folder of an object store.
        let mut files = url.list_all_files(session, &*store, "").await?;
        match files.try_next().await? {
            Some(file) => Ok(file.size > 0),
            None => Err(self.missing(url, "file")),
        }
    }

    fn missing(&self, url: &ListingTableUrl, what: &str) -> DataFusionError {
        let place = local(url).map_or_else(|| url.to_string(), |path| path.display().to_string());
        Error::new(
            ErrorKind::NotFound,
            format!(
                "table '{}': {what} '{place}' does not exist: correct LOCATION, or put the {what} there; to \
                 replace one that is read, rename another over it",
                self.name
            ),
        )
        .into()
    }

    fn restless(&self) -> DataFusionError {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "table '{}': its files come and go while they are listed: run the query again, and replace a \
                 file by renaming another over it",
                self.name
            ),
        )
        .into()
    }
}

/// The path of a local file or folder; of a glob the folder in front of it.
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
        // Filters on the columns of folders leave files out.
        let is_pruned = !self.listing().options().table_partition_cols.is_empty();
        let several = self.listing().table_paths().len() > 1;
        let mut tries = LISTINGS;
        loop {
            tries -= 1;
            self.forget_listing(session);
            let found = self.provider.scan_with_args(session, args.clone()).await?;
            let is_empty = found.plan().downcast_ref::<EmptyExec>().is_some();
            if !is_empty && !several {
                return Ok(found);
            }
            let has_content = self.expect_there(session).await?;
            // A file that was missing when it was listed may be there by now.
            if !is_empty || !has_content || is_pruned {
                return Ok(found);
            }
            if tries == 0 {
                return Err(self.restless());
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
