//! The messages that a payload consists of.

use super::wire::WireType;

/// The message of a payload, and all messages and enums within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Descriptor {
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enumeration>,
    /// The path of the message in its file: its index, or those of the messages around it and its own.
    pub(super) indexes: Vec<i32>,
}

/// The index of a message in its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageId(pub(super) usize);

/// The index of an enum in its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EnumId(pub(super) usize);

/// A message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// With the package.
    pub(super) name: String,
    /// In the order of their numbers.
    pub(super) fields: Vec<Field>,
    pub(super) well_known: Option<WellKnown>,
    /// Whether it, or a message within it, has required fields.
    pub(super) has_required: bool,
}

/// A message type with a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WellKnown {
    Timestamp,
    Duration,
    /// The value of its only field, or NULL.
    Wrapper,
    /// A JSON object.
    Object,
    /// Any JSON value.
    Value,
    /// A JSON array.
    Array,
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) json_name: String,
    pub(super) kind: FieldKind,
    pub(super) label: Label,
    /// What it is if it is absent.
    pub(super) absent: Absent,
    /// The index of its `oneof` in the message.
    pub(super) oneof: Option<usize>,
    /// Whether a repeated field is written as one value.
    pub(super) is_packed: bool,
    /// Whether a string must be UTF-8.
    pub(super) checks_utf8: bool,
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Optional,
    Required,
    Repeated,
    /// Repeated messages with a key and a value.
    Map,
}

/// What a field is if it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    Null,
    /// A default that the file states.
    Stated(StatedDefault),
    /// The zero of its type. It is not written, so a reader cannot tell it from an absent field.
    Zero,
}

/// A default value that a file states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatedDefault {
    Bool(bool),
    Integer(i128),
    /// The bits of a 64-bit number.
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Enum(i32),
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Scalar(ScalarKind),
    Message(MessageId),
    Group(MessageId),
}

/// The type of a value that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Enumeration {
    /// With the package.
    pub(super) name: String,
    /// The values in their order. Of several names of one number, the first counts.
    pub(super) values: Vec<(i32, String)>,
}

impl Descriptor {
    /// The name of the payload's field that a column with this name holds.
    pub(in crate::format) fn field_name(&self, column: &str) -> Option<&str> {
        let field = self.message(self.root()).field_of_column(column)?;
        Some(&field.name)
    }

    /// The message of the payload.
    pub(super) fn root(&self) -> MessageId {
        MessageId(0)
    }

    pub(super) fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0]
    }

    pub(super) fn enumeration(&self, id: EnumId) -> &Enumeration {
        &self.enums[id.0]
    }

    /// The path of the message in its file.
    pub(super) fn indexes(&self) -> &[i32] {
        &self.indexes
    }
}

impl Message {
    /// The field with this number.
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        // Most messages number their fields from 1 without gaps.
        let guess = self.fields.get((number as usize).wrapping_sub(1));
        if let Some(field) = guess.filter(|field| field.number == number) {
            return Some(field);
        }
        let found = self
            .fields
            .binary_search_by_key(&number, |field| field.number);
        found.ok().map(|index| &self.fields[index])
    }

    /// The field that a column with this name holds: the same name, as in the file or as in JSON, or else one that
    /// differs in case only.
    pub(super) fn field_of_column(&self, name: &str) -> Option<&Field> {
        let find = |same: &dyn Fn(&Field) -> bool| self.fields.iter().find(|field| same(field));
        find(&|field| field.name == name)
            .or_else(|| find(&|field| field.json_name == name))
            .or_else(|| find(&|field| field.name.eq_ignore_ascii_case(name)))
            .or_else(|| find(&|field| field.json_name.eq_ignore_ascii_case(name)))
    }
}

impl Field {
    pub(super) fn is_repeated(&self) -> bool {
        matches!(self.label, Label::Repeated | Label::Map)
    }

    /// The wire type of one value.
    pub(super) fn wire_type(&self) -> WireType {
        match self.kind {
            FieldKind::Scalar(kind) => kind.wire_type(),
            FieldKind::Message(_) => WireType::Bytes,
            FieldKind::Group(_) => WireType::StartGroup,
        }
    }

    /// The type of its values, if several can be written as one value.
    pub(super) fn packable(&self) -> Option<ScalarKind> {
        match self.kind {
            FieldKind::Scalar(kind) if self.is_repeated() => {
                (kind.wire_type() != WireType::Bytes).then_some(kind)
            }
            _ => None,
        }
    }
}

impl ScalarKind {
    pub(super) fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::String | Self::Bytes => WireType::Bytes,
            _ => WireType::Varint,
        }
    }
}

impl Enumeration {
    pub(super) fn name_of(&self, number: i32) -> Option<&str> {
        let mut values = self.values.iter();
        let found = values.find(|(value, _)| *value == number);
        found.map(|(_, name)| name.as_str())
    }

    /// The number of the value with this name.
    pub(super) fn number_of(&self, name: &str) -> Option<i32> {
        let mut values = self.values.iter();
        let found = values.find(|(_, value)| value == name);
        found.map(|(number, _)| *number)
    }
}
