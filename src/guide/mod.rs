#![doc = include_str!("links.md")]
#![doc = include_str!("../../docs/README.md")]
//!
//! Each page is a module here, so that the links between them work in the API documentation as well. There they
//! resolve by `links.md`, whose definitions come first and so take precedence over those at the end of a page.

/// A page of `docs/` as a module.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = include_str!("links.md")]
        #[doc = include_str!(concat!("../../docs/", $file))]
        pub mod $name {}
    };
}

/// A page whose code needs the feature `metrics`.
macro_rules! metrics_page {
    ($name:ident, $file:literal) => {
        #[cfg(any(not(doctest), feature = "metrics"))]
        page!($name, $file);
    };
}

/// A page whose code needs the feature `simulator`.
macro_rules! simulator_page {
    ($name:ident, $file:literal) => {
        #[cfg(any(not(doctest), feature = "simulator"))]
        page!($name, $file);
    };
}

page!(architecture, "architecture.md");
page!(aws_access, "aws-access.md");
page!(checkpoints, "checkpoints.md");
page!(command, "command.md");
page!(delivery_and_data_loss, "delivery-and-data-loss.md");
page!(deployment, "deployment.md");
page!(enhanced_fan_out, "enhanced-fan-out.md");
page!(files, "files.md");
page!(formats, "formats.md");
simulator_page!(library, "library.md");
page!(limits, "limits.md");
page!(migrating_from_spark, "migrating-from-spark.md");
metrics_page!(monitoring, "monitoring.md");
page!(options, "options.md");
page!(performance, "performance.md");
page!(pipelines, "pipelines.md");
simulator_page!(simulator, "simulator.md");
page!(sql, "sql.md");
page!(starting_positions, "starting-positions.md");
page!(state_and_event_time, "state-and-event-time.md");
page!(streaming, "streaming.md");
page!(troubleshooting, "troubleshooting.md");
