"""What a device sent is shown as sent: on no page does Markdown, a link or an image come out of data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import pandas as pd
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Node

from dashboard import as_sent, data
from include.contracts.envelope import Envelope
from include.contracts.quarantine import Attempt, Quarantined
from tests.unit.dashboard.pages import history_answers, raising, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]

HOSTILE = [
    "![evil](https://host.example/p.png)", ":red[evil]", "[evil](javascript:alert(1))", "$evil$", "$$evil$$",
    "<b>evil</b>", "<img src=//host.example/evil.png>", ":material/evil:", ":evil:", "`evil`", "``` evil `:red[x]`",
    "evil`", "**evil**", "evil\n\n# evil", " evil ", "https://host.example/evil", "evil@host.example",
    "evil \u202egnp.exe", "evil \u2028 evil", "\\evil\\", "evil | evil", "&lt;evil&gt;", "",
]  # fmt: skip
EVERYTHING = " ".join(HOSTILE)
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)

# What the browser shows as plain text, or not at all.  It may read every other text of an element as Markdown.
PLAIN = {
    # A map: tooltips are text and not HTML, names are drawn.
    "deck_gl_json_chart.json", "code.code_text", "multiselect.options", "multiselect.raw_values",
    "page_link.query_string", "selectbox.options", "selectbox.raw_value", "text.body", "text_input.id",
    "text_input.value", "vega_lite_chart.spec",
}  # fmt: skip


def texts(message: Message, path: str) -> Iterator[tuple[str, str]]:
    """Each text in a message of Streamlit's protocol, with the path to it."""
    for field, value in message.ListFields():
        name = f"{path}.{field.name}"
        for each in value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]:
            if isinstance(each, str):
                yield name, each
            elif isinstance(each, Message):
                yield from texts(each, name)


def read_as_markdown(app: AppTest) -> list[str]:
    """Every text on the page that the browser may read as Markdown."""
    found: list[str] = []

    def collect(node: Node) -> None:
        proto = getattr(node, "proto", None)
        if isinstance(proto, Message):
            found.extend(text for path, text in texts(proto, node.type) if path not in PLAIN)
        for child in getattr(node, "children", {}).values():
            collect(child)

    collect(app._tree)
    return found


def assert_shown_as_sent(app: AppTest, *shown: str) -> None:
    said = read_as_markdown(app)
    for text in said:
        assert "evil" not in CODE_SPAN.sub("", text), text
    inside = [span[2].replace("\u2060", "") for text in said for span in CODE_SPAN.finditer(text)]
    for text in shown:
        assert any(as_sent.visible(text) in each for each in inside), text


@pytest.mark.parametrize("text", [*HOSTILE, EVERYTHING, "evil\ud83c", "\x00evil", "evil\r\nevil"])
def test_markdown_of_any_text_is_one_code_span_that_shows_it(text: str) -> None:
    written = as_sent.markdown(text)
    if not text:
        assert written == ""
        return
    (span,) = CODE_SPAN.finditer(written)
    assert span[0] == written
    content = span[2]
    stripped = content[1:-1] if content[0] == content[-1] == " " and content.strip() else content
    assert ":material/" not in stripped  # Streamlit rewrites it before it reads Markdown.
    assert stripped.replace("\u2060", "") == as_sent.visible(text)
    written.encode()
    assert "\n" not in written


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Good", "Good"),
        ("a\nb", "a<U+000A>b"),
        ("\x1b[31m", "<U+001B>[31m"),
        ("x\u202ey", "x<U+202E>y"),
        ("\ud83c", "<U+D83C>"),
        (ENGLAND, ENGLAND),
        ("👩\u200d🚒 مرحبا", "👩\u200d🚒 مرحبا"),
    ],
)
def test_what_has_no_shape_is_shown_by_its_number(sent: str, shown: str) -> None:
    assert as_sent.visible(sent) == shown


def test_live_clicks(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    clicks = pd.DataFrame(
        {"time": pd.Timestamp(now), "item_id": HOSTILE, "item_name": HOSTILE, "clicks": 1, "delay": 0.5}
    )
    most = clicks.head(1).assign(item_id=EVERYTHING, item_name=EVERYTHING, clicks=9)
    window = data.ClickWindow(pd.concat([clicks, most], ignore_index=True), now, 3)
    monkeypatch.setattr(data, "clicks", lambda minutes: window)
    assert_shown_as_sent(run("live_clicks"), EVERYTHING)


def test_ranking(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    named = [*HOSTILE, EVERYTHING]
    items = pd.DataFrame({"item_id": named, "item_name": named, "clicks": 1, "events": 1, "clicks_before": 3})
    items.loc[len(named) - 1, ["clicks", "clicks_before"]] = [9, 0]
    bars = pd.DataFrame({"start": pd.Timestamp(now), "end": pd.Timestamp(now), "item_id": named[:7], "clicks": 1})
    sums = data.period_sums()._replace(items=items.astype("object"), over_time=bars)
    monkeypatch.setattr(data, "period_sums", lambda *_: sums)
    assert_shown_as_sent(run("live_clicks", view="ranking"), EVERYTHING)


@pytest.mark.parametrize("typed", ["evil ![evil](x)"])
def test_a_period_that_is_none(typed: str) -> None:
    page = run("live_clicks", view="ranking", period="custom", **{"from": typed, "to": typed})
    assert_shown_as_sent(page, typed)


def hostile_fleet(now: datetime) -> pd.DataFrame:
    statuses = zip(HOSTILE, HOSTILE, HOSTILE[::-1], strict=True)
    return typed(
        [reading(truck, now, brake_status=brakes, transmission_status=other) for truck, brakes, other in statuses]
    )


def test_fleet(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    states = hostile_fleet(now)
    current = states.assign(load_timestamp=now, effective_start_date=now, effective_end_date=pd.NaT, is_current=True)
    track = states.assign(slice_start=pd.Timestamp(now), last_time=pd.Timestamp(now))
    for name, answer in (("truck_states", states), ("current_rows", current), ("tracks", track)):
        monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)
    page = run("fleet")
    assert any(f"▲ {HOSTILE[0]}: brakes: {HOSTILE[0]}" in text.value for text in page.text)
    assert_shown_as_sent(page)
    page.segmented_control[0].set_value("Routes").run()
    assert_shown_as_sent(page, *HOSTILE[:7])
    page.selectbox(key="truck").set_value(HOSTILE[0]).run()
    assert not page.exception
    assert_shown_as_sent(page)
    assert any(text.value == f"▲ brakes: {HOSTILE[0]}" for text in page.text)


def test_maintenance(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    states = hostile_fleet(now)
    findings = pd.DataFrame({"rule": [EVERYTHING], "truck_id": HOSTILE[0], "detail": EVERYTHING})
    monkeypatch.setattr(data, "truck_states", lambda: states)
    monkeypatch.setattr(data, "open_findings", lambda hours: findings)
    page = run("maintenance")
    page.selectbox(key="truck").set_value(HOSTILE[0]).run()
    assert_shown_as_sent(page)
    said = [text.value for text in page.text]
    assert any(f"▲ brakes: {HOSTILE[0]}" in text for text in said)
    assert any(as_sent.visible(EVERYTHING) in text for text in said)


@pytest.mark.parametrize("instant", ["2026-11-22 14:30:15", "1999-01-01", EVERYTHING.replace("\n", " ")])
def test_truck_history(monkeypatch: pytest.MonkeyPatch, now: datetime, instant: str) -> None:
    statuses = {"brake_status": EVERYTHING, "transmission_status": "![evil](x)"}
    versions = typed([version(now, 10, None, **statuses), version(now, 70, 10)]).assign(truck_id=EVERYTHING)
    for name, answer in history_answers(versions).items():
        monkeypatch.setattr(data, name, answer)
    page = run("truck_history")
    page.text_input(key="at").set_value(instant)
    page.segmented_control(key="part").set_value("State and changes").run()
    assert not page.exception
    shown = {"1": EVERYTHING, "!": instant}
    # What differs is in a table, which shows text as it is.
    assert_shown_as_sent(page, *([shown[instant[0]]] if instant[0] in shown else []))


def test_a_truck_without_versions(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "truck_ids", lambda: [EVERYTHING])
    monkeypatch.setattr(data, "history_span", lambda truck: (0, None, None))
    assert_shown_as_sent(run("truck_history"), EVERYTHING)


def test_pipeline_health(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    instant = pd.Timestamp(now)
    results = pd.DataFrame({"rule": ["a", "b"], "status": ["fail", "error"]}).assign(
        rule=EVERYTHING, severity=EVERYTHING, message=EVERYTHING, samples=f'["{HOSTILE[0]}"]', failed_count=2,
        checked_at=instant, failing_since=instant, run_id=EVERYTHING,
    )  # fmt: skip
    quarantined = pd.DataFrame({"stream": HOSTILE, "hour": instant, "reason": HOSTILE, "records": 1})
    counts = dict.fromkeys(
        ("archived", "landed", "duplicates", "quarantined", "resolved", "missing", "unexpected", "conflicts"), 1
    )
    ledger = pd.DataFrame([counts | {"covered": 1, "waiting": 0, "overdue": 0, "uncovered": 0}]).assign(
        stream_name=EVERYTHING, arrival_hour=instant, is_open=False, balanced=False, details=EVERYTHING,
        checked_at=instant, run_id=EVERYTHING,
    )  # fmt: skip
    loads = pd.DataFrame({"file_name": [EVERYTHING], "status": EVERYTHING, "first_error_message": EVERYTHING}).assign(
        loaded_at=instant, row_count=1, row_parsed=1, error_count=1
    )
    runs = pd.DataFrame({"run_id": [EVERYTHING], "started_at": instant, "finished_at": instant}).assign(
        rows_inserted=1, rows_updated=1, rows_deleted=1
    )
    records = pd.DataFrame({"stream": HOSTILE, "reason": HOSTILE, "key": HOSTILE}).assign(
        hour=instant, written=instant, size=1
    )
    envelope = Envelope(EVERYTHING, EVERYTHING, EVERYTHING, "2026-11-22T14:05:30.000000", EVERYTHING)
    record = Quarantined(
        reason=EVERYTHING, field=EVERYTHING, value=EVERYTHING, rule=EVERYTHING, envelope=envelope,
        payload=EVERYTHING.encode(), function=EVERYTHING,
        history=(Attempt("2026-11-22T14:20:00.000000", EVERYTHING, EVERYTHING, EVERYTHING),),
    )  # fmt: skip
    answers = {
        "stream_mappings": [data.StreamMapping("TruckTelemetry", "f", EVERYTHING, EVERYTHING, None)],
        "pipe_status": data.PipeStatus(EVERYTHING, 1, None, None, None, EVERYTHING),
        "quality_results": results,
        "quality_history": results,
        "rule_results": results,
        "quarantine": data.QuarantineCounts(quarantined, len(HOSTILE), 5, records),
        "quarantine_object": data.QuarantineObject(EVERYTHING, 1, b"", record),
        "ledger": ledger,
        "load_history": loads,
        "merge_runs": runs,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)
    page = run("pipeline_health")
    assert_shown_as_sent(page, EVERYTHING)
    for part in ("Merge runs", "Ledger", "Quality", "Loads", "Quarantine"):
        page.segmented_control[0].set_value(part).run()
        if part == "Quality":
            assert [text.value for text in page.text] == [EVERYTHING.strip()]
            page.selectbox(key="rule").select_index(1).run()
        if part == "Quarantine":
            page.selectbox(key="record").select_index(1).run()
        assert not page.exception
        assert_shown_as_sent(page, *([] if part in {"Merge runs", "Loads"} else [EVERYTHING]))


@pytest.mark.parametrize("name", ["live_clicks", "fleet", "truck_history", "pipeline_health"])
def test_an_error_that_quotes_data(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    quoting = data.StoreUnavailableError("Snowflake", "refused the query", "Check the grants.", EVERYTHING)
    for query in (
        "clicks", "newest_click", "truck_states", "tracks", "current_rows", "truck_ids", "newest_landing",
        "table_freshness",
        "merge_runs", "quality_results", "ledger", "load_history", "quarantine", "stream_lags", "stream_mappings",
        "pipe_status", "delays",
    ):  # fmt: skip
        monkeypatch.setattr(data, query, raising(quoting))
    assert_shown_as_sent(run(name), EVERYTHING)


def test_the_walk_finds_markdown_that_is_not_escaped(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(as_sent, "markdown", lambda text: text)
    with pytest.raises(AssertionError, match="evil"):
        test_live_clicks(monkeypatch, now)
