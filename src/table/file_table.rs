//! File tables that list their files for every scan.
//!
//! DataFusion lists the files of a table once per session, and treats a file that does not exist as an empty
//! table. A query that joins a stream with such a table would never see a new file, and would drop all rows
//! if the path were misspelled. Here each scan lists the files again and refuses missing ones. A streaming query can
//! keep the rows of a table for some time ([`kept_rows`]).

mod kept_rows;
mod presence;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Constraints, Result as DataFusionResult, Statistics};
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::TableScopedPath;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use self::kept_rows::KeptRows;
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
    /// Where rows are kept, if they are.
    kept: Option<KeptRows>,
}

/// Replaces each file table in `plan`, including its subqueries, with a [`FileTable`].
///
/// # Errors
/// DataFusion cannot rewrite the plan.
pub(crate) fn relist_files(plan: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    replace_tables(plan, |name, provider| {
        let is_of_files = provider.downcast_ref::<ListingTable>().is_some();
        is_of_files.then(|| FileTable {
            name: name.to_owned(),
            provider: Arc::clone(provider),
            kept: None,
        })
    })
}

/// Lets each [`FileTable`] in `plan` keep its rows for `period`.
///
/// # Errors
/// DataFusion cannot rewrite the plan.
pub(crate) fn keep_rows(plan: LogicalPlan, period: Duration) -> DataFusionResult<LogicalPlan> {
    replace_tables(plan, |name, provider| {
        let table = provider.downcast_ref::<FileTable>()?;
        Some(FileTable {
            name: name.to_owned(),
            provider: Arc::clone(&table.provider),
            kept: Some(KeptRows::new(period)),
        })
    })
}

/// Replaces the tables for which `replacement` returns one.
fn replace_tables(
    plan: LogicalPlan,
    replacement: impl Fn(&str, &Arc<dyn TableProvider>) -> Option<FileTable>,
) -> DataFusionResult<LogicalPlan> {
    let replaced = plan.transform_down_with_subqueries(|mut node| {
        if let LogicalPlan::TableScan(scan) = &mut node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = replacement(&scan.table_name.to_string(), &provider)
        {
            scan.source = provider_as_source(Arc::new(table));
            return Ok(Transformed::yes(node));
        }
        Ok(Transformed::no(node))
    })?;
    Ok(replaced.data)
}

/// Refuses a plan that reads a table without files, or with files of another format only.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) and [`InvalidOption`](ErrorKind::InvalidOption) with the table, its location and
/// what is there.
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

    /// Lists the files, and refuses a table without any.
    async fn scan_files(
        &self,
        session: &dyn Session,
        args: ScanArgs<'_>,
    ) -> DataFusionResult<ScanResult> {
        // Filters on partition columns exclude files.
        let is_pruned = !self.listing().options().table_partition_cols.is_empty();
        let several = self.listing().table_paths().len() > 1;
        let mut tries = MAX_LISTINGS;
        loop {
            tries -= 1;
            self.forget_listing(session);
            let found = self.provider.scan_with_args(session, args.clone()).await;
            let found = found.map_err(|error| self.explained(error))?;
            let is_empty = found.plan().downcast_ref::<EmptyExec>().is_some();
            if !is_empty && !several {
                self.expect_own_format(found.plan())?;
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
        let Some(kept) = &self.kept else {
            return self.scan_files(session, args).await;
        };
        let kept = kept.get(session, self.scan_files(session, ScanArgs::default()));
        match kept.await? {
            Some(rows) => {
                let projection = args.projection().map(<[usize]>::to_vec);
                let rows = MemorySourceConfig::try_new_exec(&[rows], self.schema(), projection)?;
                Ok(ScanResult::new(rows))
            }
            None => self.scan_files(session, args).await,
        }
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        // Rows that are kept are those of all batches.
        if self.kept.is_some() {
            return Ok(vec![
                TableProviderFilterPushDown::Unsupported;
                filters.len()
            ]);
        }
        self.provider.supports_filters_pushdown(filters)
    }

    fn statistics(&self) -> Option<Statistics> {
        self.provider.statistics()
    }
}
