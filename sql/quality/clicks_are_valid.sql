-- name: clicks_are_valid
-- severity: fail
-- owner: data-platform
-- meaning: A recent click in DynamoDB breaks the contract. The sample names its key and the fields.
-- action: Find out what else writes to ClickStreamData beside KinesisToDynamoDBProcessor, or which
--   limit of the contract (include/contracts/click.py) was narrowed.
-- reads: recent_clicks
-- runbook: clicks-are-wrong
with CHECKED as (
    select
        STORED_TIMESTAMP,
        ITEM_ID,
        ''
        || iff(
            {{ is_canonical_time("CLICK_TIME") }}
            and STORED_TIMESTAMP = CLICK_TIME || coalesce('#' || EVENT_ID, ''),
            '',
            ' Timestamp'
        )
        || iff(
            EVENT_ID is null or {{ is_id("EVENT_ID", limits.event_id_length) }}, '', ' Event_ID'
        )
        || iff({{ is_id("ITEM_ID", limits.item_id_length) }}, '', ' Item_ID')
        || iff({{ is_text("ITEM_NAME", limits.item_name_length) }}, '', ' Item_Name')
        || iff(
            CLICK_COUNTS between 0 and {{ limits.click_counts }}
            and CLICK_COUNTS = floor(CLICK_COUNTS),
            '',
            ' Click_Counts'
        )
        || iff(
            try_cast(CLICK_TIME as timestamp_ntz)
            > dateadd(
                'minute',
                {{ limits.clock_skew_minutes }},
                try_cast(ARRIVAL_TIME as timestamp_ntz)
            ),
            ' from the future',
            ''
        ) as PROBLEMS
    from STAGED_RECENT_CLICKS
)

select STORED_TIMESTAMP || ' ' || ITEM_ID || PROBLEMS as SAMPLE_KEY
from CHECKED
where PROBLEMS <> '';
