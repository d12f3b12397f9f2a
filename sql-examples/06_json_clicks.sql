-- Counts clicks per minute. Clicks and counts are JSON. Clicks that cannot be parsed go to another stream, and
-- one statement repairs them and writes them back. Run it:
--
--   kinesis-sql --embedded -f sql-examples/06_json_clicks.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the three streams are created, and cost money
-- until they are deleted.

-- The stream of clicks, as bytes. One click was cut off, and one record is no JSON at all.
CREATE EXTERNAL TABLE raw_clicks
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');

INSERT INTO raw_clicks (partitionKey, data) VALUES
  ('ada', '{"userId":1,"url":"/start","ts":"2026-11-20T10:00:05Z","geo":{"country":"DE"}}'),
  ('bob', '{"userId":2,"url":"/start","ts":"2026-11-20T10:00:20Z","geo":{"country":"FR"}'),
  ('cat', '{"userId":3,"url":"/start","ts":"2026-11-20T10:00:25Z","geo":{"country":"DE"}}'),
  ('dan', '<html><h1>503 Service Unavailable</h1></html>'),
  ('ada', '{"userId":1,"url":"/price","ts":"2026-11-20T10:00:40Z","geo":{"country":"DE"}}');

-- The stream for documents that cannot be parsed, and what it will have: the document in base64, which a binary
-- column decodes, where it came from, and why it cannot be parsed.
CREATE EXTERNAL TABLE dead_letters ("partitionKey" VARCHAR, reason VARCHAR, data BYTEA)
STORED AS "aws-kinesis" LOCATION 'dead_clicks'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.format' 'json');

-- The clicks as columns.
CREATE UNBOUNDED EXTERNAL TABLE clicks (
  "userId" BIGINT, url VARCHAR, ts TIMESTAMP, geo STRUCT<country VARCHAR>
)
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS (
  'kinesis.format' 'json',
  'kinesis.format.onError' 'dead_letter',
  'kinesis.format.deadLetterStream' 'dead_clicks',
  'kinesis.startingPosition' 'TRIM_HORIZON'
);

-- The counts, which are written as JSON. All counts of a page and country are in the same shard.
CREATE EXTERNAL TABLE counts (minute TIMESTAMP, url VARCHAR, country VARCHAR, clicks BIGINT)
STORED AS "aws-kinesis" LOCATION 'click_counts'
OPTIONS (
  'kinesis.createStream' 'true',
  'kinesis.format' 'json',
  'kinesis.sink.partitionKey' 'url || '' '' || country'
);

-- Return each minute once, when a click is 30 seconds past its end.
SET streaming.output_mode = 'append';

SET streaming.watermark_delay = '30 seconds';

-- The query reads the existing records and ends. Without this setting it runs until Ctrl-C.
SET streaming.trigger = 'available now';

-- The checkpoint, which lasts as long as the process. Use file:///var/lib/counts or an object store to keep it.
SET streaming.checkpoint_location = 'memory://example06';

-- No minute is over yet, but each bad document is found once.
INSERT INTO counts
SELECT window_start, url, geo['country'], count(*)
FROM clicks
GROUP BY tumble(ts, INTERVAL '1 minute'), url, geo['country'];

SELECT "partitionKey", reason, CAST(data AS VARCHAR) AS document
FROM dead_letters
ORDER BY "partitionKey";

-- Write the click that was cut off back to its stream, with what it lacks.
INSERT INTO raw_clicks (partitionKey, data)
SELECT "partitionKey", CAST(data AS VARCHAR) || '}'
FROM dead_letters
WHERE reason LIKE '%EOF%';

-- Later clicks, after which 10:00 is over.
INSERT INTO raw_clicks (partitionKey, data) VALUES
  ('ada', '{"userId":1,"url":"/start","ts":"2026-11-20T10:01:35Z","geo":{"country":"DE"}}'),
  ('bob', '{"userId":2,"url":"/start","ts":"2026-11-20T10:01:40Z","geo":{"country":"FR"}}');

-- The same query again, with the same checkpoint: it reads only the new records.
INSERT INTO counts
SELECT window_start, url, geo['country'], count(*)
FROM clicks
GROUP BY tumble(ts, INTERVAL '1 minute'), url, geo['country'];

-- The repaired click of FR is counted.
SELECT * FROM counts ORDER BY url, country;

-- What other consumers of the stream get.
CREATE EXTERNAL TABLE raw_counts
STORED AS "aws-kinesis" LOCATION 'click_counts';

SELECT partitionKey, CAST(data AS VARCHAR) AS document FROM raw_counts ORDER BY partitionKey;
