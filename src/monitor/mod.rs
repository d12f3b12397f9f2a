//! What operators look at: the status page, metrics, health.
//!
//! Everything is derived from what [`query`](crate::query) shows of its queries, when somebody asks for it.
