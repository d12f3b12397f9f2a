"""Creates, writes, splits and reads a stream with boto3, and prints the records read as JSON."""

import json
import sys

import boto3
from botocore.config import Config

url, stream = sys.argv[1:]
kinesis = boto3.client(
    "kinesis",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
    config=Config(retries={"total_max_attempts": 1}),
)


def put(first, last):
    records = [
        {"Data": f"value {n}".encode(), "PartitionKey": f"key {n}"}
        for n in range(first, last)
    ]
    answer = kinesis.put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0


kinesis.create_stream(StreamName=stream, ShardCount=2)
kinesis.get_waiter("stream_exists").wait(StreamName=stream)
put(0, 300)
parent = kinesis.list_shards(StreamName=stream)["Shards"][0]
low = int(parent["HashKeyRange"]["StartingHashKey"])
high = int(parent["HashKeyRange"]["EndingHashKey"])
kinesis.split_shard(
    StreamName=stream,
    ShardToSplit=parent["ShardId"],
    NewStartingHashKey=str((low + high) // 2 + 1),
)
put(300, 600)

shards = kinesis.list_shards(StreamName=stream)["Shards"]
read = []
children = []
for shard in shards:
    place = kinesis.get_shard_iterator(
        StreamName=stream,
        ShardId=shard["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]
    while place:
        page = kinesis.get_records(ShardIterator=place, Limit=100)
        for record in page["Records"]:
            read.append(
                [
                    shard["ShardId"],
                    record["SequenceNumber"],
                    record["PartitionKey"],
                    record["Data"].decode(),
                    round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
                ]
            )
        children += [child["ShardId"] for child in page.get("ChildShards", [])]
        place = page.get("NextShardIterator")
        if page["MillisBehindLatest"] == 0 and not page["Records"]:
            break
print(json.dumps({"shards": len(shards), "children": children, "read": read}))
