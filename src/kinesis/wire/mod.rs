//! The bodies of requests and answers, decoded straight into columns.

pub(super) mod json;
