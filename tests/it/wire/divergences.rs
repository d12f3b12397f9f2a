//! Known differences of kinesis-local 0.6.2 and kinesalite 3.3.3 from the AWS documentation.

/// Server, check, and difference.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "kinesis-local",
        "a_closed_shard_cannot_be_split",
        "the code is ResourceInUseException",
    ),
    (
        "kinesis-local",
        "a_number_of_another_stream_is_refused",
        "the code is ResourceNotFoundException",
    ),
    (
        "kinesis-local",
        "an_iterator_that_was_not_given_out_is_refused",
        "answers 500 without a code",
    ),
    (
        "kinesis-local",
        "an_unknown_operation_is_named_as_such",
        "the code is AccessDeniedException",
    ),
    (
        "kinesis-local",
        "filters_by_time_give_the_shards_of_that_time",
        "AT_TRIM_HORIZON gives all shards",
    ),
    (
        "kinesis-local",
        "keys_go_by_md5_and_explicit_hash_keys_go_before",
        "two shards meet one hash key below the middle",
    ),
    (
        "kinesis-local",
        "more_than_five_hundred_entries_are_refused",
        "takes 501 entries",
    ),
    (
        "kinesis-local",
        "more_than_ten_mebibytes_are_refused",
        "takes 11 MB",
    ),
    (
        "kinesalite",
        "a_closed_shard_cannot_be_split",
        "takes it, and the stream stays UPDATING for good",
    ),
    (
        "kinesalite",
        "a_page_has_at_most_ten_mebibytes",
        "gives 12 MB in one page",
    ),
    (
        "kinesalite",
        "a_page_token_and_a_stream_name_do_not_go_together",
        "MaxResults is ignored, so there is no token",
    ),
    (
        "kinesalite",
        "a_stream_can_be_set_up_for_larger_records",
        "no UpdateMaxRecordSize",
    ),
    (
        "kinesalite",
        "a_summary_describes_the_stream",
        "no StreamModeDetails",
    ),
    (
        "kinesalite",
        "a_timestamp_past_the_last_record_waits_at_the_tip",
        "never answers",
    ),
    (
        "kinesalite",
        "an_on_demand_stream_begins_with_four_shards",
        "no on-demand streams",
    ),
    (
        "kinesalite",
        "every_call_takes_an_arn",
        "most calls want StreamName",
    ),
    (
        "kinesalite",
        "filters_by_time_give_the_shards_of_that_time",
        "ShardFilter is ignored",
    ),
    (
        "kinesalite",
        "filters_tell_open_shards_from_closed_ones",
        "ShardFilter is ignored",
    ),
    (
        "kinesalite",
        "retention_can_be_changed_between_a_day_and_a_year",
        "at most 168 hours",
    ),
    (
        "kinesalite",
        "scaling_above_double_is_refused",
        "no UpdateShardCount",
    ),
    (
        "kinesalite",
        "scaling_up_and_down_keeps_the_lineage",
        "no UpdateShardCount",
    ),
    (
        "kinesalite",
        "shards_are_listed_in_pages",
        "MaxResults is ignored",
    ),
    (
        "kinesalite",
        "six_mebibytes_in_one_put_are_taken",
        "at most 5 MiB",
    ),
    (
        "kinesalite",
        "the_lag_is_zero_only_at_the_tip",
        "MillisBehindLatest is always 0",
    ),
    (
        "kinesalite",
        "the_last_page_of_a_closed_shard_names_its_children",
        "no ChildShards",
    ),
];

/// The known difference of `server` in `check`.
pub(super) fn known(server: &str, check: &str) -> Option<&'static str> {
    let of = |known: &&(&str, &str, &'static str)| (known.0, known.1) == (server, check);
    KNOWN.iter().find(of).map(|known| known.2)
}
