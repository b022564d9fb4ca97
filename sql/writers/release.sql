-- Nobody writes any more, unless another session does already.
update WRITERS
set SESSION_ID = null
where WRITER = {{ bind("writer") }} and SESSION_ID = {{ bind("session") }};
