-- Counts the words of a stream as they come, and writes each count that has changed into another stream.
--
--   kinesis-sql --embedded -f sql-examples/03_streaming_word_count.sql
--
-- runs it against an in-memory Kinesis in the same process. Against AWS: leave out --embedded, have
-- credentials and a region in the environment, and mind that the two streams are created (and cost
-- money until they are deleted).

-- A stream of lines, and one for the counts.
CREATE EXTERNAL TABLE lines
STORED AS "aws-kinesis" LOCATION 'lines'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4');

CREATE EXTERNAL TABLE word_counts
STORED AS "aws-kinesis" LOCATION 'word_counts'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO lines (partitionKey, data)
VALUES ('1', 'the quick brown fox'), ('2', 'jumps over'), ('3', 'the lazy dog');

-- The stream of lines once more, as one that does not end, from its oldest record on.
CREATE UNBOUNDED EXTERNAL TABLE lines_as_they_come
STORED AS "aws-kinesis" LOCATION 'lines'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- The counts are kept from batch to batch. Output mode 'update' gives those that a batch has changed.
SET streaming.output_mode = 'update';

-- The query reads what is there now and ends. Without this it goes on until Ctrl-C.
SET streaming.trigger = 'available now';

-- Where the query keeps how far it has read, and its counts. This place lasts as long as the process;
-- one that stays is file:///var/lib/word_counts, or an object store.
SET streaming.checkpoint_location = 'memory://example03';

INSERT INTO word_counts (partitionKey, data)
SELECT word, CAST(count(*) AS VARCHAR)
FROM (SELECT unnest(string_to_array(CAST(data AS VARCHAR), ' ')) AS word FROM lines_as_they_come)
GROUP BY word;

-- More lines come in while no query runs.
INSERT INTO lines (partitionKey, data)
VALUES ('4', 'the fox sleeps'), ('5', 'over and over');

-- The same query again, with the same checkpoint: it goes on counting where it was.
INSERT INTO word_counts (partitionKey, data)
SELECT word, CAST(count(*) AS VARCHAR)
FROM (SELECT unnest(string_to_array(CAST(data AS VARCHAR), ' ')) AS word FROM lines_as_they_come)
GROUP BY word;

-- The stream of counts holds each change; the last one of a word is its count.
SELECT partitionKey AS word, count(*) AS changes, max(CAST(CAST(data AS VARCHAR) AS INT)) AS count
FROM word_counts
GROUP BY word
ORDER BY count DESC, word;
