"""The page Pipeline health as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import access, data
from include import names
from include.contracts.envelope import Envelope
from include.contracts.quarantine import Attempt, Quarantined
from tests.unit.dashboard.pages import DOWN, metrics, raising, run

SNOWFLAKE = (
    "table_freshness", "pipe_status", "delays", "merge_runs", "ledger", "quality_results", "quality_history",
    "load_history", "alerts",
)  # fmt: skip

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


def opened(part: str) -> AppTest:
    """The page with one of its parts open."""
    page = run("pipeline_health")
    page.segmented_control[0].set_value(part).run()
    assert not page.exception
    return page


def test_each_store_has_its_own_age(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "newest_click", lambda: now - timedelta(seconds=2))
    monkeypatch.setattr(data, "newest_landing", lambda: now - timedelta(minutes=5))
    page = run("pipeline_health")
    shown = metrics(page)
    assert (shown["Clicks"], shown["Landing"], shown["History"]) == ("2 s", "5 min", "–")
    assert "Newest record in any store **2 s ago**" in page.markdown[0].value


def test_pipeline_health_without_snowflake_still_shows_the_rest(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    for name in SNOWFLAKE:
        monkeypatch.setattr(data, name, raising(DOWN))
    monkeypatch.setattr(data, "newest_click", lambda: now)
    page = opened("Quarantine")
    assert "No record was quarantined" in page.success[0].value
    page.segmented_control[0].set_value("Flow").run()
    assert not page.exception
    assert len(page.error) == 1
    shown = metrics(page)
    assert (shown["Clicks"], shown["Files pending"]) == ("0 s", "–")
    # RAW, the history and the pipe.
    assert sum(" unknown]" in markdown.value for markdown in page.markdown) == 3


def test_nothing_is_called_empty_that_could_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = data.StoreUnavailableError(data.SETTINGS, "missing setting CTD_DEPLOYMENT_BUCKET", "Set it.")
    for name in ("newest_click", "newest_landing", "quarantine"):
        monkeypatch.setattr(data, name, raising(unset))
    page = run("pipeline_health")
    assert sum(" unknown]" in markdown.value for markdown in page.markdown) == 2
    assert not any("Every store is empty" in info.value for info in page.info)
    assert "CTD_DEPLOYMENT_BUCKET" in page.error[0].value
    page.segmented_control[0].set_value("Quarantine").run()
    assert not page.success
    assert "CTD_DEPLOYMENT_BUCKET" in page.error[0].value


def test_failures_and_warnings_are_told_apart(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    results = pd.DataFrame(
        [("a", "fail", "pass"), ("b", "warn", "fail"), ("c", "fail", "fail"), ("d", "warn", "error")],
        columns=["rule", "severity", "status"],
    ).assign(failed_count=0, samples="[]", message="", checked_at=pd.Timestamp(now), failing_since=pd.NaT, run_id="r")
    monkeypatch.setattr(data, "quality_results", lambda: results)
    page = opened("Quality")
    shown = metrics(page)
    assert (shown["Rules passed"], shown["Failures"], shown["Warnings"]) == ("1 of 4", "2", "1")
    table = next(frame.value for frame in page.dataframe if "result" in frame.value)
    assert list(table["result"]) == ["✕ fail", "! error", "▲ warn", "✓ pass"]


def test_a_rule_that_fails_says_since_when_what_to_do_and_where_to_look(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    since = pd.Timestamp(now - timedelta(minutes=12))
    common = {"severity": "fail", "run_id": "r", "checked_at": pd.Timestamp(now), "failing_since": since}
    results = pd.DataFrame(
        [
            {"rule": "versions_meet", "status": "fail", "failed_count": 25, "message": "It does not end."}
            | {"samples": '["TRK001 *a*", "TRK002 b"]'},
            {"rule": "gone", "status": "error", "failed_count": None, "message": "no *table*", "samples": "[]"},
        ]
    ).assign(**common)
    monkeypatch.setattr(data, "quality_results", lambda: results)
    page = opened("Quality")
    said = "\n".join(markdown.value for markdown in page.markdown)
    for part in (
        f"**`versions_meet`** · severity `fail` · failing for **12 min**, since {since:%Y-%m-%d %H:%M:%S} UTC",
        "**What to do:** Run the DAG repair_history for the truck",
        "Runbook `docs/runbooks/data_quality.md#the-history-is-wrong`, rule `sql/quality/versions_meet.sql`",
        "**`gone`**",
    ):
        assert part in said
    assert "It does not end." in [text.value for text in page.text]
    assert [code.value for code in page.code] == ["no *table*", "TRK001 *a*\nTRK002 b"]
    assert "25 violations, including:" in [caption.value for caption in page.caption]


def test_the_ledgers_hours_are_summed_up_and_an_open_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    counts = dict.fromkeys(
        ("landed", "duplicates", "quarantined", "resolved", "conflicts", "covered", "waiting", "overdue"), 0
    )
    hours = [
        {"is_open": True, "balanced": False, "missing": 9},
        {"is_open": False, "balanced": False, "missing": 2, "uncovered": 3},
        {"is_open": False, "balanced": True},
    ]
    rows = pd.DataFrame(
        [{**counts, "archived": 1000, "missing": 0, "unexpected": 0, "uncovered": 0, **hour} for hour in hours]
    ).assign(
        stream_name="ClickDataStream",
        arrival_hour=pd.Timestamp(now),
        details="{}",
        checked_at=pd.Timestamp(now),
        run_id="r",
    )
    monkeypatch.setattr(data, "ledger", lambda hours: rows)
    page = opened("Ledger")
    shown = metrics(page)
    assert (shown["Balanced hours"], shown["Differences"]) == ("1 of 2", "5")
    assert (shown["Records archived"], shown["Last counted"]) == ("3,000", "0 s ago")
    table = next(frame.value for frame in page.dataframe if "differences" in frame.value)
    assert list(table["result"]) == ["… open", "✕ differs", "✓ balanced"]
    assert list(table["differences"]) == ["9 missing", "2 missing, 3 uncovered", ""]
    page.segmented_control[1].set_value("Hours that differ").run()
    table = next(frame.value for frame in page.dataframe if "differences" in frame.value)
    assert list(table["result"]) == ["✕ differs"]


def test_an_empty_pipeline_says_what_to_do() -> None:
    page = run("pipeline_health")
    said = " ".join(info.value for info in page.info)
    for part in ("Merge runs", "Ledger", "Quality", "Loads"):
        page.segmented_control[0].set_value(part).run()
        said += " ".join(info.value for info in page.info)
    for words in (
        "Every store is empty", "No reading arrived", "scd2_merge", "reconcile", "data_quality", "monitor_snowpipe",
    ):  # fmt: skip
        assert words in said


def test_a_hidden_part_asks_nothing(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    asked: list[str] = []
    parts = ("merge_runs", "ledger", "quality_results", "quality_history", "alerts", "load_history", "quarantine")
    flow = ("stream_lags", "stream_mappings", "pipe_status", "delays")
    for name in (*parts, *flow):
        answer = getattr(data, name)
        monkeypatch.setattr(data, name, lambda *_, name=name, answer=answer: asked.append(name) or answer())
    page = run("pipeline_health")
    # The first run of a session opened the start page.
    asked.clear()
    page.run()
    assert set(asked) == set(flow)
    asked.clear()
    page.segmented_control[0].set_value("Loads").run()
    assert asked == ["load_history"]


def test_the_flow_says_how_far_behind_each_step_is(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    minute = pd.Timestamp(now).floor("min")
    lags = pd.DataFrame(
        [
            (names.TRUCK_STREAM, data.RECEIVED, minute - pd.Timedelta(minutes=1), 1.0),
            (names.TRUCK_STREAM, data.RECEIVED, minute, 130.0),
            (names.TRUCK_STREAM, data.DURABLE, minute, 140.0),
        ],
        columns=["stream", "kind", "minute", "seconds"],
    )
    problem = "PROBLEM: Function *call* failed"
    mappings = [
        data.StreamMapping(names.CLICK_STREAM, names.CLICK_FUNCTION, "Disabled", "", None),
        data.StreamMapping(names.TRUCK_STREAM, names.TRUCK_FUNCTION, "Enabled", problem, None),
    ]
    steps = [f"{step}_{figure}" for step in ("sent", "loaded", "merged", "total") for figure in ("p50", "p95")]
    slices = pd.DataFrame([dict.fromkeys(steps, 2.0) | {"merged_p50": None, "merged_p95": None, "total_p95": 75.0}])
    slices = slices.assign(slice_start=minute, readings=10, merged_readings=4)
    pipe = data.PipeStatus("RUNNING", 3, now - timedelta(minutes=11), now, now - timedelta(minutes=12), "")
    answers = {"stream_lags": lags, "stream_mappings": mappings, "delays": slices, "pipe_status": pipe}
    for name, answer in answers.items():
        monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)
    page = run("pipeline_health")
    assert [metric.value for metric in page.metric if metric.label == "Behind"] == ["–", "2 min"]
    shown = metrics(page)
    assert (shown["Files pending"], shown["Truck to stream, p95"]) == ("3", "2.0 s")
    assert (shown["RAW to history, p95"], shown["Stream to history, p95"]) == ("–", "75 s")
    badges = " ".join(markdown.value for markdown in page.markdown)
    for words in ("no measurement now", "mapping disabled]", "late]", "delivery fails]", "files wait too long]"):
        assert words in badges
    said = " ".join(caption.value for caption in page.caption)
    assert "Until a batch is durable: 2 min, measured 20 s ago" in said
    assert f"`{problem}`" in said
    assert "does not have 6 of them yet" in said


def quarantined(now: datetime, count: int) -> data.QuarantineCounts:
    """The answer for ``count`` records, the newest first."""
    hour = pd.Timestamp(now).floor("h")
    keys = [f"quarantine/TruckTelemetry/2026/11/22/14/shardId-0-{number}.json" for number in range(count, 0, -1)]
    records = pd.DataFrame({"key": keys}).assign(
        stream=names.TRUCK_STREAM, hour=hour, reason="not_json", written=pd.Timestamp(now), size=300
    )
    frame = pd.DataFrame(
        [(names.TRUCK_STREAM, hour, "not_json", count)], columns=["stream", "hour", "reason", "records"]
    )
    return data.QuarantineCounts(frame, count, 0, records)


def test_a_quarantined_record_is_read_when_it_is_opened_and_shown_as_sent(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setenv("CTD_AIRFLOW_URL", "https://airflow.example/")
    envelope = Envelope(names.TRUCK_STREAM, "shardId-0", "120", "2026-11-22T14:05:30.250000", "TRK001")
    attempt = Attempt("2026-11-22T14:20:00.000000", "somebody", "still_invalid")
    record = Quarantined(
        reason="not_json", field=None, value=None, rule="must be *JSON*", envelope=envelope,
        payload=b"\xf3 ![x](https://host.example/p.png)\n", function=names.TRUCK_FUNCTION, history=(attempt,),
    )  # fmt: skip
    read: list[str] = []
    monkeypatch.setattr(data, "quarantine", lambda hours: quarantined(now, 120))
    monkeypatch.setattr(
        data, "quarantine_object", lambda key: read.append(key) or data.QuarantineObject(key, 300, b"", record)
    )
    page = opened("Quarantine")
    assert "1 to 50 of 120." in [caption.value for caption in page.caption]
    page.selectbox(key="page").set_value("3").run()
    assert "101 to 120 of 120." in [caption.value for caption in page.caption]
    assert read == []
    key = "quarantine/TruckTelemetry/2026/11/22/14/shardId-0-20.json"
    page.selectbox(key="record").set_value(key).run()
    assert not page.exception
    assert read == [key]
    sent, dump, command = [code.value for code in page.code]
    assert sent == "<0xF3> ![x](https://host.example/p.png)<U+000A>"
    assert dump.startswith("00000000  f3 20 21 5b 78 5d")
    assert command == (
        "python -m include.replay --stream=TruckTelemetry --reason=not_json --from=2026-11-22T14:05:30.250000 "
        "--to=2026-11-22T14:05:30.250001 --execute"
    )
    assert "must be *JSON*" in [text.value for text in page.text]
    assert page.get("link_button")[0].proto.url == "https://airflow.example/dags/replay"
    # Newer records push it off the page.
    monkeypatch.setattr(data, "quarantine", lambda hours: quarantined(now, 300))
    page.run()
    assert page.code[2].value == command
    monkeypatch.setattr(access, "is_operator", lambda: False)
    page.run()
    assert metrics(page)["Quarantined"] == "300"
    assert (list(page.code), list(page.get("link_button")), len(read)) == ([], [], 2)


def test_counts_of_an_hour_that_was_cut_off_say_so(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    answer = quarantined(now, 5_000)
    monkeypatch.setattr(data, "quarantine", lambda hours: answer)
    page = opened("Quarantine")
    assert metrics(page)["Quarantined"] == "5,000"
    assert not any("objects" in caption.value for caption in page.caption)
    clicks = answer.frame.assign(stream=names.CLICK_STREAM, records=3)
    both = answer._replace(
        frame=pd.concat([answer.frame, clicks], ignore_index=True), listed=5_003, cut_off=(names.TRUCK_STREAM,)
    )
    monkeypatch.setattr(data, "quarantine", lambda hours: both)
    page.run()
    shown = metrics(page)
    assert (shown["Quarantined"], shown["`TruckTelemetry`"], shown["`ClickDataStream`"]) == ("5,003+", "5,000+", "3")
    assert any("`TruckTelemetry` with more than 5,000 objects" in caption.value for caption in page.caption)


def test_records_that_were_not_read_are_said_to_be_counted_without_their_reason(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(data, "quarantine", lambda hours: quarantined(now, 603)._replace(unread=103))
    captions = [caption.value for caption in opened("Quarantine").caption]
    assert (
        "The reasons are those of the newest 500 records; of a large batch, only the first records are among them. "
        "The other 103 are counted as “not read”."
    ) in captions


def test_an_alert_that_nobody_got_yet_is_announced_and_a_device_can_not_format_it(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    page = opened("Alerts")
    assert "No check had anything to report" in page.success[0].value
    minute = timedelta(minutes=1)
    alerts = pd.DataFrame(
        {
            "stored_at": pd.to_datetime([now - 7 * minute, now - 9 * minute], utc=True),
            "sent_at": pd.to_datetime([pd.NaT, now - 8 * minute], utc=True),
            "state": ["failed", "recovered"],
            "severity": ["error", "warning"],
            "headline": ["data_quality: TRK\u202e1 jumps", "reconcile: hours balance"],
            "message": ["all of it", "all of it"],
            "sent_to": ['["pager"]', '["aws_default", "pager"]'],
        }
    )
    monkeypatch.setattr(data, "alerts", lambda hours: alerts)
    page.run()
    assert page.warning[0].value.startswith("**1 alert has not been sent yet**, the oldest for 7 min.")
    shown = page.dataframe[0].value
    assert list(shown["sent"]) == ["not yet", "after 1 min"]
    assert list(shown["channels"]) == ["pager", "aws_default, pager"]
    assert shown["headline"].iloc[0] == "data_quality: TRK<U+202E>1 jumps"


def test_links_to_airflow_need_the_setting(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    runs = pd.DataFrame({"run_id": ["manual__1+2", "repair: manual__2"]}).assign(
        started_at=pd.Timestamp(now), finished_at=pd.Timestamp(now), rows_inserted=1, rows_updated=0, rows_deleted=0
    )
    monkeypatch.setattr(data, "merge_runs", lambda: runs)
    monkeypatch.setenv("CTD_AIRFLOW_URL", "https://airflow.example/")
    page = opened("Merge runs")
    assert list(page.dataframe[0].value["link"]) == [
        "https://airflow.example/dags/scd2_merge/runs/manual__1%2B2",
        "https://airflow.example/dags/repair_history/runs/manual__2",
    ]
    monkeypatch.delenv("CTD_AIRFLOW_URL")
    page.run()
    assert page.dataframe[0].value["link"].isna().all()
