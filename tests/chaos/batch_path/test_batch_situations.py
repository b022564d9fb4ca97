"""One situation a test: the fault, then what production does about it, then the whole path is checked."""

import gzip
import resource
from contextlib import contextmanager
from datetime import timedelta

import pytest
from snowflake.connector.errors import Error as SnowflakeError

from include import names, sql
from include.aws_clients import reprocessing_clients
from include.rebuild import RebuildPlan, rebuild
from tests.fixtures.batch_path import BUCKET, LANDING
from tests.fixtures.fault_proxy import Fault, first
from tests.fixtures.waiting import wait_for

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.verify,
    # The connector's own timer thread can't reach a killed server to cancel a statement, and says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

LOADING = ("announced", "files_read", "rows_inserted", "loaded", "load_committed")
MERGING = ("merge_begins", "merged", "stream_consumed", "merge_committed")
# How a statement that merges the history begins.
MERGE = f"merge into {names.HISTORY_TABLE}"


def history(path):
    return path.query(f"select * from {names.HISTORY_TABLE} order by TRUCK_ID, EFFECTIVE_START_DATE")


def not_loaded(path):
    """The landing objects that the ledger misses in RAW."""
    missing = [text for balance in path.ledger() for text in balance.samples.get("missing", [])]
    return {text.partition(" is not loaded")[0] for text in missing if "is not loaded" in text}


def raw_rows(path):
    return path.query(f"select count(*) from {names.RAW_TABLE}")[0][0]


def land_and_merge(path, fleet, count=40):
    """Readings that are history already; their landing objects."""
    keys = path.land(fleet.records(count))
    path.settle()
    path.tasks.merge()
    return keys


def test_nothing_goes_wrong(path, fleet):
    for _ in range(3):
        land_and_merge(path, fleet)
    assert path.tasks.monitor() == ""
    path.check()


# --- Notifications ----------------------------------------------------------------------------------------------------


def test_notifications_duplicated_and_reordered(path, fleet):
    with path.notifications_held():
        path.land(fleet.records(80))
        bodies = path.held()
    often = [body for body in bodies for _ in range(3)]
    fleet.random.shuffle(often)
    path.deliver(often)
    path.check()
    rows = raw_rows(path)
    # Some come again when all is loaded and merged.
    path.deliver(fleet.random.sample(bodies, 3))
    path.check()
    assert raw_rows(path) == rows


def test_notifications_lost(path, fleet):
    land_and_merge(path, fleet)
    path.tasks.monitor()
    with path.notifications_held():
        keys = path.land(fleet.records(60))
        path.deliver(path.held()[:1])
    known = wait_for(lambda: {load["key"] for load in path.loads()} & set(keys), "the file of which Snowpipe knows")
    path.tasks.merge()
    # To Snowpipe all is well: nothing waits that it was told of.  The ledger has what it does not know, and names it.
    assert path.tasks.monitor() == ""
    assert not_loaded(path) == set(keys) - known
    assert path.refresh() & set(keys) == set(keys) - known
    path.check()


# --- Files ------------------------------------------------------------------------------------------------------------


def test_a_truncated_file_and_one_with_a_bad_line(path, fleet):
    path.tasks.monitor()
    with path.notifications_held():
        truncated, bad_line, good, *_ = path.land(fleet.records(60))
        bodies = path.held()
        mended = {truncated: path.cut(truncated), bad_line: path.body(bad_line)}
        lines = gzip.decompress(mended[bad_line]).decode().splitlines()
        path.put(bad_line, [*lines[:2], lines[2][: len(lines[2]) // 2], *lines[3:]])
        path.bad.add(bad_line)
        path.deliver(bodies)
    path.settle()
    # Skipped whole, the readable lines too.
    rows = path.query(f"select distinct FILE_NAME from {names.RAW_TABLE}")
    assert {truncated, bad_line, good} & {key for (key,) in rows} == {good}
    loads = {load["key"]: load for load in path.loads()}
    assert loads[bad_line]["line"] == 3
    assert "decompression" in loads[truncated]["error"]
    alert = path.tasks.monitor()
    assert alert.count("load error: ") == 2
    assert truncated.removeprefix(LANDING) in alert
    assert "first in line 3" in alert
    for key, body in mended.items():
        path.put_bytes(key.replace(".json.gz", "-mended.json.gz"), body)
    path.check()
    assert path.tasks.monitor() == ""


def test_schema_drift(path, fleet):
    path.tasks.monitor()
    with path.notifications_held():
        new, missing, text, changed, required, *_ = path.land(fleet.records(90), batch_size=8)
        bodies = path.held()
        lines = {key: path.lines(key) for key in (new, missing, text, changed, required)}
        path.put(new, [line | {"tread_depth": 7.5, "nested": {"a": [1]}} for line in lines[new]])
        nulls = [name for name, value in lines[missing][0].items() if value is None]
        path.put(missing, [{n: v for n, v in line.items() if v is not None} for line in lines[missing]])
        path.put(text, [_with_numbers_as_text(line) for line in lines[text]])
        path.put(changed, [*lines[changed][:-1], lines[changed][-1] | {"vehicle_speed": "fast"}])
        path.put(required, [{n: v for n, v in line.items() if n != "arrival_time"} for line in lines[required]])
        path.bad |= {changed, required}
        path.deliver(bodies)
    path.settle()
    assert nulls
    alert = path.tasks.monitor()
    assert alert.count("load error: ") == 2
    assert f"first in line {len(lines[changed])}: " in alert
    assert '"fast"' in alert
    assert "ARRIVAL_TIME" in alert
    for key in (changed, required):
        path.put(key.replace(".json.gz", "-mended.json.gz"), lines[key])
    path.check()


def _with_numbers_as_text(line):
    return {name: str(value) if isinstance(value, float) else value for name, value in line.items()}


def test_a_retry_overwrites_its_own_object(path, fleet):
    records = fleet.records(40)
    path.land(records)
    path.check()
    rows = raw_rows(path)
    assert path.process(records) == []
    path.check()
    assert raw_rows(path) == rows


def test_a_backfill_of_hours_already_merged(path, fleet):
    land_and_merge(path, fleet)
    path.check()
    before, rows = history(path), raw_rows(path)
    clients = reprocessing_clients(lambda service, config: path.emulator.client(service))
    rebuild(clients, BUCKET, RebuildPlan(streams=(names.TRUCK_STREAM,)))
    path.check()
    # The same readings in files cut anew: RAW holds them twice, the history does not know.
    assert raw_rows(path) > rows
    assert history(path) == before


# --- The pipe ---------------------------------------------------------------------------------------------------------


def test_a_pipe_created_anew_loads_old_files_again(path, fleet):
    land_and_merge(path, fleet)
    path.check()
    before, rows = history(path), raw_rows(path)
    path.query(f"drop pipe {names.PIPE}")
    between = path.land(fleet.records(20))
    path.run("ddl/060_pipe.sql")
    path.pipes += 1
    assert path.refresh() >= set(between)
    path.run("ddl/090_roles.sql")
    path.check()
    assert raw_rows(path) > 2 * rows
    assert [row for row in history(path) if row[0] not in fleet.trucks] == [
        row for row in before if row[0] not in fleet.trucks
    ]


def test_a_pipe_paused_for_a_while(path, fleet):
    path.query(f"alter pipe {names.PIPE} set pipe_execution_paused = true")
    path.land(fleet.records(40))
    assert "is PAUSED" in path.tasks.monitor()
    path.tasks.merge()
    path.query(f"alter pipe {names.PIPE} set pipe_execution_paused = false")
    path.check()


# --- The server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", LOADING)
def test_the_server_killed_while_it_loads(path, fleet, moment):
    path.server.die_at(moment)
    path.land(fleet.records(40))
    path.server.wait_until_dead()
    path.restart_server()
    path.check()


@pytest.mark.parametrize("moment", MERGING)
def test_the_server_killed_while_it_merges(path, fleet, moment):
    land_and_merge(path, fleet, 20)
    path.land(fleet.records(40))
    path.settle()
    path.server.die_at(moment)
    with path.tasks.merging() as merge:
        path.server.wait_until_dead()
        path.restart_server()
    # The task failed, and was tried again.
    assert len(merge.result()) == 1
    path.check()


def test_the_server_killed_between_merge_and_commit(path, fleet):
    path.land(fleet.records(40))
    path.settle()
    connection = path.connect(autocommit=False)
    try:
        (earliest,) = connection.cursor().execute(sql.render("merge/earliest_reading.sql")).fetchone()
        merge = sql.render("merge/truck_telemetry_scd2.sql")
        changed = connection.cursor().execute(merge, {"earliest": earliest}).fetchone()
        assert sum(changed)
        path.server.kill()
    finally:
        # Nobody is there to say goodbye to.
        connection.close(retry=False)
    path.restart_server()
    assert path.query(f"select count(*) > 0 from {names.RAW_STREAM}") == [(True,)]
    path.check()


def test_an_answer_lost_after_the_merge_was_committed(path, fleet):
    path.land(fleet.records(40))
    path.settle()
    path.sql_proxy.set(first(1, Fault.LOST_ANSWER, "query-request", target=MERGE))
    assert path.tasks.merge() == []
    assert path.sql_proxy.met(Fault.LOST_ANSWER) == 1
    # The connector sent the same request again and got the first one's answer: a second MERGE would have found nothing.
    last = f"select ROWS_INSERTED from {names.MERGE_RUNS_TABLE} order by FINISHED_AT desc limit 1"
    assert path.query(last)[0][0] > 0
    path.check()


def test_a_full_disk(path, fleet):
    path.land(fleet.records(40))
    path.settle()
    with disk_full_for(path.server.process):
        with pytest.raises(SnowflakeError, match="Could not write"):
            path.tasks.merge()
        path.land(fleet.records(40))
        wait_for(lambda: "Snowpipe can't receive notifications" in path.server.log.read_text(), "Snowpipe to notice")
    path.check()


@contextmanager
def disk_full_for(process):
    """No file of the process can grow."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))


# --- The task ---------------------------------------------------------------------------------------------------------


def watch_merges(path):
    """The MERGEs that tasks send from now on, in a list that grows."""
    sent = []
    path.sql_proxy.set(lambda call: sent.append(call) if MERGE in call.target else None)
    return sent


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.SILENT_AFTER], ids=["before_it_runs", "after_its_commit"])
def test_a_task_killed_while_it_waits_for_the_merge(path, fleet, fault):
    path.land(fleet.records(40))
    path.settle()
    path.sql_proxy.set(first(1, fault, "query-request", target=MERGE))
    with path.tasks.merge_process():
        wait_for(lambda: path.sql_proxy.met(fault), "the task to wait for its MERGE")
    with path.tasks.merge_process(try_number=2) as retry:
        retry.join(timeout=60)
        assert retry.exitcode == 0
    path.check()


def test_a_task_killed_while_the_server_merges(path, fleet):
    path.land(fleet.records(40))
    path.settle()
    sent = watch_merges(path)
    with path.server.held_at("merged") as wait_until_merged:
        with path.tasks.merge_process():
            wait_until_merged()
        # Nobody waits for that merge any more; it goes on, and the next try comes while it does.
        with path.tasks.merging():
            wait_for(lambda: len(sent) == 2, "the second MERGE to be on its way")
            path.server.disarm()
    path.check()


def test_two_merges_at_once(path, fleet):
    land_and_merge(path, fleet)
    path.land(fleet.records(40))
    path.settle()
    sent = watch_merges(path)
    with path.server.held_at("stream_consumed") as wait_until_consumed, path.tasks.merging() as one:
        wait_until_consumed()
        # Snowpipe is not held up, and loads what the second one finds.
        path.land(fleet.records(40))
        path.settle()
        with path.tasks.merging() as other:
            wait_for(lambda: len(sent) == 2, "the second MERGE to be on its way")
            path.server.disarm()
    assert (one.result(), other.result()) == ([], [])
    path.check()


def test_rows_that_come_between_the_stream_and_the_merge(path, fleet):
    path.land(fleet.records(40))
    path.settle()
    with path.server.held_at("merge_begins") as wait_until_begun, path.tasks.merging():
        wait_until_begun()
        path.land(fleet.records(40))
        path.settle()
        path.server.disarm()
    path.check()


# --- Clocks -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back(path, fleet):
    records = fleet.records(60)
    path.land(records[:40])
    path.check()
    offset = f"select SYSTEM$STREAM_GET_TABLE_TIMESTAMP('{names.RAW_STREAM}')"
    before = path.query(offset)
    path.server.clock_behind = timedelta(hours=2)
    path.restart_server()
    try:
        path.land(records[40:])
        # Readings that the history holds land again, in other files, and seem to have been loaded earlier.
        path.process(records, batch_size=7)
        path.check()
        # What the trigger of scd2_merge watches goes on all the same.
        assert path.query(offset) > before
    finally:
        path.server.clock_behind = timedelta(0)
        path.restart_server()
    path.land(fleet.records(20))
    path.check()


# --- AWS --------------------------------------------------------------------------------------------------------------


def test_s3_fails_while_files_are_read(path, fleet):
    ways = [Fault.THROTTLED, Fault.RESET, Fault.CUT_ANSWER, Fault.ERROR] * 4
    path.aws_proxy.set(lambda call: ways.pop() if call.operation == "GetObject" and ways else None)
    path.land(fleet.records(40))
    path.check()
    assert len(path.aws_proxy.log) == 16


def test_s3_fails_while_a_refresh_lists_files(path, fleet):
    with path.notifications_held():
        keys = path.land(fleet.records(40))
    path.aws_proxy.set(first(8, Fault.ERROR, "GetObject", target="list-type"))
    with pytest.raises(SnowflakeError, match="stage"):
        path.refresh()
    path.calm_faults()
    assert path.refresh() >= set(keys)
    path.check()


def test_sqs_fails_in_every_way(path, fleet):
    ways = (Fault.THROTTLED, Fault.RESET, Fault.CUT_ANSWER, Fault.ERROR, Fault.LOST_ANSWER)
    path.aws_proxy.set(lambda call: ways[call.number] if "Message" in call.operation and call.number < 5 else None)
    path.land(fleet.records(40))
    path.check()
    assert min(path.aws_proxy.met(way) for way in ways) >= 1
