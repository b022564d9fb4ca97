"""Every statement that the pipeline sends has a QUERY_TAG that says what sent it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from clicks_to_deliveries.hooks import snowflake_hook
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.hooks.snowflake_poller import tag_of
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from clicks_to_deliveries.triggers.stream_has_data import StreamHasDataTrigger
from opentelemetry import trace

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
# Whoever opens a connection in another way than these gives its statements no tag.
OPENS = {"plugins/clicks_to_deliveries/hooks/snowflake_hook.py", "dashboard/data/snowflake_connection.py"}
TASK = SimpleNamespace(dag_id="scd2_merge", task_id="merge", run_id="r1", try_number=2)


@pytest.fixture
def tag(monkeypatch):
    """A function that returns the tag of a hook's statements."""
    login = {"conn_type": "snowflake", "login": "u", "password": "secret", "extra": {"account": "a"}}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(login))

    def of(hook: PipelineSnowflakeHook) -> dict[str, object]:
        return json.loads(hook._get_conn_params()["session_parameters"]["QUERY_TAG"])

    return of


def test_a_task_names_itself(monkeypatch, tag):
    context = {"ti": TASK, "task": SimpleNamespace(execution_timeout=None)}
    monkeypatch.setattr(snowflake_hook, "get_current_context", lambda: context)
    assert tag(PipelineSnowflakeHook()) == {"dag": "scd2_merge", "task": "merge", "run": "r1", "try": 2}


@pytest.mark.parametrize("is_sent", [True, False])
def test_within_a_trace_that_is_sent_the_tag_has_its_id(monkeypatch, tag, is_sent):
    context = {"ti": TASK, "task": SimpleNamespace(execution_timeout=None)}
    monkeypatch.setattr(snowflake_hook, "get_current_context", lambda: context)
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if is_sent else trace.TraceFlags.DEFAULT)
    span = trace.NonRecordingSpan(trace.SpanContext(0xABC, 1, is_remote=False, trace_flags=flags))
    with trace.use_span(span):
        assert tag(PipelineSnowflakeHook()).get("trace") == (f"{0xABC:032x}" if is_sent else None)


def test_a_trigger_names_itself_and_who_waits_for_it(tag):
    watcher = StreamHasDataTrigger("S", "snowflake_default", "scd2_merge", 60)
    assert tag(PipelineSnowflakeHook(tag=tag_of(watcher, dag=watcher.dag_id))) == {
        "dag": "scd2_merge",
        "trigger": "StreamHasDataTrigger",
    }
    waiting = PipeSettledTrigger("P", "snowflake_default", wait_seconds=1, poll_interval_seconds=1)
    waiting._task_instance = TASK
    assert tag(PipelineSnowflakeHook(tag=tag_of(waiting))) == {
        "dag": "scd2_merge",
        "task": "merge",
        "run": "r1",
        "trigger": "PipeSettledTrigger",
    }


def test_nothing_else_opens_a_connection():
    opened = set()
    for top in ("dags", "dashboard", "include", "lambdas", "plugins"):
        for file in (ROOT / top).rglob("*.py"):
            path = file.relative_to(ROOT).as_posix()
            if path.startswith("include/local/"):
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                named = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                based = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
                if named in ("snowflake.connector.connect", "SnowflakeHook", "SQLExecuteQueryOperator") or (
                    "SnowflakeHook" in based
                ):
                    opened.add(path)
    assert opened == OPENS
