//! Why a value does not fit a column.

/// A value does not fit the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// It has another type.
    Type,
    /// It has the right type, but the column's type cannot represent it exactly.
    Range,
}
