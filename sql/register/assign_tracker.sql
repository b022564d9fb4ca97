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
    {{ bind("reported_id") }} as REPORTED_ID,
    {{ bind("since") }}::timestamp_ntz as FROM_TIME,
    {{ bind("until") }}::timestamp_ntz as UNTIL_TIME,
    {{ bind("truck_id") }} as TRUCK_ID,
    sysdate() as DECIDED_AT,
    {{ bind("decided_by") }} as DECIDED_BY,
    {{ bind("reason") }} as REASON
where
    not exists (
        select 1
        from TRACKER_ASSIGNMENTS
        where
            TRACKER_ASSIGNMENTS.REPORTED_ID = {{ bind("reported_id") }}
            and TRACKER_ASSIGNMENTS.FROM_TIME = {{ bind("since") }}::timestamp_ntz
            and TRACKER_ASSIGNMENTS.UNTIL_TIME = {{ bind("until") }}::timestamp_ntz
            and TRACKER_ASSIGNMENTS.TRUCK_ID = {{ bind("truck_id") }}
    );
