//! The column list of a Kinesis table: what is refused, and time zones.

use datafusion::execution::SessionState;
use datafusion::sql::parser::{CreateExternalTable, Statement};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, ColumnOption, DataType, TableConstraint,
};

use crate::error::Result;
use crate::table::{NO_CHECKS, is_kinesis_format, refusal};

/// The time zone of columns that are declared with one, if the session has none. `approximateArrivalTimestamp` has it,
/// too.
const TIME_ZONE: &str = "UTC";

/// Lets `state` plan TIMESTAMP WITH TIME ZONE in the column list of a Kinesis table as such. DataFusion gives it the
/// time zone of the session; without one, which is the default, it would plan a TIMESTAMP.
pub(super) fn set_time_zone(state: &mut SessionState, statement: &Statement) {
    let Statement::CreateExternalTable(create) = statement else {
        return;
    };
    if is_kinesis_format(&create.file_type) {
        let execution = &mut state.config_mut().options_mut().execution;
        execution
            .time_zone
            .get_or_insert_with(|| TIME_ZONE.to_owned());
    }
}

/// Refuses options, constraints and lengths of the columns of a Kinesis table. DataFusion itself reports some of them as not
/// implemented, drops others, such as lengths, and passes on DEFAULT, PRIMARY KEY and UNIQUE, which the table refuses.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with the part and the column.
pub(super) fn refuse(create: &CreateExternalTable) -> Result<()> {
    if !is_kinesis_format(&create.file_type) {
        return Ok(());
    }
    let is_passed_on = |constraint: &&TableConstraint| {
        matches!(
            constraint,
            TableConstraint::PrimaryKey(_) | TableConstraint::Unique(_)
        )
    };
    let mut constraints = create.constraints.iter();
    if let Some(constraint) = constraints.find(|constraint| !is_passed_on(constraint)) {
        let refused = format!("{constraint}: {NO_CHECKS}");
        return Err(refusal(&create.name, &refused));
    }
    for column in &create.columns {
        if let Some((data_type, expected)) = with_length(&column.data_type) {
            let refused = format!(
                "{data_type} for column '{}': its length would have no effect; expected {expected}",
                column.name
            );
            return Err(refusal(&create.name, &refused));
        }
        for option in &column.options {
            let reason = match &option.option {
                ColumnOption::Null
                | ColumnOption::NotNull
                | ColumnOption::Comment(_)
                | ColumnOption::Default(_)
                | ColumnOption::PrimaryKey(_)
                | ColumnOption::Unique(_) => continue,
                ColumnOption::Check(_) | ColumnOption::ForeignKey(_) => NO_CHECKS,
                _ => "it would have no effect; expected a name and a type",
            };
            let refused = format!("{} for column '{}': {reason}", option.option, column.name);
            return Err(refusal(&create.name, &refused));
        }
    }
    Ok(())
}

/// A type with a length, which the planner drops, and what to write instead.
fn with_length(data_type: &DataType) -> Option<(&DataType, &'static str)> {
    const TEXT: &str =
        "VARCHAR, and a condition on length(…) or left(…) in the statements that need it";
    match data_type {
        // Without a length, it is 1.
        DataType::Char(_) | DataType::String(Some(_)) => Some((data_type, TEXT)),
        DataType::Varchar(Some(CharacterLength::IntegerLength { .. })) => Some((data_type, TEXT)),
        DataType::Float(info) if info.to_string() != "" => {
            Some((data_type, "REAL or DOUBLE PRECISION"))
        }
        DataType::Array(
            ArrayElemTypeDef::AngleBracket(item)
            | ArrayElemTypeDef::SquareBracket(item, _)
            | ArrayElemTypeDef::Parenthesis(item),
        ) => with_length(item),
        DataType::Struct(fields, _) => {
            let mut fields = fields.iter();
            fields.find_map(|field| with_length(&field.field_type))
        }
        _ => None,
    }
}
