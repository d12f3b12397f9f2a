//! Limits how deeply the operators of a statement may be nested.
//!
//! Parser, planner, optimizer and execution recurse over expressions and plans, and not all of them
//! grow their stack: `Expr::clone`, dropping a plan and evaluating an expression do not. A chain
//! such as `a OR b OR c OR …` becomes a tree as deep as the chain is long, and too deep a tree
//! overflows the stack, which aborts the process. The [stack](STACK_BYTES) of this command's
//! threads is large enough for [`MAX_DEPTH`]; deeper statements are refused before they are parsed.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::Error;

/// Maximum nesting depth. In a debug build, whose stack frames are the largest, chains of `OR` and
/// of `||` of this length complete with a stack of 16 MiB, but not with 8 MiB.
pub(super) const MAX_DEPTH: usize = 2000;

/// Stack size of every thread that parses, plans, computes, or drops plans. The operating system
/// commits only the memory in use.
pub(super) const STACK_BYTES: usize = 64 << 20;

/// Refuses a statement whose operators are nested too deeply.
///
/// # Errors
/// The nesting depth exceeds [`MAX_DEPTH`].
pub(super) fn check(sql: &str) -> Result<(), Error> {
    // The parser reports invalid tokens. It also limits its own depth, so it does not overflow on
    // them.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        return Ok(());
    };
    let Deepest { depth, operator } = deepest(&tokens);
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    let instead = match operator {
        Operator::Or => {
            "write x IN (…, …) instead of x = … OR x = …, or join with a table of the values"
        }
        Operator::And => {
            "write x NOT IN (…, …) instead of x <> … AND x <> …, or join with a table of the values"
        }
        Operator::Sum => {
            "write concat(…, …) instead of … || …, and sum or unnest an array instead of … + …"
        }
        Operator::SetOperation => {
            "write VALUES (…), (…) instead of SELECT … UNION ALL SELECT …, or INSERT in several statements"
        }
        Operator::Join => "join fewer tables in one statement",
        _ => "split it into several statements",
    };
    Err(Error::unsupported(format!(
        "the statement has {depth} nested operators, mostly {operator}: expected at most {MAX_DEPTH}; {instead}"
    )))
}

/// Operators by precedence, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    SetOperation,
    Join,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    /// Casts, subscripts and the like, which follow their operand.
    Postfix,
}

const OPERATORS: [Operator; 8] = [
    Operator::SetOperation,
    Operator::Join,
    Operator::Or,
    Operator::And,
    Operator::Comparison,
    Operator::Sum,
    Operator::Product,
    Operator::Postfix,
];

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SetOperation => "UNION or WITH",
            Self::Join => "JOIN",
            Self::Or => "OR",
            Self::And => "AND",
            Self::Comparison => "comparisons",
            Self::Sum => "|| or +",
            Self::Product => "*",
            Self::Postfix => "casts or subscripts",
        })
    }
}

/// The greatest depth, and the operator that contributes most to it.
#[derive(Debug, Clone, Copy)]
struct Deepest {
    depth: usize,
    operator: Operator,
}

/// The part of an expression between two parentheses that has been read so far.
///
/// A run of operators of equal precedence is a tree as deep as the run is long, above its deepest
/// operand. The operands are runs of operators that bind more tightly.
#[derive(Debug, Default)]
struct Level {
    /// Length of each operator's unfinished run.
    runs: [usize; OPERATORS.len()],
    /// Depth of the deepest operand of that run.
    operands: [usize; OPERATORS.len()],
    /// Depth of the parentheses since the last operator.
    inner: usize,
    /// The longest run of each operator.
    longest: [usize; OPERATORS.len()],
    /// In a FROM clause, where commas join tables.
    in_from: bool,
}

impl Level {
    /// Ends the runs of all operators that bind more tightly than `than`, and returns the depth of
    /// the resulting operand.
    fn operand(&mut self, than: usize) -> usize {
        let mut depth = std::mem::take(&mut self.inner);
        for i in (than + 1..OPERATORS.len()).rev() {
            let operands = std::mem::take(&mut self.operands[i]);
            let run = std::mem::take(&mut self.runs[i]);
            self.longest[i] = self.longest[i].max(run);
            depth = run + depth.max(operands);
        }
        depth
    }

    fn operator(&mut self, operator: Operator) {
        let i = operator as usize;
        let operand = self.operand(i);
        self.operands[i] = self.operands[i].max(operand);
        self.runs[i] += 1;
    }

    /// Ends an expression.
    fn separator(&mut self) {
        let join = Operator::Join as usize;
        let operand = self.operand(join);
        self.operands[join] = self.operands[join].max(operand);
    }

    fn end(mut self) -> (usize, [usize; OPERATORS.len()]) {
        let depth = self.operand(0);
        let depth = self.runs[0] + depth.max(self.operands[0]);
        self.longest[0] = self.longest[0].max(self.runs[0]);
        (depth, self.longest)
    }
}

fn deepest(tokens: &[Token]) -> Deepest {
    let mut levels = vec![Level::default()];
    let mut longest = [0; OPERATORS.len()];
    let mut close = |levels: &mut Vec<Level>| {
        let (depth, runs) = levels.pop().map(Level::end).unwrap_or_default();
        for (longest, run) in longest.iter_mut().zip(runs) {
            *longest = run.max(*longest);
        }
        depth
    };
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .peekable();
    while let Some(token) = words.next() {
        let before_parenthesis = words.peek() == Some(&&Token::LParen);
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                if matches!(token, Token::LBracket)
                    && let Some(level) = levels.last_mut()
                {
                    level.operator(Operator::Postfix);
                }
                levels.push(Level::default());
            }
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => {
                let depth = close(&mut levels);
                if let Some(level) = levels.last_mut() {
                    level.inner = level.inner.max(depth);
                }
            }
            token => {
                if let Some(level) = levels.last_mut() {
                    read(level, token, before_parenthesis);
                }
            }
        }
    }
    let mut depth = 0;
    while !levels.is_empty() {
        depth = close(&mut levels).max(depth);
    }
    let most = (0..OPERATORS.len()).max_by_key(|i| longest[*i]);
    Deepest {
        depth,
        operator: OPERATORS[most.unwrap_or_default()],
    }
}

/// Reads one token other than a parenthesis.
fn read(level: &mut Level, token: &Token, before_parenthesis: bool) {
    match token {
        Token::Comma if level.in_from => level.operator(Operator::Join),
        Token::Comma | Token::SemiColon => level.separator(),
        Token::Word(word) => match word.keyword {
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                level.in_from = false;
                level.operator(Operator::SetOperation);
            }
            // A WITH table may read the previous one.
            Keyword::AS if before_parenthesis => level.operator(Operator::SetOperation),
            Keyword::JOIN => level.operator(Operator::Join),
            Keyword::OR => level.operator(Operator::Or),
            Keyword::AND | Keyword::XOR => level.operator(Operator::And),
            Keyword::IS | Keyword::LIKE | Keyword::ILIKE | Keyword::BETWEEN | Keyword::IN => {
                level.operator(Operator::Comparison);
            }
            Keyword::COLLATE | Keyword::AT => level.operator(Operator::Postfix),
            Keyword::FROM => {
                level.separator();
                level.in_from = true;
            }
            Keyword::SELECT
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::ORDER
            | Keyword::LIMIT => {
                level.separator();
                level.in_from = false;
            }
            Keyword::ON | Keyword::WHEN | Keyword::THEN | Keyword::ELSE | Keyword::END => {
                level.separator();
            }
            _ => {}
        },
        Token::Eq
        | Token::DoubleEq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Spaceship
        | Token::Tilde
        | Token::TildeAsterisk => level.operator(Operator::Comparison),
        Token::Mul | Token::Div | Token::Mod => level.operator(Operator::Product),
        Token::DoubleColon | Token::Period => level.operator(Operator::Postfix),
        Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        | Token::LParen
        | Token::RParen
        | Token::LBracket
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::EOF => {}
        // `+`, `-`, `||` and the many operators with the same precedence.
        _ => level.operator(Operator::Sum),
    }
}

#[cfg(test)]
mod tests;
