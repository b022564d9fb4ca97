"""Every store is recreated from raw-archive/ alone."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from include import names
from include.archive import probe
from include.aws_clients import StoreClients
from include.contracts.quarantine import decode_all, encode
from include.ledger import hours_between, reconcile
from include.rebuild.__main__ import main
from tests.fixtures.aggregates import aggregate
from tests.fixtures.deployment import CODE_BUCKET, Bundles
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
TABLES = {
    names.CLICK_TABLE: ("Timestamp", "Item_ID"),
    names.CLICK_ITEM_TABLE: ("Item_ID",),
    names.TRUCK_STATE_TABLE: ("Truck_ID",),
}


def click(number: int, **changes: Any) -> tuple[str, bytes]:
    at = (START + timedelta(seconds=number)).isoformat()
    event = {"Item_ID": f"MOB{number % 3:03}", "Item_Name": "Mobile", "Timestamp": at, "Click_Counts": number}
    return f"key-{number % 3}", json.dumps(event | changes).encode()


def reading(number: int, **changes: Any) -> tuple[str, bytes]:
    at = (START + timedelta(seconds=number // 3)).isoformat()
    event = {"truck_id": f"TRK{number % 3:03}", "timestamp": at, "vehicle_speed": number // 6, "fuel_level": 50.5}
    return event["truck_id"], json.dumps(event | changes).encode()


def stores(pipeline: Any) -> dict[str, Any]:
    """The content of every store, without LOAD_TIMESTAMP, Ingested_At and the boundaries of files and objects."""
    lines = [json.loads(line) for body in pipeline.bodies(names.LANDING_PREFIX).values() for line in _lines(body)]
    columns = [row[0] for row in pipeline.query(f"describe table {names.RAW_TABLE}")]
    when_or_where = {"LOAD_TIMESTAMP", "FILE_NAME", "FILE_ROW_NUMBER"}
    raw = ", ".join(column for column in columns if column not in when_or_where)
    history = ", ".join(
        row[0] for row in pipeline.query(f"describe table {names.HISTORY_TABLE}") if row[0] != "LOAD_TIMESTAMP"
    )
    return {
        **{
            table: sorted(map(_values, pipeline.rows(table)), key=lambda row, key=key: [row[name] for name in key])
            for table, key in TABLES.items()
        },
        "landing": sorted({json.dumps(line, sort_keys=True) for line in lines}),
        "raw": sorted(pipeline.query(f"select distinct {raw} from {names.RAW_TABLE}"), key=repr),
        "history": sorted(pipeline.query(f"select {history} from {names.HISTORY_TABLE}"), key=repr),
        "quarantine": sorted(
            {encode(each) for body in pipeline.bodies(names.QUARANTINE_PREFIX).values() for each in decode_all(body)}
        ),
    }


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers as Decimals: MiniStack keeps 66.0 from PutItem but returns 66 for PartiQL; DynamoDB always returns 66."""
    return {name: TypeDeserializer().deserialize(value) for name, value in row.items() if name != "Ingested_At"}


def _lines(body: bytes) -> list[bytes]:
    return gzip.decompress(body).splitlines()


def wipe(pipeline: Any, bundles: Bundles) -> None:
    """Empty every store except the archive and quarantine-resolved/."""
    dynamodb = pipeline.client("dynamodb")
    for table, key in TABLES.items():
        for row in pipeline.rows(table):
            dynamodb.delete_item(TableName=table, Key={name: row[name] for name in key})
    for prefix in (names.LANDING_PREFIX, names.QUARANTINE_PREFIX):
        for object_key in pipeline.keys(prefix):
            pipeline.s3.delete_object(Bucket=pipeline.bucket, Key=object_key)
    pipeline.query(f"truncate table {names.RAW_TABLE}")
    pipeline.query(f"truncate table {names.HISTORY_TABLE}")
    # Running containers remember the items that they have written.  On AWS any change of the function ends them; on
    # MiniStack only new code does.
    code = f"lambda/{bundles('kinesis_to_dynamodb').name}"
    pipeline.client("lambda").update_function_code(FunctionName=names.CLICK_FUNCTION, S3Bucket=CODE_BUCKET, S3Key=code)
    # A pipe does not load a file again if it knows the name (docs/rebuild.md).
    pipeline.query(f"drop pipe {names.PIPE}")
    pipeline.run_sql("ddl/060_pipe.sql")


def rebuild(pipeline: Any, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["--bucket", pipeline.bucket, *options]) == 0
    return capsys.readouterr().out


@pytest.mark.verify
def test_from_the_archive_alone_every_store_is_what_it_was(pipeline, bundles, capsys, tmp_path: Path):
    pipeline.send(names.CLICK_STREAM, *map(click, range(300)), click(7), click(9))
    # Twenty clicks of one item and instant, one of them sent again.
    pipeline.send(names.CLICK_STREAM, *(click(12, Event_ID=str(number)) for number in (*range(20), 5)))
    pipeline.send(names.CLICK_STREAM, ("key-0", b""), ("key-1", b"\xff\x00"), click(3, Click_Counts=-1))
    pipeline.wait_until_delivered()
    # It was in a batch of its own; the rebuild puts it into another.
    pipeline.send(names.CLICK_STREAM, click(11))
    pipeline.send(names.TRUCK_STREAM, *map(reading, range(200)), reading(17))
    pipeline.send(names.TRUCK_STREAM, *map(reading, range(400, 200, -1)), ("TRK000", b"{"), ("TRK001", b""))
    pipeline.send(names.TRUCK_STREAM, reading(30, vehicle_speed=150), reading(31, gps_location={"latitude": 91}))
    # As the KPL sends them: three clicks of which one was there; twelve readings, one of them corrected, and an invalid
    # record; a broken aggregate in each stream; and an aggregate within another.
    aggregated = [*(reading(number)[1] for number in range(401, 413)), reading(412, vehicle_speed=99)[1], b"{"]
    pipeline.send(names.CLICK_STREAM, ("a", aggregate([click(number)[1] for number in (300, 7, 301)])))
    pipeline.send(names.CLICK_STREAM, ("a", aggregate([click(302)[1]])[:-1]))
    pipeline.send(names.TRUCK_STREAM, ("a", aggregate(aggregated)), ("a", aggregate(aggregated)[:-1]))
    pipeline.send(names.TRUCK_STREAM, ("a", aggregate([aggregate(aggregated), reading(413)[1]])))
    pipeline.wait_until_delivered()
    pipeline.run_sql("ops/rebuild_history.sql")
    before = stores(pipeline)
    assert ledger(pipeline) == {
        (names.CLICK_STREAM, "balanced"): 331,
        (names.TRUCK_STREAM, "balanced"): 422,
    }
    assert {name: len(held) for name, held in before.items()} == {
        names.CLICK_TABLE: 322,
        names.CLICK_ITEM_TABLE: 3,
        names.TRUCK_STATE_TABLE: 3,
        "landing": 416,
        "raw": 416,
        "history": len(before["history"]),
        "quarantine": 10,
    }
    assert len(before["history"]) > 50
    speed = f"select VEHICLE_SPEED from {names.HISTORY_TABLE} where IS_CURRENT order by TRUCK_ID"
    assert pipeline.query(speed) == [(68.0,), (99.0,), (68.0,)]

    pipeline.deliveries["event_source_mapping"].stop()
    probe.send(pipeline.client("kinesis"), names.CLICK_STREAM, datetime.now(UTC))
    wait_for(lambda: "probe" in _archived_keys(pipeline, names.CLICK_STREAM), "the probe in the archive")
    wipe(pipeline, bundles)
    progress = tmp_path / "progress.json"
    printed = rebuild(pipeline, capsys, "--progress", str(progress))
    assert "ClickDataStream: 331 records processed" in printed
    assert "1 probes" in printed
    pipeline.wait_until_loaded()
    pipeline.run_sql("ops/rebuild_history.sql")
    assert stores(pipeline) == before
    assert ledger(pipeline)[names.TRUCK_STREAM, "balanced"] == 422

    # Again: finished hours are skipped, and processing them again doubles nothing.
    printed = rebuild(pipeline, capsys, "--progress", str(progress))
    assert "ClickDataStream: 0 records processed" in printed
    rebuild(pipeline, capsys, "--stream", names.TRUCK_STREAM, "--shards-at-once", "1")
    pipeline.wait_until_loaded()
    pipeline.run_sql("ops/rebuild_history.sql")
    assert stores(pipeline) == before


def ledger(pipeline: Any) -> Counter[tuple[str, str]]:
    """(stream, how its hours balance) -> archived records."""
    clients = StoreClients(pipeline.s3, pipeline.client("dynamodb"))
    hours = hours_between(START - timedelta(hours=1), datetime.now(UTC))
    found: Counter[tuple[str, str]] = Counter()
    for each in reconcile(clients, pipeline.connection, pipeline.bucket, hours):
        found[each.stream, "balanced" if each.balanced else str(each.samples)] += each.archived
    return found


def _archived_keys(pipeline: Any, stream: str) -> str:
    bodies = pipeline.bodies(f"{names.ARCHIVE_PREFIX}{stream}/").values()
    return " ".join(json.loads(line)["partition_key"] for body in bodies for line in _lines(body))
