//! Which column holds which field of a message, and how.

use super::descriptor::{Field, Message, MessageId, ScalarKind, StatedDefault};

/// The columns of a message, in the order of its struct or table.
#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) fields: Vec<FieldPlan>,
    /// What each number means for the columns, in the order of the numbers.
    targets: Vec<(u32, Target)>,
    /// The columns of which at most one is not NULL.
    pub(super) oneofs: Vec<Vec<usize>>,
}

/// What a value means for the columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// The column that holds it.
    pub(super) column: Option<usize>,
    /// The index in [`MessagePlan::oneofs`] of the columns that it clears.
    pub(super) oneof: Option<usize>,
}

/// How a column holds a field.
#[derive(Debug)]
pub(super) struct FieldPlan {
    /// The names of the fields that lead to it, with dots.
    pub(super) path: String,
    pub(super) field: Field,
    pub(super) shape: Shape,
    pub(super) absent: AbsentPlan,
}

/// Whether a column holds one value of a field, or all.
#[derive(Debug)]
pub(super) enum Shape {
    One(ValuePlan),
    List(ValuePlan),
    /// The entries of a map, as structs of two columns.
    Entries(MessageId, MessagePlan),
    /// The entries of a map, as the text of a JSON object.
    JsonObject(MessageId),
}

/// How a column holds a value.
#[derive(Debug)]
pub(super) enum ValuePlan {
    Scalar(ScalarKind),
    Struct(MessagePlan),
    Timestamp,
    /// In nanoseconds, or as text in seconds.
    Duration,
    /// The value of the only field of a message.
    Wrapped(ScalarKind),
    /// The text of a JSON value.
    Json(MessageId),
}

/// What a column holds if its field is absent.
#[derive(Debug)]
pub(super) enum AbsentPlan {
    Null,
    Stated(StatedDefault),
    /// The zero of a scalar, or a message without fields.
    Zero,
}

impl MessagePlan {
    /// The plan with these columns of `message`, and with the fields that clear some of them.
    pub(super) fn new(message: &Message, fields: Vec<FieldPlan>) -> Self {
        let mut oneofs: Vec<Vec<usize>> = Vec::new();
        let mut groups: Vec<usize> = Vec::new();
        for (column, plan) in fields.iter().enumerate() {
            let Some(oneof) = plan.field.oneof else {
                continue;
            };
            match groups.iter().position(|group| *group == oneof) {
                Some(index) => oneofs[index].push(column),
                None => {
                    groups.push(oneof);
                    oneofs.push(vec![column]);
                }
            }
        }
        let targets = message.fields.iter().filter_map(|field| {
            let number = field.number;
            let column = fields.iter().position(|plan| plan.field.number == number);
            let oneof = field
                .oneof
                .and_then(|oneof| groups.iter().position(|group| *group == oneof));
            let target = Target { column, oneof };
            (column.is_some() || oneof.is_some()).then_some((number, target))
        });
        Self {
            targets: targets.collect(),
            oneofs,
            fields,
        }
    }

    /// What the field with this number means for the columns.
    pub(super) fn target(&self, number: u32) -> Option<Target> {
        let guess = self.targets.get((number as usize).wrapping_sub(1));
        if let Some((_, target)) = guess.filter(|(of, _)| *of == number) {
            return Some(*target);
        }
        let found = self.targets.binary_search_by_key(&number, |(of, _)| *of);
        found.ok().map(|index| self.targets[index].1)
    }
}
