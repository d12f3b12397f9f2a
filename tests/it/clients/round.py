"""Uses each operation of a stream with boto3, with its default settings, and checks the answers.

Arguments: a name for the stream, an endpoint whose GetRecords says that the iterator has expired, whose PutRecord is
throttled, and whose PutRecords fails each entry; and the endpoint for all else.
"""

import sys
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

stream, faulty, endpoint = sys.argv[1:]


def connect(url, config=None):
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=config,
    )


kinesis = connect(endpoint)


def equal(expected, found):
    assert expected == found, f"expected {expected!r}, found {found!r}"


def fails(name, call, client=kinesis, **members):
    try:
        getattr(client, call)(**members)
    except getattr(client.exceptions, name) as error:
        equal(name, error.response["Error"]["Code"])
        assert error.response["Error"]["Message"]
    else:
        raise AssertionError(f"{call}: expected {name}")


def recent(time):
    assert abs(datetime.now(timezone.utc) - time) < timedelta(minutes=10), time


def iterator(shard, kind, **position):
    answer = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **position)
    return answer["ShardIterator"]


def read(shard, kind, **position):
    """All records from a position to the tip, and the child shards at the end."""
    records, place = [], iterator(shard, kind, **position)
    while place:
        page = kinesis.get_records(ShardIterator=place, Limit=300)
        records += page["Records"]
        if not page["Records"] and page["MillisBehindLatest"] == 0:
            break
        place = page.get("NextShardIterator")
    return records, page.get("ChildShards", [])


def open_shards():
    return kinesis.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]


kinesis.create_stream(StreamName=stream, ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName=stream)
summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
equal((1, 24), (summary["OpenShardCount"], summary["RetentionPeriodHours"]))
recent(summary["StreamCreationTimestamp"])
fails("ResourceInUseException", "create_stream", StreamName=stream, ShardCount=1)
shard = open_shards()[0]["ShardId"]

# Records of all kinds.
every = bytes(range(256))
entries = [
    {"Data": every, "PartitionKey": "bytes", "ExplicitHashKey": "7"},
    {"Data": b"", "PartitionKey": "Größe 漢字 🦀"},
]
entries += [{"Data": f"value {n}".encode(), "PartitionKey": f"key {n}"} for n in range(2, 500)]
first = kinesis.put_record(StreamName=stream, Data=every, PartitionKey="first")
equal(shard, first["ShardId"])
numbers = [first["SequenceNumber"]]
for _ in range(2):
    put = kinesis.put_records(StreamName=stream, Records=entries)
    equal(0, put["FailedRecordCount"])
    numbers += [record["SequenceNumber"] for record in put["Records"]]
records, _ = read(shard, "TRIM_HORIZON")
expected = [(every, "first")] + [(entry["Data"], entry["PartitionKey"]) for entry in entries * 2]
equal(expected, [(record["Data"], record["PartitionKey"]) for record in records])
equal(numbers, [record["SequenceNumber"] for record in records])
for record in records:
    recent(record["ApproximateArrivalTimestamp"])

# Each type of iterator.
for count, kind, position in [
    (401, "AT_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[600]}),
    (400, "AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[600]}),
    (0, "LATEST", {}),
    (1001, "AT_TIMESTAMP", {"Timestamp": datetime.now(timezone.utc) - timedelta(hours=1)}),
]:
    equal(count, len(read(shard, kind, **position)[0]))
# boto3 sends whole seconds.
last = records[-1]["ApproximateArrivalTimestamp"].replace(microsecond=0)
since = [record for record in records if record["ApproximateArrivalTimestamp"] >= last]
equal(len(since), len(read(shard, "AT_TIMESTAMP", Timestamp=last)[0]))

# Errors have their types.
record = {"Data": every, "PartitionKey": "k"}
fails("ResourceNotFoundException", "describe_stream_summary", StreamName="missing")
fails("ResourceNotFoundException", "put_record", StreamName="missing", **record)
fails("InvalidArgumentException", "get_records", ShardIterator="AAAA")
later = datetime.now(timezone.utc) + timedelta(hours=1)
place = {"StreamName": stream, "ShardId": shard}
fails("InvalidArgumentException", "get_shard_iterator", ShardIteratorType="AT_TIMESTAMP", Timestamp=later, **place)
# Repeated throttling takes long by default.
other = connect(faulty, Config(retries={"total_max_attempts": 1}))
other.create_stream(StreamName=stream, ShardCount=1)
latest = other.get_shard_iterator(ShardIteratorType="LATEST", **place)["ShardIterator"]
fails("ExpiredIteratorException", "get_records", client=other, ShardIterator=latest)
fails("ProvisionedThroughputExceededException", "put_record", client=other, StreamName=stream, **record)
failed = other.put_records(StreamName=stream, Records=[record])
equal((1, "InternalFailure"), (failed["FailedRecordCount"], failed["Records"][0]["ErrorCode"]))

# Resharding.
middle = str(2**127)
kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=middle)
kinesis.get_waiter("stream_exists").wait(StreamName=stream)
records, children = read(shard, "TRIM_HORIZON")
equal(1001, len(records))
left, right = [child["ShardId"] for child in children]
equal([shard], children[0]["ParentShards"])
kinesis.put_records(
    StreamName=stream,
    Records=[{**record, "ExplicitHashKey": "7"}, {**record, "ExplicitHashKey": middle}],
)
kinesis.merge_shards(StreamName=stream, ShardToMerge=left, AdjacentShardToMerge=right)
kinesis.get_waiter("stream_exists").wait(StreamName=stream)
merged = open_shards()[0]
equal([left, right], [merged["ParentShardId"], merged["AdjacentParentShardId"]])
for child in [left, right]:
    equal(1, len(read(child, "TRIM_HORIZON")[0]))
page = kinesis.list_shards(StreamName=stream, MaxResults=3)
equal(3, len(page["Shards"]))
equal(1, len(kinesis.list_shards(NextToken=page["NextToken"])["Shards"]))

# Enhanced fan-out.
arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="round")["Consumer"]["ConsumerARN"]
while kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] != "ACTIVE":
    pass
fails("ResourceInUseException", "register_stream_consumer", StreamARN=arn, ConsumerName="round")
oldest = {"Type": "TRIM_HORIZON"}
pushed, last = [], None
for event in kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=oldest)["EventStream"]:
    last = event["SubscribeToShardEvent"]
    pushed += last["Records"]
expected = [(record["Data"], record["SequenceNumber"]) for record in records]
equal(expected, [(record["Data"], record["SequenceNumber"]) for record in pushed])
assert "ContinuationSequenceNumber" not in last
equal([left, right], [child["ShardId"] for child in last["ChildShards"]])
fails(
    "ResourceInUseException",
    "subscribe_to_shard",
    ConsumerARN=consumer,
    ShardId=shard,
    StartingPosition=oldest,
)
open_shard = open_shards()[0]["ShardId"]
latest = {"Type": "LATEST"}
live = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=open_shard, StartingPosition=latest)["EventStream"]
number = kinesis.put_record(StreamName=stream, **record)["SequenceNumber"]
event = next(iter(live))["SubscribeToShardEvent"]
equal([number], [record["SequenceNumber"] for record in event["Records"]])
equal(0, event["MillisBehindLatest"])
live.close()
equal(1, len(kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]))
fails("ResourceInUseException", "delete_stream", StreamName=stream)

# Tags.
tags = {"team": "données", "empty": ""}
kinesis.add_tags_to_stream(StreamName=stream, Tags=tags)
found = kinesis.list_tags_for_stream(StreamName=stream)["Tags"]
equal(tags, {tag["Key"]: tag["Value"] for tag in found})
kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["team"])
equal(1, len(kinesis.list_tags_for_stream(StreamName=stream)["Tags"]))
assert stream in kinesis.list_streams()["StreamNames"]

kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
kinesis.get_waiter("stream_not_exists").wait(StreamName=stream)
fails("ResourceNotFoundException", "list_shards", StreamName=stream)
print("passed")
