-- Averages per minute of event time. The result of each minute is returned once, when the minute is over
-- and late records have had some time to arrive. Run it:
--
--   kinesis-sql --embedded -f sql-examples/04_tumbling_windows.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the two streams are created, and cost money
-- until they are deleted.

-- Readings contain their time: time,device,degrees. They arrive slightly out of order.
CREATE EXTERNAL TABLE readings
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');

CREATE EXTERNAL TABLE averages
STORED AS "aws-kinesis" LOCATION 'averages'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '2026-11-20T10:00:05Z,oven,200'),
  ('oven',   '2026-11-20T10:00:35Z,oven,220'),
  ('boiler', '2026-11-20T10:00:40Z,boiler,70'),
  ('oven',   '2026-11-20T10:01:10Z,oven,230'),
  ('boiler', '2026-11-20T10:01:20Z,boiler,74');

CREATE UNBOUNDED EXTERNAL TABLE readings_as_they_come
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- A reading may arrive 30 seconds late: a minute is closed and returned when the latest reading is
-- 30 seconds past its end. This is the watermark.
SET streaming.watermark_delay = '30 seconds';

-- Return each minute once, when it is closed.
SET streaming.output_mode = 'append';

SET streaming.trigger = 'available now';

SET streaming.checkpoint_location = 'memory://example04';

-- No reading is 30 seconds past 10:01:00 yet, so no minute is returned.
INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

SELECT count(*) AS minutes FROM averages;

-- One reading of 10:00 arrives late, but not too late. The others are far past the end of that minute.
INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '2026-11-20T10:00:55Z,oven,240'),
  ('oven',   '2026-11-20T10:02:35Z,oven,228'),
  ('boiler', '2026-11-20T10:02:40Z,boiler,72');

INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

-- 10:00 and 10:01 are closed. A reading of 10:00 that arrives now is too late: it is dropped, and counted
-- in the progress of the query.
INSERT INTO readings (partitionKey, data) VALUES
  ('oven', '2026-11-20T10:00:59Z,oven,999'),
  ('oven', '2026-11-20T10:04:00Z,oven,210');

INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

-- Each minute of a device was written once: its start, the number of readings, and their average.
SELECT partitionKey AS device, CAST(data AS VARCHAR) AS minute
FROM averages
ORDER BY device, minute;
