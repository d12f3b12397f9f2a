-- Two more kinds of windows: hopping windows, which overlap, and session windows, which last as long as
-- there is activity. Run it:
--
--   kinesis-sql --embedded -f sql-examples/05_hopping_and_session_windows.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the streams are created, and cost money
-- until they are deleted.

-- Clicks contain their time and visitor: time,visitor.
CREATE EXTERNAL TABLE clicks
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');

CREATE EXTERNAL TABLE per_minute
STORED AS "aws-kinesis" LOCATION 'per_minute'
OPTIONS ('kinesis.createStream' 'true');

CREATE EXTERNAL TABLE visits
STORED AS "aws-kinesis" LOCATION 'visits'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO clicks (partitionKey, data) VALUES
  ('ada', '2026-11-20T10:00:05Z,ada'),
  ('bob', '2026-11-20T10:00:20Z,bob'),
  ('ada', '2026-11-20T10:00:50Z,ada'),
  ('ada', '2026-11-20T10:01:30Z,ada'),
  ('bob', '2026-11-20T10:09:00Z,bob'),
  ('ada', '2026-11-20T10:30:00Z,ada'),
  ('bob', '2026-11-20T10:30:00Z,bob');

CREATE UNBOUNDED EXTERNAL TABLE clicks_as_they_come
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- A click may arrive 10 seconds late.
SET streaming.watermark_delay = '10 seconds';

SET streaming.output_mode = 'append';

SET streaming.trigger = 'available now';

-- Hopping windows: every 30 seconds, the clicks of the last minute. Each click is in two windows; it is
-- counted once, and the counts are combined.
SET streaming.checkpoint_location = 'memory://example05/hop';

INSERT INTO per_minute (partitionKey, data)
SELECT to_char(window_end, '%H:%M:%S'), CAST(count(*) AS VARCHAR)
FROM (SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts FROM clicks_as_they_come)
GROUP BY hop(ts, INTERVAL '30 seconds', INTERVAL '1 minute');

-- The last clicks keep the watermark at 10:29:50, so later windows are not returned yet.
SELECT partitionKey AS minute_to, CAST(data AS VARCHAR) AS clicks
FROM per_minute
ORDER BY minute_to;

-- Session windows: the clicks of a visitor with at most five minutes between consecutive clicks.
SET streaming.checkpoint_location = 'memory://example05/session';

INSERT INTO visits (partitionKey, data)
SELECT visitor, concat_ws(' ', to_char(window_start, '%H:%M:%S'), to_char(window_end, '%H:%M:%S'), count(*))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS visitor
  FROM clicks_as_they_come)
GROUP BY session(ts, INTERVAL '5 minutes'), visitor;

-- From the first click to five minutes after the last one, with the number of clicks.
SELECT partitionKey AS visitor, CAST(data AS VARCHAR) AS visit
FROM visits
ORDER BY visitor, visit;
