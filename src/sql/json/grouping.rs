//! Regroups JSON operators: they bind more tightly than every other operator except `::`.
//!
//! The parser gives `->` and `->>` a lower precedence than comparisons, so it reads `data ->> 'a' = 'x'` as
//! `data ->> ('a' = 'x')`, and `data ->> 'a' || 'x'` as the field `ax`. Operands in parentheses are not regrouped.

use std::ops::ControlFlow;

use datafusion::config::Dialect;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::operators::JsonOperator;

/// Regroups the JSON operators of `node`, a statement or a part of it that was parsed in `dialect`. It changes
/// nothing that was regrouped already, and nothing in PostgreSQL's dialect, which has its own precedences.
pub(in crate::sql) fn group_operators<N: VisitMut>(node: &mut N, dialect: Dialect) {
    if dialect != Dialect::PostgreSQL {
        // The visitor never breaks.
        let _: ControlFlow<()> = node.visit(&mut Grouping);
    }
}

struct Grouping;

impl VisitorMut for Grouping {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { op, .. } = expr
            && JsonOperator::of(op).is_some()
        {
            *expr = regrouped(taken(expr));
        }
        ControlFlow::Continue(())
    }
}

/// An operator with a missing operand, and how tightly it binds.
type Open = (Expr, u8);

/// Takes an expression out of its place.
fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

/// `expr`, a JSON operator whose operands are grouped already.
fn regrouped(expr: Expr) -> Expr {
    let Expr::BinaryOp {
        mut left,
        op,
        mut right,
    } = expr
    else {
        return expr;
    };
    // The operators between which the JSON operator stands, from the outermost to the innermost.
    let mut before: Vec<Open> = Vec::new();
    while let Some((operand, precedence)) = last_operand(&mut left) {
        let operand = taken(operand);
        before.push((std::mem::replace(&mut *left, operand), precedence));
    }
    let mut after: Vec<Open> = Vec::new();
    while let Some((operand, precedence)) = first_operand(&mut right) {
        let operand = taken(operand);
        after.push((std::mem::replace(&mut *right, operand), precedence));
    }
    let is_grouped = before.is_empty() && after.is_empty();
    let mut expr = Expr::BinaryOp { left, op, right };
    if is_grouped {
        return expr;
    }
    // Parentheses, so that the statement means the same as text.
    expr = Expr::Nested(Box::new(expr));
    loop {
        let precedence = |open: &[Open]| open.last().map_or(0, |(_, precedence)| *precedence);
        let takes_left = !before.is_empty() && precedence(&before) >= precedence(&after);
        let open = if takes_left { &mut before } else { &mut after };
        let Some((mut operator, _)) = open.pop() else {
            return expr;
        };
        let operand = match takes_left {
            true => last_operand(&mut operator),
            false => first_operand(&mut operator),
        };
        if let Some((operand, _)) = operand {
            *operand = expr;
        }
        expr = operator;
    }
}

/// The first operand of an operator that binds less tightly than the JSON operators.
fn first_operand(expr: &mut Expr) -> Option<(&mut Expr, u8)> {
    match expr {
        Expr::BinaryOp { left, op, .. } => Some((left, precedence(op)?)),
        Expr::AtTimeZone { timestamp, .. } => Some((timestamp, 41)),
        Expr::InList { expr, .. }
        | Expr::InSubquery { expr, .. }
        | Expr::InUnnest { expr, .. }
        | Expr::Between { expr, .. }
        | Expr::AnyOp { left: expr, .. }
        | Expr::AllOp { left: expr, .. } => Some((expr, 20)),
        Expr::Like { expr, .. }
        | Expr::ILike { expr, .. }
        | Expr::SimilarTo { expr, .. }
        | Expr::RLike { expr, .. } => Some((expr, 19)),
        Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsUnknown(expr)
        | Expr::IsNotUnknown(expr)
        | Expr::IsDistinctFrom(expr, _)
        | Expr::IsNotDistinctFrom(expr, _) => Some((expr, 17)),
        _ => None,
    }
}

/// The last operand of an operator that binds less tightly than the JSON operators.
fn last_operand(expr: &mut Expr) -> Option<(&mut Expr, u8)> {
    match expr {
        Expr::BinaryOp { right, op, .. } => Some((right, precedence(op)?)),
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => Some((expr, 40)),
        Expr::Between { high, .. } => Some((high, 20)),
        Expr::Like {
            pattern,
            escape_char: None,
            ..
        }
        | Expr::ILike {
            pattern,
            escape_char: None,
            ..
        }
        | Expr::SimilarTo {
            pattern,
            escape_char: None,
            ..
        }
        | Expr::RLike { pattern, .. } => Some((pattern, 19)),
        Expr::IsDistinctFrom(_, expr) | Expr::IsNotDistinctFrom(_, expr) => Some((expr, 17)),
        _ => None,
    }
}

/// The precedence of an operator in the parser; `None` for those on JSON, and for those that bind as tightly.
fn precedence(operator: &BinaryOperator) -> Option<u8> {
    use BinaryOperator as Op;
    if JsonOperator::of(operator).is_some() {
        return None;
    }
    Some(match operator {
        Op::Or => 5,
        Op::And => 10,
        Op::AtArrow | Op::ArrowAt | Op::AtQuestion | Op::AtAt | Op::HashMinus => 16,
        Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::Spaceship => 20,
        Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => 20,
        Op::PGLikeMatch | Op::PGILikeMatch | Op::PGNotLikeMatch | Op::PGNotILikeMatch => 20,
        Op::BitwiseOr => 21,
        Op::BitwiseXor | Op::PGBitwiseXor | Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => 22,
        Op::BitwiseAnd => 23,
        Op::Xor => 24,
        Op::Plus | Op::Minus => 30,
        Op::Multiply | Op::Divide | Op::Modulo | Op::StringConcat => 40,
        Op::DuckIntegerDivide | Op::MyIntegerDivide => 40,
        _ => return None,
    })
}
