//! `DESCRIBE` of a Kinesis table also shows where each column comes from.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{DescribeAlias, Statement as SqlStatement};

use super::identifiers::table_reference;
use crate::table::KinesisTable;

/// The first three are those of DataFusion.
const COLUMNS: [&str; 4] = ["column_name", "data_type", "is_nullable", "source"];

/// The plan of `statement`, if it describes a Kinesis table. DataFusion plans any other DESCRIBE, and reports a table that
/// does not exist.
///
/// # Errors
/// The plan cannot be built.
pub(super) async fn plan(
    ctx: &SessionContext,
    statement: &Statement,
) -> Result<Option<LogicalPlan>> {
    let Statement::Statement(statement) = statement else {
        return Ok(None);
    };
    let SqlStatement::ExplainTable {
        describe_alias: DescribeAlias::Describe | DescribeAlias::Desc,
        table_name,
        ..
    } = &**statement
    else {
        return Ok(None);
    };
    let Some(reference) = table_reference(ctx, table_name) else {
        return Ok(None);
    };
    let Ok(provider) = ctx.table_provider(reference).await else {
        return Ok(None);
    };
    let Some(table) = provider.downcast_ref::<KinesisTable>() else {
        return Ok(None);
    };
    let rows = table.described().into_iter().map(|(field, source)| {
        let nullable = match field.is_nullable() {
            true => "YES",
            false => "NO",
        };
        let data_type = field.data_type().to_string();
        vec![
            lit(field.name().as_str()),
            lit(data_type),
            lit(nullable),
            lit(source),
        ]
    });
    let names = COLUMNS.iter().enumerate().map(|(index, name)| {
        let value = Column::new_unqualified(format!("column{}", index + 1));
        Expr::Column(value).alias(*name)
    });
    let plan = LogicalPlanBuilder::values(rows.collect())?.project(names)?;
    plan.build().map(Some)
}
