-- Hands the right to write from one session to another.  No row is updated if the former lost it
-- meanwhile.
update WRITERS
set
    SESSION_ID = {{ bind("session") }},
    HELD_BY = {{ bind("owner") }},
    TAKEN_AT = sysdate()
where WRITER = {{ bind("writer") }} and SESSION_ID = {{ bind("former_session") }};
