-- Makes a session the writer, if nobody is.  One row is inserted or updated, or none: somebody is.
merge into WRITERS as W
using (select {{ bind("writer") }} as WRITER) as S
    on W.WRITER = S.WRITER
when matched and W.SESSION_ID is null then
    update set
        SESSION_ID = {{ bind("session") }},
        HELD_BY = {{ bind("owner") }},
        TAKEN_AT = sysdate()
when not matched then
    insert (WRITER, SESSION_ID, HELD_BY, TAKEN_AT)
    values (S.WRITER, {{ bind("session") }}, {{ bind("owner") }}, sysdate());
