import static software.amazon.awssdk.services.kinesis.model.ShardIteratorType.AFTER_SEQUENCE_NUMBER;
import static software.amazon.awssdk.services.kinesis.model.ShardIteratorType.AT_SEQUENCE_NUMBER;
import static software.amazon.awssdk.services.kinesis.model.ShardIteratorType.AT_TIMESTAMP;
import static software.amazon.awssdk.services.kinesis.model.ShardIteratorType.LATEST;
import static software.amazon.awssdk.services.kinesis.model.ShardIteratorType.TRIM_HORIZON;

import java.lang.reflect.Proxy;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.*;

/**
 * Uses each operation of a stream with the AWS SDK for Java, with its default settings, and checks the answers: first
 * with the synchronous client, then with the asynchronous one.
 *
 * <p>Arguments: a prefix for the names of streams, an endpoint whose GetRecords says that the iterator has expired, whose
 * PutRecord is throttled, and whose PutRecords fails each entry; and the endpoints for all else.
 */
public final class Round {
    private static final Consumer<ClientOverrideConfiguration.Builder> DEFAULT = config -> {};
    /** Retrying what is always throttled takes long. */
    private static final Consumer<ClientOverrideConfiguration.Builder> AT_ONCE =
            config -> config.retryStrategy(AwsRetryStrategy.doNotRetry());

    private final KinesisClient kinesis;
    private final KinesisClient faulty;
    /** Only asynchronous clients subscribe. */
    private final KinesisAsyncClient subscriber;
    private final String stream;

    private Round(KinesisClient kinesis, KinesisClient faulty, KinesisAsyncClient subscriber, String stream) {
        this.kinesis = kinesis;
        this.faulty = faulty;
        this.subscriber = subscriber;
        this.stream = stream;
    }

    public static void main(String[] arguments) throws Exception {
        String faulty = arguments[1];
        for (int at = 2; at < arguments.length; at++) {
            String endpoint = arguments[at];
            String stream = arguments[0] + "-" + at;
            KinesisAsyncClient async = async(endpoint, DEFAULT);
            new Round(sync(endpoint, DEFAULT), sync(faulty, AT_ONCE), async, stream + "-sync").pass();
            new Round(awaited(async), awaited(async(faulty, AT_ONCE)), async, stream + "-async").pass();
        }
        System.out.println("passed");
        System.exit(0);
    }

    private static <B extends AwsClientBuilder<B, C>, C> C connect(
            B builder, String endpoint, Consumer<ClientOverrideConfiguration.Builder> config) {
        return builder.overrideConfiguration(config)
                .endpointOverride(URI.create(endpoint))
                .region(Region.EU_WEST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("key", "secret")))
                .build();
    }

    private static KinesisClient sync(String endpoint, Consumer<ClientOverrideConfiguration.Builder> config) {
        return connect(KinesisClient.builder(), endpoint, config);
    }

    private static KinesisAsyncClient async(String endpoint, Consumer<ClientOverrideConfiguration.Builder> config) {
        return connect(KinesisAsyncClient.builder(), endpoint, config);
    }

    /** An asynchronous client, each of whose answers is awaited. */
    private static KinesisClient awaited(KinesisAsyncClient client) {
        return (KinesisClient) Proxy.newProxyInstance(
                Round.class.getClassLoader(), new Class<?>[] {KinesisClient.class}, (proxy, method, arguments) -> {
                    Object answer = KinesisAsyncClient.class
                            .getMethod(method.getName(), method.getParameterTypes())
                            .invoke(client, arguments);
                    try {
                        return ((CompletableFuture<?>) answer).join();
                    } catch (CompletionException error) {
                        throw error.getCause();
                    }
                });
    }

    private static void equal(Object expected, Object found) {
        if (!expected.equals(found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }

    private static void fails(Class<? extends KinesisException> type, String code, Runnable call) {
        try {
            call.run();
        } catch (KinesisException error) {
            equal(type, error.getClass());
            equal(code, error.awsErrorDetails().errorCode());
            equal(false, error.awsErrorDetails().errorMessage().isEmpty());
            return;
        }
        throw new AssertionError("expected " + code + ", found no error");
    }

    private static void fails(Class<? extends KinesisException> type, Runnable call) {
        fails(type, type.getSimpleName(), call);
    }

    private static void recent(Instant time) {
        equal(true, Duration.between(time, Instant.now()).abs().toMinutes() < 10);
    }

    /** The iterator that a request gives. */
    private String iterator(String shard, Consumer<GetShardIteratorRequest.Builder> position) {
        return kinesis.getShardIterator(request -> position.accept(request.streamName(stream).shardId(shard)))
                .shardIterator();
    }

    private List<software.amazon.awssdk.services.kinesis.model.Record> read(
            String shard, Consumer<GetShardIteratorRequest.Builder> position) {
        return read(shard, position, new ArrayList<>());
    }

    /** All records from a position to the tip. Adds the child shards at the end to {@code children}. */
    private List<software.amazon.awssdk.services.kinesis.model.Record> read(
            String shard, Consumer<GetShardIteratorRequest.Builder> position, List<ChildShard> children) {
        List<software.amazon.awssdk.services.kinesis.model.Record> records = new ArrayList<>();
        String next = iterator(shard, position);
        while (next != null) {
            String here = next;
            GetRecordsResponse page = kinesis.getRecords(request -> request.shardIterator(here).limit(300));
            records.addAll(page.records());
            children.addAll(page.childShards());
            next = page.records().isEmpty() && page.millisBehindLatest() == 0 ? null : page.nextShardIterator();
        }
        return records;
    }

    private StreamDescriptionSummary settled() {
        while (true) {
            StreamDescriptionSummary summary =
                    kinesis.describeStreamSummary(request -> request.streamName(stream)).streamDescriptionSummary();
            if (summary.streamStatus() == StreamStatus.ACTIVE) {
                return summary;
            }
        }
    }

    private List<Shard> openShards() {
        return kinesis.listShards(request -> request.streamName(stream)
                        .shardFilter(filter -> filter.type(ShardFilterType.AT_LATEST)))
                .shards();
    }

    private static PutRecordsRequestEntry entry(String key, SdkBytes data, String hash) {
        return PutRecordsRequestEntry.builder().partitionKey(key).data(data).explicitHashKey(hash).build();
    }

    private void pass() {
        kinesis.createStream(request -> request.streamName(stream).shardCount(1));
        StreamDescriptionSummary summary = settled();
        equal(1, summary.openShardCount());
        equal(24, summary.retentionPeriodHours());
        recent(summary.streamCreationTimestamp());
        fails(ResourceInUseException.class, () -> kinesis.createStream(
                request -> request.streamName(stream).shardCount(1)));
        String shard = openShards().get(0).shardId();
        checkRecords(shard);
        checkErrors(shard);
        checkResharding(shard);
        checkFanOut(shard);
        checkTags();
        kinesis.deleteStream(request -> request.streamName(stream).enforceConsumerDeletion(true));
        fails(ResourceNotFoundException.class, () -> kinesis.listShards(request -> request.streamName(stream)));
    }

    private static SdkBytes allBytes() {
        byte[] bytes = new byte[256];
        for (int at = 0; at < bytes.length; at++) {
            bytes[at] = (byte) at;
        }
        return SdkBytes.fromByteArray(bytes);
    }

    private void checkRecords(String shard) {
        List<PutRecordsRequestEntry> entries = new ArrayList<>();
        entries.add(entry("bytes", allBytes(), "7"));
        entries.add(entry("Größe 漢字 🦀", SdkBytes.fromByteArray(new byte[0]), null));
        for (int number = 2; number < 500; number++) {
            entries.add(entry("key " + number, SdkBytes.fromUtf8String("value " + number), null));
        }
        List<PutRecordsRequestEntry> expected = new ArrayList<>(List.of(entry("first", allBytes(), null)));
        PutRecordResponse first = kinesis.putRecord(
                request -> request.streamName(stream).partitionKey("first").data(allBytes()));
        equal(shard, first.shardId());
        List<String> numbers = new ArrayList<>(List.of(first.sequenceNumber()));
        for (int put = 0; put < 2; put++) {
            PutRecordsResponse answer = kinesis.putRecords(request -> request.streamName(stream).records(entries));
            equal(0, answer.failedRecordCount());
            answer.records().forEach(record -> numbers.add(record.sequenceNumber()));
            expected.addAll(entries);
        }

        var records = read(shard, from -> from.shardIteratorType(TRIM_HORIZON));
        equal(1_001, records.size());
        for (int at = 0; at < records.size(); at++) {
            equal(expected.get(at).data(), records.get(at).data());
            equal(expected.get(at).partitionKey(), records.get(at).partitionKey());
            equal(numbers.get(at), records.get(at).sequenceNumber());
            recent(records.get(at).approximateArrivalTimestamp());
        }

        String number = numbers.get(600);
        equal(401, read(shard, from -> from.shardIteratorType(AT_SEQUENCE_NUMBER).startingSequenceNumber(number)).size());
        equal(400, read(shard, from -> from.shardIteratorType(AFTER_SEQUENCE_NUMBER).startingSequenceNumber(number))
                .size());
        equal(0, read(shard, from -> from.shardIteratorType(LATEST)).size());
        Instant before = Instant.now().minusSeconds(3_600);
        equal(1_001, read(shard, from -> from.shardIteratorType(AT_TIMESTAMP).timestamp(before)).size());
        Instant last = records.get(1_000).approximateArrivalTimestamp();
        long since = records.stream().filter(record -> !record.approximateArrivalTimestamp().isBefore(last)).count();
        equal(since, (long) read(shard, from -> from.shardIteratorType(AT_TIMESTAMP).timestamp(last)).size());
    }

    private void checkErrors(String shard) {
        fails(ResourceNotFoundException.class, () -> kinesis.describeStreamSummary(
                request -> request.streamName("missing")));
        fails(ResourceNotFoundException.class, () -> kinesis.putRecord(
                request -> request.streamName("missing").partitionKey("k").data(allBytes())));
        fails(InvalidArgumentException.class, () -> kinesis.getRecords(request -> request.shardIterator("AAAA")));
        Instant later = Instant.now().plusSeconds(3_600);
        fails(InvalidArgumentException.class, () -> iterator(
                shard, from -> from.shardIteratorType(AT_TIMESTAMP).timestamp(later)));
        fails(ValidationException.class, () -> kinesis.putRecord(
                request -> request.streamName(stream).partitionKey("").data(allBytes())));

        faulty.createStream(request -> request.streamName(stream).shardCount(1));
        String place = faulty.getShardIterator(
                        request -> request.streamName(stream).shardId(shard).shardIteratorType(LATEST))
                .shardIterator();
        fails(ExpiredIteratorException.class, () -> faulty.getRecords(request -> request.shardIterator(place)));
        fails(ProvisionedThroughputExceededException.class, () -> faulty.putRecord(
                request -> request.streamName(stream).partitionKey("k").data(allBytes())));
        PutRecordsResponse failed =
                faulty.putRecords(request -> request.streamName(stream).records(entry("k", allBytes(), null)));
        equal(1, failed.failedRecordCount());
        equal("InternalFailure", failed.records().get(0).errorCode());
    }

    private void checkResharding(String shard) {
        String middle = java.math.BigInteger.TWO.pow(127).toString();
        kinesis.splitShard(request -> request.streamName(stream).shardToSplit(shard).newStartingHashKey(middle));
        settled();
        List<ChildShard> children = new ArrayList<>();
        equal(1_001, read(shard, from -> from.shardIteratorType(TRIM_HORIZON), children).size());
        equal(2, children.size());
        equal(List.of(shard), children.get(0).parentShards());
        equal(middle, children.get(1).hashKeyRange().startingHashKey());
        String left = children.get(0).shardId();
        String right = children.get(1).shardId();
        kinesis.putRecords(request -> request.streamName(stream)
                .records(entry("k", allBytes(), "7"), entry("k", allBytes(), middle)));
        kinesis.mergeShards(request -> request.streamName(stream).shardToMerge(left).adjacentShardToMerge(right));
        settled();
        Shard merged = openShards().get(0);
        equal(List.of(left, right), List.of(merged.parentShardId(), merged.adjacentParentShardId()));
        for (String child : List.of(left, right)) {
            equal(1, read(child, from -> from.shardIteratorType(TRIM_HORIZON)).size());
        }
        ListShardsResponse page = kinesis.listShards(request -> request.streamName(stream).maxResults(3));
        equal(3, page.shards().size());
        equal(1, kinesis.listShards(request -> request.nextToken(page.nextToken())).shards().size());
    }

    private void checkFanOut(String shard) {
        String arn = settled().streamARN();
        String consumer = kinesis.registerStreamConsumer(request -> request.streamARN(arn).consumerName("round"))
                .consumer()
                .consumerARN();
        ConsumerDescription described;
        do {
            described = kinesis.describeStreamConsumer(request -> request.consumerARN(consumer)).consumerDescription();
        } while (described.consumerStatus() != ConsumerStatus.ACTIVE);
        recent(described.consumerCreationTimestamp());

        List<SubscribeToShardEvent> events = subscribe(consumer, shard);
        List<software.amazon.awssdk.services.kinesis.model.Record> pushed = new ArrayList<>();
        events.forEach(event -> pushed.addAll(event.records()));
        equal(read(shard, from -> from.shardIteratorType(TRIM_HORIZON)), pushed);
        SubscribeToShardEvent last = events.get(events.size() - 1);
        equal(true, last.continuationSequenceNumber() == null);
        equal(List.of(shard), last.childShards().get(1).parentShards());

        fails(ResourceInUseException.class, () -> subscribe(consumer, shard));
        kinesis.deregisterStreamConsumer(request -> request.consumerARN(consumer));
    }

    /** All events of a subscription from the oldest record on. */
    private List<SubscribeToShardEvent> subscribe(String consumer, String shard) {
        List<SubscribeToShardEvent> events = Collections.synchronizedList(new ArrayList<>());
        var visitor = SubscribeToShardResponseHandler.Visitor.builder()
                .onSubscribeToShardEvent(events::add)
                .build();
        var handler = SubscribeToShardResponseHandler.builder().subscriber(visitor).build();
        try {
            subscriber
                    .subscribeToShard(
                            request -> request.consumerARN(consumer)
                                    .shardId(shard)
                                    .startingPosition(from -> from.type(TRIM_HORIZON)),
                            handler)
                    .join();
        } catch (CompletionException error) {
            throw (KinesisException) error.getCause();
        }
        return events;
    }

    private void checkTags() {
        Map<String, String> tags = Map.of("team", "données", "empty", "");
        kinesis.addTagsToStream(request -> request.streamName(stream).tags(tags));
        Map<String, String> found = new HashMap<>();
        kinesis.listTagsForStream(request -> request.streamName(stream))
                .tags()
                .forEach(tag -> found.put(tag.key(), tag.value()));
        equal(tags, found);
        kinesis.removeTagsFromStream(request -> request.streamName(stream).tagKeys("team"));
        equal(1, kinesis.listTagsForStream(request -> request.streamName(stream)).tags().size());
        equal(true, kinesis.listStreams().streamNames().contains(stream));
    }
}
