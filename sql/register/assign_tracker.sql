-- Assigns the readings of a tracker in a period to a truck.
-- Grain and key: REPORTED_ID, FROM_TIME.  Idempotent: the same assignment again adds nothing.
insert into TRACKER_ASSIGNMENTS (
    REPORTED_ID,
    FROM_TIME,
    UNTIL_TIME,
    TRUCK_ID,
    DECIDED_AT,
    DECIDED_BY,
    REASON
)
select
    DECISION.REPORTED_ID,
    DECISION.FROM_TIME,
    DECISION.UNTIL_TIME,
    DECISION.TRUCK_ID,
    sysdate() as DECIDED_AT,
    {{ bind("decided_by") }} as DECIDED_BY,
    {{ bind("reason") }} as REASON
from (
    select
        {{ bind("reported_id") }} as REPORTED_ID,
        {{ bind("since") }}::timestamp_ntz as FROM_TIME,
        {{ bind("until") }}::timestamp_ntz as UNTIL_TIME,
        {{ bind("truck_id") }} as TRUCK_ID
) as DECISION
left join TRACKER_ASSIGNMENTS as MADE
    on
        DECISION.REPORTED_ID = MADE.REPORTED_ID
        and DECISION.FROM_TIME = MADE.FROM_TIME
        and DECISION.UNTIL_TIME = MADE.UNTIL_TIME
        and DECISION.TRUCK_ID = MADE.TRUCK_ID
where MADE.REPORTED_ID is null;
