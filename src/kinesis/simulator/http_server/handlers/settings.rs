//! Handlers for encryption, mode, monitoring, policies and account settings.

use serde_json::{Map, Value, json};

use super::json;
use super::streams;
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::{ApiRequest, Members};
use crate::kinesis::simulator::operations::account_settings::Commitment;
use crate::kinesis::simulator::state::settings::ShardMetric;
use crate::kinesis::{InMemoryKinesis, Operation};
use crate::model::UnixMillis;

pub(super) async fn start_encryption(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    check_kms(&request.members)?;
    let key = request.members.required_text("KeyId")?.to_owned();
    Ok(kinesis.start_encryption(&stream, key).await?)
}

pub(super) async fn stop_encryption(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    check_kms(&request.members)?;
    Ok(kinesis.stop_encryption(&stream).await?)
}

/// The only encryption type that can be started or stopped is KMS; `NONE` occurs only in
/// descriptions.
fn check_kms(members: &Members) -> Result<(), ErrorResponse> {
    match members.required_text("EncryptionType")? {
        "KMS" => Ok(()),
        other => Err(ErrorResponse::invalid(format!(
            "EncryptionType {other} cannot be started or stopped; the only valid value is KMS."
        ))),
    }
}

pub(super) async fn update_mode(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    let details = request.members.required_object("StreamModeDetails")?;
    let warm = streams::warm_throughput(&request.members)?;
    let mode = streams::mode(&details)?;
    Ok(kinesis.set_mode(&stream, mode, warm).await?)
}

pub(super) async fn update_warm_throughput(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let stream = request.stream()?;
    let warm = streams::warm_throughput(&request.members)?.unwrap_or(0);
    let stream = kinesis.set_warm_throughput(&stream, warm).await?;
    Ok(json!({
        "StreamName": stream.name().as_str(),
        "StreamARN": stream.arn(),
        "WarmThroughput": json::warm_throughput(warm),
    }))
}

pub(super) async fn update_monitoring(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
    operation: Operation,
) -> Result<Value, ErrorResponse> {
    let stream = request.stream()?;
    let named = request.members.texts("ShardLevelMetrics")?;
    let is_named = |metric: &ShardMetric| {
        let mut named = named.iter();
        named.any(|name| name == metric.name() || name == "ALL")
    };
    let metrics: Vec<_> = ShardMetric::ALL.into_iter().filter(is_named).collect();
    let change = kinesis.set_metrics(operation, &stream, &metrics).await?;
    Ok(json!({
        "StreamName": change.stream.name().as_str(),
        "StreamARN": change.stream.arn(),
        "CurrentShardLevelMetrics": json::metrics(&change.before),
        "DesiredShardLevelMetrics": json::metrics(&change.after),
    }))
}

pub(super) async fn put_policy(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let policy = request.members.required_text("Policy")?;
    if serde_json::from_str::<Map<String, Value>>(policy).is_err() {
        return Err(ErrorResponse::invalid("Policy is not a JSON object."));
    }
    let stream = request.resource()?;
    Ok(kinesis.put_policy(&stream, policy.to_owned()).await?)
}

pub(super) async fn get_policy(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let policy = kinesis.policy(&request.resource()?).await?;
    Ok(json!({ "Policy": policy }))
}

pub(super) async fn describe_account(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let (commitment, now) = kinesis.account_settings(&request.account_region).await?;
    Ok(account(commitment, now))
}

pub(super) async fn update_account(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let wanted = request
        .members
        .required_object("MinimumThroughputBillingCommitment")?;
    let enabled = wanted.required_text("Status")? == "ENABLED";
    let (commitment, now) = kinesis
        .set_commitment(&request.account_region, enabled)
        .await?;
    Ok(account(commitment, now))
}

fn account(commitment: Commitment, now: UnixMillis) -> Value {
    let status = match (commitment.is_on(now), commitment.ends_at) {
        (true, None) => "ENABLED",
        (true, Some(_)) => "ENABLED_UNTIL_EARLIEST_ALLOWED_END",
        (false, _) => "DISABLED",
    };
    let times = [
        ("StartedAt", commitment.started_at),
        ("EndedAt", commitment.ends_at.filter(|end| *end <= now)),
        ("EarliestAllowedEndAt", commitment.earliest_end()),
    ];
    let mut members = Map::new();
    members.insert("Status".into(), status.into());
    for (name, time) in times {
        if let Some(time) = time {
            members.insert(name.into(), json::time(time));
        }
    }
    json!({ "MinimumThroughputBillingCommitment": members })
}
