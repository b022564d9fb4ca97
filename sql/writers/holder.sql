-- Who writes now; no row: nobody does.
select
    SESSION_ID,
    HELD_BY,
    TAKEN_AT
from WRITERS
where WRITER = {{ bind("writer") }} and SESSION_ID is not null;
