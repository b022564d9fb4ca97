-- name: states_are_valid
-- severity: fail
-- owner: data-platform
-- meaning: A truck's state in DynamoDB breaks the contract, or lacks the envelope of its record.
--   The sample names the fields.
-- action: Find out what else writes to TruckLatestState beside TruckDataProcessor. The truck's next
--   reading replaces the state, unless its Recency is wrong as well: then delete the item.
-- reads: truck_states
-- runbook: the-stores-disagree
with CHECKED as (
    select
        TRUCK_ID,
        ''
        || iff({{ is_id("TRUCK_ID", limits.truck_id_length) }}, '', ' Truck_ID')
        || iff({{ is_canonical_time("EVENT_TIME") }}, '', ' Event_Time')
        || iff({{ is_canonical_time("INGESTED_AT") }}, '', ' Ingested_At')
        || iff({{ is_canonical_time("ARRIVAL_TIME") }}, '', ' Arrival_Time')
        || iff(STREAM_NAME = '{{ truck_stream }}', '', ' Stream')
        || iff(SHARD_ID <> '', '', ' Shard_ID')
        || iff(SEQUENCE_NUMBER rlike '[0-9]+', '', ' Sequence_Number')
        || iff(coalesce(SUB_SEQUENCE_NUMBER, '1') rlike '[1-9][0-9]*', '', ' Sub_Sequence_Number')
        || iff(
            RECENCY = EVENT_TIME || '#' || ARRIVAL_TIME || '#'
            || lpad(length(SEQUENCE_NUMBER)::string, 3, '0') || SEQUENCE_NUMBER
            || coalesce('#' || lpad(SUB_SEQUENCE_NUMBER, 7, '0'), ''),
            '',
            ' Recency'
        )
        || iff(
            try_cast(EVENT_TIME as timestamp_ntz)
            > dateadd(
                'minute',
                {{ limits.clock_skew_minutes }},
                try_cast(ARRIVAL_TIME as timestamp_ntz)
            ),
            ' from the future',
            ''
        )
        {%- for metric in metrics %}
            || iff({{ is_out_of_range(metric) }}, ' {{ metric.name }}', '')
        {%- endfor %} as PROBLEMS
    from STAGED_TRUCK_STATES
)

select coalesce(TRUCK_ID, '') || PROBLEMS as SAMPLE_KEY
from CHECKED
where PROBLEMS <> '';
