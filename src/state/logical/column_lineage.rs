//! How groups and aggregates derive from the columns of the tables, as digests that do not depend on aliases.
//!
//! Two statements that differ only in the names of tables, subqueries and columns have the same digests. A state is
//! compatible with a statement of the same digests, so renaming an alias does not invalidate it.

use std::collections::HashMap;
use std::fmt::Write;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan};
use md5::{Digest, Md5};

use super::streams::Streams;

/// Computes the digests of columns. Each column of a plan is visited once, however often expressions use it.
pub(crate) struct ColumnLineage<'a> {
    streams: &'a dyn Streams,
    found: HashMap<(*const LogicalPlan, usize), String>,
}

impl<'a> ColumnLineage<'a> {
    pub(crate) fn new(streams: &'a dyn Streams) -> Self {
        Self {
            streams,
            found: HashMap::new(),
        }
    }

    /// The digest of `exprs` over `input`.
    pub(crate) fn of_all<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        input: &LogicalPlan,
    ) -> Result<String> {
        let mut text = String::new();
        for expr in exprs {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", self.of_expr(expr, input)?);
        }
        Ok(digest(&text))
    }

    /// The digest of `expr` over `input`; for a column, the digest of the column.
    fn of_expr(&mut self, expr: &Expr, input: &LogicalPlan) -> Result<String> {
        let expr = expr.clone().unalias_nested().data;
        let text = self.written(&expr, input)?;
        Ok(match expr {
            Expr::Column(_) => text,
            _ => digest(&text),
        })
    }

    /// The text of `expr` with the digests of its columns instead of their names.
    fn written(&mut self, expr: &Expr, input: &LogicalPlan) -> Result<String> {
        let expr = expr.clone().transform_up(|expr| match expr {
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            Expr::Column(column) => {
                let origin = match input.schema().index_of_column(&column) {
                    Ok(index) => self.of(input, index)?,
                    Err(_) => digest(&column.name),
                };
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(
                    origin,
                ))))
            }
            other => Ok(Transformed::no(other)),
        });
        Ok(expr.data()?.to_string())
    }

    /// The digest of the column at `index` of `plan`.
    fn of(&mut self, plan: &LogicalPlan, index: usize) -> Result<String> {
        let key = (std::ptr::from_ref(plan), index);
        if let Some(known) = self.found.get(&key) {
            return Ok(known.clone());
        }
        let origin = self.compute(plan, index)?;
        self.found.insert(key, origin.clone());
        Ok(origin)
    }

    /// Computes the digest. A column that nodes pass through unchanged keeps its digest.
    fn compute(&mut self, plan: &LogicalPlan, index: usize) -> Result<String> {
        let (qualifier, field) = plan.schema().qualified_field(index);
        let column = Column::new(qualifier.cloned(), field.name());
        Ok(match plan {
            LogicalPlan::TableScan(scan) => match self.streams.index_of(scan) {
                Some(stream) => digest(&format!("stream {stream} {}", column.name)),
                None => digest(&format!("table {} {}", scan.table_name, column.name)),
            },
            LogicalPlan::Projection(projection) => {
                self.of_expr(&projection.expr[index], &projection.input)?
            }
            LogicalPlan::SubqueryAlias(alias) => self.of(&alias.input, index)?,
            LogicalPlan::Aggregate(aggregate) => {
                let exprs = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
                match exprs.clone().nth(index) {
                    Some(expr) if exprs.count() == aggregate.schema.fields().len() => {
                        self.of_expr(expr, &aggregate.input)?
                    }
                    _ => digest(&format!("aggregate {}", column.name)),
                }
            }
            LogicalPlan::Unnest(unnest) => {
                let from = unnest.dependency_indices.get(index);
                // A struct is unnested into one column for each field.
                let columns = unnest.dependency_indices.iter().take(index);
                let field = columns.filter(|other| Some(*other) == from).count();
                let from = from.map(|from| self.of(&unnest.input, *from)).transpose()?;
                digest(&format!("unnest {field} {}", from.unwrap_or_default()))
            }
            LogicalPlan::Union(union) => {
                let mut text = String::from("union");
                for input in &union.inputs {
                    text.push(' ');
                    text.push_str(&self.of(input, index)?);
                }
                digest(&text)
            }
            other => {
                let inputs = other.inputs();
                let mut inputs = inputs.into_iter().filter_map(|input| {
                    let index = input.schema().index_of_column(&column).ok()?;
                    Some((input, index))
                });
                match inputs.next() {
                    Some((input, index)) => self.of(input, index)?,
                    None => digest(&format!("column {}", column.name)),
                }
            }
        })
    }
}

fn digest(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The placeholder for a table name in a [`NamePattern`].
const TABLE: &str = "\u{1}";

/// The text of an aggregation whose columns belong to one table, with a placeholder for the name of the
/// table. Checkpoints of versions without digests are compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePattern(Vec<String>);

impl NamePattern {
    /// The pattern of `exprs` over `input`; `None` if the input has columns of several tables, whose names matter.
    pub(crate) fn of<'e>(
        exprs: impl IntoIterator<Item = &'e Expr>,
        input: &LogicalPlan,
    ) -> Result<Option<Self>> {
        let schema = input.schema();
        let mut tables = schema.iter().map(|(table, _)| table);
        let first = tables.next().flatten();
        if tables.any(|table| table != first) {
            return Ok(None);
        }
        let open = |expr: &Expr| {
            let expr = expr.clone().transform_up(|expr| match expr {
                Expr::Column(column) => {
                    let table = Some(TableReference::bare(TABLE));
                    let column = Expr::Column(Column::new(table, column.name));
                    Ok(Transformed::yes(column))
                }
                other => Ok(Transformed::no(other)),
            });
            Ok(expr.data()?.to_string())
        };
        let texts = exprs.into_iter().map(open);
        texts.collect::<Result<_>>().map(|texts| Some(Self(texts)))
    }

    /// Whether `texts` match with one table name, or none.
    pub(crate) fn fits(&self, texts: &[&str]) -> bool {
        if self.0.len() != texts.len() {
            return false;
        }
        let open = format!("{TABLE}.");
        let same = |table: &str| {
            let words = self.0.iter().map(|words| words.replace(&open, table));
            words.eq(texts.iter().copied())
        };
        let mut pairs = self.0.iter().zip(texts);
        let Some((index, text)) = pairs.find_map(|(words, text)| Some((words.find(&open)?, *text)))
        else {
            return same("");
        };
        let Some(rest) = text.get(index..) else {
            return false;
        };
        let dots = rest.match_indices('.').map(|(dot, _)| dot + 1);
        let mut tables = std::iter::once(0).chain(dots);
        tables.any(|end| same(&rest[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_one_table_name_everywhere() {
        let words = ["lower(\u{1}.a)", "sum(\u{1}.b + 1.5)"];
        let pattern = NamePattern(words.map(str::to_owned).to_vec());
        for (texts, fits) in [
            (["lower(words.a)", "sum(words.b + 1.5)"], true),
            (["lower(a.b.c.a)", "sum(a.b.c.b + 1.5)"], true),
            (["lower(a)", "sum(b + 1.5)"], true),
            (["lower(words.a)", "sum(other.b + 1.5)"], false),
            (["lower(words.a)", "sum(b + 1.5)"], false),
            (["upper(words.a)", "sum(words.b + 1.5)"], false),
            (["lower(words.c)", "sum(words.b + 1.5)"], false),
        ] {
            assert_eq!(pattern.fits(&texts), fits, "{texts:?}");
        }
        assert!(!pattern.fits(&["lower(words.a)"]));
        let none = NamePattern(vec!["count(1)".to_owned()]);
        assert!(none.fits(&["count(1)"]) && !none.fits(&["count(2)"]));
    }
}
