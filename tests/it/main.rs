//! What the crate does, seen from outside.

mod reference_deaggregator;
