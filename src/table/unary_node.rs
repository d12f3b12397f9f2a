//! The methods of `ExecutionPlan` that all plan nodes with one input implement in the same way.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

/// Expands, inside of `impl ExecutionPlan for …`, to the methods `name`, `children`, `apply_expressions`,
/// `replace_children` and `with_new_children` of a node with one input.
///
/// The node has a field `input: Arc<dyn ExecutionPlan>` and a method
/// `fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self>`. A node with expressions names the
/// method that returns an iterator of them: `unary_node!("EventTimeExec", expressions = exprs);`.
macro_rules! unary_node {
    ($name:expr) => {
        $crate::table::unary_node!(@methods $name, |_node| std::iter::empty());
    };
    ($name:expr, expressions = $expressions:ident) => {
        $crate::table::unary_node!(@methods $name, |node| Self::$expressions(node));
    };
    (@methods $name:expr, |$node:ident| $expressions:expr) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn children(&self) -> Vec<&std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
            vec![&self.input]
        }

        fn apply_expressions(
            &self,
            visit: &mut dyn FnMut(
                &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> datafusion::common::Result<
                datafusion::common::tree_node::TreeNodeRecursion,
            >,
        ) -> datafusion::common::Result<datafusion::common::tree_node::TreeNodeRecursion> {
            let $node = self;
            $crate::table::visit_expressions($expressions, visit)
        }

        fn replace_children(
            self: std::sync::Arc<Self>,
            children: Vec<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
            _options: datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
        ) -> datafusion::common::Result<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>
        {
            let input = $crate::table::only_child($name, children)?;
            Ok(std::sync::Arc::new(self.with_input(input)?))
        }

        // Deprecated, but still required.
        fn with_new_children(
            self: std::sync::Arc<Self>,
            children: Vec<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
        ) -> datafusion::common::Result<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>
        {
            use datafusion::physical_plan::execution_plan::{
                ChildrenPropertiesMode, ReplaceChildrenOptions,
            };
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            self.replace_children(children, options)
        }
    };
}
pub(crate) use unary_node;

/// Calls `visit` for each of `expressions`, until it stops.
pub(crate) fn visit_expressions<'a>(
    expressions: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
    visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
) -> Result<TreeNodeRecursion> {
    let mut recursion = TreeNodeRecursion::Continue;
    for expression in expressions {
        recursion = visit(expression)?;
        if recursion == TreeNodeRecursion::Stop {
            break;
        }
    }
    Ok(recursion)
}

/// The one child of a node.
pub(crate) fn only_child(
    node: &str,
    mut children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    match (children.pop(), children.is_empty()) {
        (Some(child), true) => Ok(child),
        _ => internal_err!("{node} has one child"),
    }
}
