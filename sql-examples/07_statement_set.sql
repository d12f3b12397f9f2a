-- One read of a stream with three outputs: an archive, alarms, and counts per minute. Run it:
--
--   kinesis-sql --embedded -f sql-examples/07_statement_set.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the four streams are created, and cost money
-- until they are deleted.

CREATE EXTERNAL TABLE readings
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');

CREATE EXTERNAL TABLE archive
STORED AS "aws-kinesis" LOCATION 'archive' OPTIONS ('kinesis.createStream' 'true');

CREATE EXTERNAL TABLE alarms
STORED AS "aws-kinesis" LOCATION 'alarms' OPTIONS ('kinesis.createStream' 'true');

CREATE EXTERNAL TABLE counts
STORED AS "aws-kinesis" LOCATION 'counts' OPTIONS ('kinesis.createStream' 'true');

INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '{"ts": "2026-11-20T10:00:05Z", "degrees": 200}'),
  ('oven',   '{"ts": "2026-11-20T10:00:35Z", "degrees": 320}'),
  ('boiler', '{"ts": "2026-11-20T10:00:40Z", "degrees": 70}'),
  ('oven',   '{"ts": "2026-11-20T10:01:10Z", "degrees": 230}'),
  ('boiler', '{"ts": "2026-11-20T10:01:20Z", "degrees": 74}'),
  ('oven',   '{"ts": "2026-11-20T10:02:05Z", "degrees": 310}'),
  ('boiler', '{"ts": "2026-11-20T10:02:10Z", "degrees": 71}');

CREATE UNBOUNDED EXTERNAL TABLE live (ts TIMESTAMP(3), degrees DOUBLE)
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON',
         'kinesis.extraColumns' 'partitionKey');

SET streaming.trigger = 'available now';

-- The query has one checkpoint: a batch is committed when all outputs have it.
SET streaming.checkpoint_location = 'memory://example07';

EXECUTE STATEMENT SET BEGIN
  INSERT INTO archive (partitionKey, data)
  SELECT "partitionKey", concat_ws(' ', to_char(ts, '%H:%M:%S'), degrees) FROM live;

  INSERT INTO alarms (partitionKey, data)
  SELECT "partitionKey", concat(degrees, ' degrees at ', to_char(ts, '%H:%M:%S'))
  FROM live WHERE degrees > 300;

  -- A minute is returned once, when a reading is 5 seconds past its end.
  SET streaming.watermark_delay = '5 seconds';
  INSERT INTO counts (partitionKey, data)
  SELECT to_char(window_start, '%H:%M'), CAST(count(*) AS VARCHAR)
  FROM live GROUP BY tumble(ts, INTERVAL '1 minute');
END;

-- The minute of 10:02 is not over yet.
INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '{"ts": "2026-11-20T10:03:06Z", "degrees": 201}'),
  ('boiler', '{"ts": "2026-11-20T10:03:07Z", "degrees": 72}');

-- The next run goes on where the last one ended, with its windows.
EXECUTE STATEMENT SET BEGIN
  INSERT INTO archive (partitionKey, data)
  SELECT "partitionKey", concat_ws(' ', to_char(ts, '%H:%M:%S'), degrees) FROM live;

  INSERT INTO alarms (partitionKey, data)
  SELECT "partitionKey", concat(degrees, ' degrees at ', to_char(ts, '%H:%M:%S'))
  FROM live WHERE degrees > 300;

  SET streaming.watermark_delay = '5 seconds';
  INSERT INTO counts (partitionKey, data)
  SELECT to_char(window_start, '%H:%M'), CAST(count(*) AS VARCHAR)
  FROM live GROUP BY tumble(ts, INTERVAL '1 minute');
END;

SELECT count(*) AS archived FROM archive;
SELECT partitionKey AS device, CAST(data AS VARCHAR) AS alarm FROM alarms ORDER BY alarm;
SELECT partitionKey AS minute, CAST(data AS VARCHAR) AS readings FROM counts ORDER BY minute;
