"""The properties of every DAG; nothing here runs a task."""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization
from clicks_to_deliveries.notifiers.failure_note import leave_note
from croniter import croniter

from include import names
from include.alerts.impact import IMPACTS, runbook_of
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.settings import settings

pytestmark = pytest.mark.unit

DAGS = Path(__file__).parents[3] / "dags"

# Dag id -> (what starts it, its own tags, its tasks).
EXPECTED = {
    "provision_resources": (
        "Never, external triggers only",
        {"setup"},
        {
            "publish_bundles",
            "upgrade_snowflake",
            "deploy_stack",
            "probe_archive",
            "create_integration",
            "trust_snowflake",
            "create_pipe",
            "govern_snowflake",
            "notify_snowpipe",
            "refresh_pipe",
            "store_outputs",
            "verify",
        },
    ),
    "generate_traffic": ("Never, external triggers only", {"traffic"}, {"generate"}),
    "heartbeat": ("*/5 * * * *", {"monitoring"}, {"scheduler", "triggerer", "measure"}),
    "monitor_snowpipe": ("*/5 * * * *", {"truck-telemetry", "monitoring"}, {"check_pipe"}),
    "scd2_merge": ("Asset or 0 * * * *", {"truck-telemetry", "history"}, {"merge"}),
    "data_quality": ("Asset or */5 * * * *", {"truck-telemetry", "clicks", "quality"}, {"check_quality"}),
    "clean_metadata": ("50 3 * * *", {"monitoring"}, {"clean"}),
    "send_alerts": ("Asset or 40 * * * *", {"monitoring"}, {"send_run_alerts", "send_findings"}),
    "reconcile": ("20 * * * *", {"ledger", "quality"}, {"count_hours"}),
    "replay": ("Never, external triggers only", {"quarantine"}, {"replay"}),
    "repair_history": ("Never, external triggers only", {"truck-telemetry", "history"}, {"repair"}),
    "fleet_register": ("Never, external triggers only", {"truck-telemetry", "fleet"}, {"change"}),
    "erase_truck": (
        "Never, external triggers only",
        {"truck-telemetry", "erasure"},
        {
            "confirm",
            "check_trackers",
            "count_objects",
            "count_rows",
            "approve",
            "erase_objects",
            "erase_rows",
            "verify",
        },
    ),
    "check_erasures": ("10 6 * * *", {"truck-telemetry", "erasure"}, {"check"}),
    "teardown_resources": (
        "Never, external triggers only",
        {"setup"},
        {"confirm", "count", "approve", "delete_stack", "drop_snowflake"},
    ),
}


class NetworkUsed(BaseException):
    """Not an Exception: no import may catch it."""


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    def refuse(*_: object) -> None:
        raise NetworkUsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return DagBag(DAGS, collect_dags=True, bundle_path=DAGS)


@pytest.fixture(params=sorted(EXPECTED))
def dag(dagbag: DagBag, request: pytest.FixtureRequest) -> DAG:
    return dagbag.dags[request.param]


def test_all_dags_parse_without_network_and_are_the_expected_ones(dagbag: DagBag) -> None:
    assert dagbag.import_errors == {}
    assert set(dagbag.dags) == set(EXPECTED) == {path.stem for path in DAGS.glob("*.py")}


# Imports every DAG file in a process of its own, and says which imported what it may only import when a task runs.
PARSE_ALL = """
import runpy, sys
from airflow.sdk import DAG
from airflow.sdk.definitions import asset

# To read the scheme of an asset, Airflow itself imports what each provider says about its schemes, boto3 with it.
asset._get_uri_normalizer = lambda scheme: None
HEAVY = {"boto3", "botocore.session", "snowflake", "pandas", "numpy", "duckdb", "pyarrow"}
HEAVY |= {"airflow.providers.amazon", "airflow.providers.snowflake"}
before = HEAVY & sys.modules.keys()
for path in sys.argv[1:]:
    runpy.run_path(path)
    if found := HEAVY & sys.modules.keys() - before:
        sys.exit(f"{path} or a module that it imports at the top level imports {sorted(found)}")
print("light", len(sys.argv) - 1)
"""


def test_no_dag_file_imports_a_connector() -> None:
    # Airflow parses each file in a process of its own, every few minutes: 1.0 s and 109 MB with the connectors.
    paths = sorted(DAGS.glob("*.py"))
    parsed = subprocess.run(
        [sys.executable, "-c", PARSE_ALL, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(DAGS.parent), str(DAGS.parent / "plugins")])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert parsed.stdout == f"light {len(paths)}\n", parsed.stderr[-2000:]


def test_the_dag_processor_can_store_it(dag: DAG) -> None:
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


def test_file_name_schedule_tags_and_tasks(dag: DAG) -> None:
    schedule, tags, tasks = EXPECTED[dag.dag_id]
    assert Path(dag.fileloc).stem == dag.dag_id
    assert _schedule(dag) == schedule
    impact = {f"on-call: {IMPACTS[dag.dag_id].severity}"} if dag.dag_id in IMPACTS else set()
    assert dag.tags == {"clicks-to-deliveries", *impact, *tags}
    assert re.fullmatch(rf"[A-Z][\w ]+ · {dag.dag_id}", dag.dag_display_name)
    assert set(dag.task_ids) == tasks


def test_runs_are_bounded_and_never_overlap(dag: DAG) -> None:
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    # A person has a day to approve.
    patience = timedelta(hours=24) if dag.has_task("approve") else timedelta(0)
    assert timedelta(0) < dag.dagrun_timeout <= timedelta(hours=2) + patience
    for task in dag.tasks:
        assert timedelta(0) < task.execution_timeout <= dag.dagrun_timeout


def test_every_task_has_an_owner_and_retries_with_backoff(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.owner == "data-platform"
        # A retry can't confirm, asks again, or sends the generator's traffic twice; a late sign of life is none.
        once = task.task_id in ("confirm", "approve") or dag.dag_id == "heartbeat"
        assert task.retries == (0 if once else 2)
        assert (task.retry_delay, task.retry_exponential_backoff) == (timedelta(seconds=10), 2)
        assert task.max_retry_delay == timedelta(minutes=5)


def test_a_failed_run_alerts_with_its_impact_a_runbook_that_exists_and_the_error_of_the_task(dag: DAG) -> None:
    assert (DAGS.parent / runbook_of(dag.dag_id)).is_file()
    for task in dag.tasks:
        assert task.on_failure_callback == [leave_note]


def test_every_dag_alerts_but_the_heartbeat_which_alarms_watch() -> None:
    assert set(IMPACTS) == set(EXPECTED) - {"heartbeat"}


def test_the_page_answers_the_questions_of_the_person_on_call(dag: DAG) -> None:
    for question in ("**From**", "**to**", "Safe to run again?", "When it fails", "Can it be ignored?"):
        assert question in dag.doc_md


def test_every_parameter_of_the_template_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {
        "AlertEmail": "on-call@example.com",
        "QuarantineAlarmThreshold": 50,
        "StreamRetentionHours": 168,
        "MaxEventAgeSeconds": 86400,
        "ApiRateLimit": 70,
        "ApiBurstLimit": 140,
        "ApiAccessLog": True,
    }
    for parameter, value in chosen.items():
        monkeypatch.setenv(f"CTD_{re.sub('(?<!^)(?=[A-Z])', '_', parameter).upper()}", str(value).lower())
    settings.cache_clear()
    try:
        path = DAGS / "provision_resources.py"
        parameters = (
            DagBag(path, collect_dags=True, bundle_path=DAGS).dags[path.stem].get_task("deploy_stack").parameters
        )
    finally:
        settings.cache_clear()
    # The last deployment gives it.
    assert parameters.keys() | {"DeletionProtection"} == load(TEMPLATE)["Parameters"].keys()
    assert chosen.items() <= parameters.items()
    # A store that fails holds its shard until an hour before the stream forgets the records.
    assert parameters["MaxRecordAgeSeconds"] == 167 * 3600


def test_a_parameter_whose_setting_is_unset_keeps_its_value_in_the_stack(dagbag: DagBag) -> None:
    parameters = dagbag.dags["provision_resources"].get_task("deploy_stack").parameters
    assert load(TEMPLATE)["Parameters"].keys() - parameters.keys() == {
        "AlertEmail",
        "QuarantineAlarmThreshold",
        "StreamRetentionHours",
        "MaxRecordAgeSeconds",
        "MaxEventAgeSeconds",
        "ApiRateLimit",
        "ApiBurstLimit",
        "ApiAccessLog",
        "DeletionProtection",
    }


def test_a_stack_is_protected_by_the_last_deployment_and_only_the_one_with_new_code_is_watched(dagbag: DagBag) -> None:
    first, *_, last = deployments = [
        dagbag.dags["provision_resources"].get_task(task)
        for task in ("deploy_stack", "trust_snowflake", "notify_snowpipe")
    ]
    assert [each.protected for each in deployments] == [None, None, True]
    assert last.parameters["DeletionProtection"] is True
    assert [each.watch_minutes for each in deployments] == [10, 0, 0]
    alarms = {key for key, each in load(TEMPLATE)["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert len(first.watched_alarms) == 5 == len(alarms.intersection(first.watched_alarms))
    assert all(each.tags == {"project": "clicks-to-deliveries"} for each in deployments)
    # The watching is part of each wait.
    assert first.timeout < first.execution_timeout
    # Provisioning starts what an unfinished teardown has stopped.
    assert all(each.parameters["Stopped"] is False for each in deployments)


def test_each_job_has_an_aws_identity_of_its_own(dagbag: DagBag) -> None:
    used = {
        dag_id: {connection for task in dag.tasks if (connection := getattr(task, "aws_conn_id", None))}
        for dag_id, dag in dagbag.dags.items()
    }
    apart = {
        "provision_resources": names.DEPLOYER_AWS_CONNECTION,
        "teardown_resources": names.DEPLOYER_AWS_CONNECTION,
        "replay": names.REPLAY_AWS_CONNECTION,
        "erase_truck": names.ERASURE_AWS_CONNECTION,
        "generate_traffic": names.TRAFFIC_AWS_CONNECTION,
    }
    for dag_id, connections in used.items():
        assert connections <= {apart.get(dag_id, names.AWS_CONNECTION)}, dag_id
    assert {dag_id for dag_id in apart if used[dag_id]} == apart.keys()
    assert len(set(apart.values()) | {names.AWS_CONNECTION}) == 5


def test_one_writer_of_the_history_at_a_time_and_each_updates_its_asset(dagbag: DagBag) -> None:
    for dag_id in ("scd2_merge", "repair_history"):
        (task,) = dagbag.dags[dag_id].tasks
        assert task.pool == "history_writer"
        assert [asset.name for asset in task.outlets] == ["truck_telemetry_data"]
    assert [asset.name for asset in dagbag.dags["data_quality"].timetable.asset_condition.objects] == [
        "truck_telemetry_data"
    ]
    (pending,) = dagbag.dags["scd2_merge"].timetable.asset_condition.objects
    (watcher,) = pending.watchers
    classpath, arguments = watcher.trigger.serialize()
    assert classpath == "clicks_to_deliveries.triggers.stream_has_data.StreamHasDataTrigger"
    assert arguments["min_interval_seconds"] == 150


def test_the_assets_lead_from_the_devices_to_the_dashboard(dagbag: DagBag) -> None:
    edges = {
        (source.name, sink.name)
        for dag in dagbag.dags.values()
        for task in dag.tasks
        for source in [*task.inlets, *_schedule_assets(dag)]
        for sink in task.outlets
    }
    flow = ("truck_stream", "truck_telemetry_raw", "truck_telemetry_data", "data_quality_results")
    assert set(pairwise(flow)) <= edges
    assert {("truck_telemetry_data", "dashboard"), ("click_stream_data", "dashboard")} <= edges
    assert ("click_stream", "conservation_ledger") in edges
    sent = {asset.name for asset in dagbag.dags["generate_traffic"].get_task("generate").outlets}
    assert sent == {"click_stream", "truck_stream"}


def _schedule_assets(dag: DAG) -> list[Asset]:
    condition = getattr(dag.timetable, "asset_condition", None)
    return list(condition.objects) if condition else []


def test_accounts_are_in_the_addresses_of_assets() -> None:
    given = {"CTD_SNOWFLAKE_ACCOUNT": "myorg-prod", "CTD_AWS_ACCOUNT": "123456789012"}
    show = "from include import assets; print(assets.RAW.uri, assets.CLICKS.uri, assets.TRUCK_STATES.uri)"
    shown = subprocess.check_output(
        [sys.executable, "-c", show], env={**os.environ, **given}, cwd=DAGS.parent, text=True
    )
    assert shown.split() == [
        "snowflake://myorg-prod/ECOMMERCE_DATA/TRUCK_TELEMETRY/TRUCK_TELEMETRY_RAW",
        "kinesis://123456789012/ClickDataStream",
        "dynamodb://123456789012/TruckLatestState",
    ]


def test_a_day_of_readings_has_few_runs_and_asset_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the schedules and settings that people get by default: whatever can have news always has."""
    monkeypatch.delenv("CTD_RUN_MINUTES")
    settings.cache_clear()
    try:
        dags = DagBag(DAGS, collect_dags=True, bundle_path=DAGS).dags.values()
    finally:
        settings.cache_clear()
    found = {dag.dag_id: _runs_a_day(dag) for dag in dags}
    assert (found["scd2_merge"], found["data_quality"], found["monitor_snowpipe"]) == (24, 24, 24)
    events = {dag.dag_id: found[dag.dag_id] * sum(len(task.outlets) for task in dag.tasks) for dag in dags}
    announced = found["scd2_merge"]
    assert sum(found.values()) + sum(events.values()) + announced == 578 <= 600


def _runs_a_day(dag: DAG) -> float:
    day = timedelta(days=1)
    goes_on = max(getattr(task, "run_for", timedelta(0)) for task in dag.tasks)
    if goes_on:
        return day / goes_on
    timetable = getattr(dag.timetable, "timetable", dag.timetable)
    if not (expression := getattr(timetable, "expression", "")):
        return 0
    midnight = datetime(2026, 11, 28, tzinfo=UTC)
    ticks = croniter(expression, midnight - timedelta(seconds=1))
    return sum(1 for _ in iter(lambda: ticks.get_next(datetime) < midnight + day, False))


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_no_hook_variable_or_file_is_touched_at_module_level(path: Path) -> None:
    names = {"get_conn", "get_connection", "get", "open", "read_text", "glob"}
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for statement in ast.parse(path.read_text()).body
        for node in _outside_functions(statement)
        if isinstance(node, ast.Call)
    }
    assert not called & names
    assert not any(name.endswith("Hook") for name in called)


def test_nothing_imports_from_dags() -> None:
    modules = [path for folder in ("include", "plugins", "lambdas", "dashboard") for path in _python(folder)]
    assert len(modules) > 20
    assert [path for path in modules if "dags" in _imported(path)] == []


def _imported(path: Path) -> set[str]:
    """Top-level packages that a module imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {module.partition(".")[0] for module in modules}


def _python(folder: str) -> list[Path]:
    return list((DAGS.parent / folder).rglob("*.py"))


def _outside_functions(statement: ast.stmt) -> list[ast.AST]:
    if isinstance(statement, ast.FunctionDef):
        return []
    nodes: list[ast.AST] = [statement]
    for child in ast.iter_child_nodes(statement):
        nodes += _outside_functions(child)
    return nodes


def _schedule(dag: DAG) -> str:
    """A schedule in words, from the timetable itself."""
    timetable = dag.timetable
    kind = type(timetable).__name__
    if kind == "AssetOrTimeSchedule":
        return f"Asset or {timetable.timetable.expression}"
    if kind == "AssetTriggeredTimetable":
        return "Asset"
    return "Never, external triggers only" if kind == "NullTimetable" else timetable.expression
