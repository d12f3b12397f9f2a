//! Where metrics go.

/// Receivers of the metrics of streaming queries.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct Export {
    /// Publish a few metrics of streaming queries to CloudWatch once a minute, in this namespace; what it costs is
    /// printed at the start
    #[cfg(feature = "cloudwatch")]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) cloudwatch_namespace: Option<String>,
    /// Send metrics and spans of streaming queries to a receiver of OpenTelemetry (OTLP, Protobuf over HTTP); without
    /// ENDPOINT to OTEL_EXPORTER_OTLP_ENDPOINT or http://localhost:4318. Also on if that variable is set
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "")]
    pub(in crate::cli) otlp: Option<String>,
}
