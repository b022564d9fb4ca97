"""The demo with telemetry on: what back ends receive, and one reading followed through the logs (docs/telemetry.md)."""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import openlineage.client.facet_v2
import pytest
import rotel
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from include import names
from tests.fixtures.demo_cycle import run_one_cycle
from tests.fixtures.snowflake import free_port
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.verify, pytest.mark.timeout(1800)]

OURS = "clicks_to_deliveries"
LINEAGE = "/api/v1/lineage"
REQUESTS = {"/v1/metrics": ExportMetricsServiceRequest, "/v1/traces": ExportTraceServiceRequest}


class BackEnd(ThreadingHTTPServer):
    """Takes OTLP and OpenLineage over HTTP; ``received`` has each request as JSON, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: dict[str, list[dict[str, Any]]] = {path: [] for path in (*REQUESTS, LINEAGE)}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[dict[str, Any]]:
        scopes = [
            scope
            for each in self.received["/v1/traces"]
            for one in each["resourceSpans"]
            for scope in one["scopeSpans"]
        ]
        return [span for scope in scopes for span in scope["spans"]]

    def metric(self, name: str) -> list[float]:
        """Every value that was sent for a metric; of counters, how much was added."""
        scopes = [
            s for each in self.received["/v1/metrics"] for one in each["resourceMetrics"] for s in one["scopeMetrics"]
        ]
        found = [metric for scope in scopes for metric in scope["metrics"] if metric["name"] == f"airflow.{name}"]
        values = [metric.get("sum", metric.get("gauge")) for metric in found]
        assert {each.get("aggregationTemporality") for each in values} <= {"AGGREGATION_TEMPORALITY_DELTA", None}
        return [float(point.get("asInt", point.get("asDouble"))) for each in values for point in each["dataPoints"]]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        request = REQUESTS.get(self.path)
        self.server.received[self.path].append(MessageToDict(request.FromString(body)) if request else json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def back_end() -> Iterator[BackEnd]:
    with BackEnd() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def collector(back_end: BackEnd, tmp_path: Path) -> Iterator[str]:
    """A collector that sends on what it is sent; its address."""
    port = free_port()
    options = [
        f"--otlp-http-endpoint=127.0.0.1:{port}",
        f"--otlp-grpc-endpoint=127.0.0.1:{free_port()}",
        "--exporter=otlp",
        f"--otlp-exporter-endpoint={back_end.url}",
        "--otlp-exporter-protocol=http",
    ]
    agent = Path(rotel.__file__).parent / "rotel-agent"
    with (tmp_path / "rotel.log").open("w") as log:
        process = subprocess.Popen([agent, "start", *options], stdout=log, stderr=log)
    try:
        wait_for(lambda: _listens(port), "the collector")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_collectors_get_lineage_metrics_and_traces_and_a_reading_is_followed_to_the_merge(
    back_end: BackEnd, collector: str, tmp_path: Path
) -> None:
    run_demo(
        tmp_path,
        AIRFLOW__METRICS__OTEL_ON="True",
        AIRFLOW__TRACES__OTEL_ON="True",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_TRACES_EXPORTER="otlp_proto_http",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps({"type": "http", "url": back_end.url, "endpoint": LINEAGE[1:]}),
    )
    merge_id = follow_one_reading(tmp_path / "demo")
    check_lineage(back_end.received[LINEAGE])
    # Each merge's process counts from 0, and the sum is right.
    inserted, deleted = (sum(back_end.metric(f"{OURS}.history.rows_{kind}")) for kind in ("inserted", "deleted"))
    assert inserted - deleted == versions(tmp_path)
    assert back_end.metric(f"{OURS}.history.freshness_seconds")
    assert set(back_end.metric(f"{OURS}.quality.failing_rules")) == {0}
    for sign_of_life in ("scheduler_heartbeat", "triggerer_heartbeat"):
        assert sum(back_end.metric(sign_of_life)) > 1
    check_trace(back_end.spans(), merge_id)


def test_statsd_gets_the_same_metrics(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(1)
        port = daemon.getsockname()[1]
        with collected(daemon) as lines:
            run_demo(
                tmp_path,
                AIRFLOW__METRICS__STATSD_ON="True",
                AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
                AIRFLOW__METRICS__STATSD_PORT=str(port),
            )
    changed = re.compile(rf"airflow\.{OURS}\.history\.rows_(inserted|deleted):(\d+)\|c")
    counts = [(found[1], int(found[2])) for line in lines if (found := changed.fullmatch(line))]
    assert sum(count if kind == "inserted" else -count for kind, count in counts) == versions(tmp_path)
    assert any(re.fullmatch(rf"airflow\.{OURS}\.history\.freshness_seconds:[\d.]+\|g", line) for line in lines)
    assert any(line.startswith("airflow.triggerer_heartbeat:") for line in lines)


def run_demo(directory: Path, **telemetry: str) -> None:
    size = ("--clicks=200", "--readings=200", "--rate=50")
    report = f"--report={directory / 'report.json'}"
    run_one_cycle(directory / "demo", *size, report, timeout=1500, stop_timeout=120, **telemetry)


def versions(directory: Path) -> int:
    """How many versions the history has at the demo's end."""
    report = json.loads((directory / "report.json").read_bytes())
    return next(row["readings"] for row in report["counts"] if "(versions)" in row["label"])


def follow_one_reading(state: Path) -> str:
    """From the producer's line to the merge, by what the logs say; return the merge's id."""
    sent = [json.loads(line) for line in (state / "manifest.jsonl").read_text().splitlines()]
    reading = next(each for each in sent if each["stream"] == names.TRUCK_STREAM and each["kind"] == "valid")
    shard, number = reading["shard_id"], reading["sequence_number"]

    functions = json.loads((state / "ministack/services/cloudwatch_logs.json").read_text())
    batches = [json.loads(text) for text in messages(functions) if '"batch acknowledged"' in text]
    keys = {
        batch["correlation_id"]
        for batch in batches
        if batch["service"] == names.TRUCK_FUNCTION
        and batch["shard_id"] == shard
        # MiniStack's numbers all have one length.
        and batch["first_sequence_number"] <= number <= batch["last_sequence_number"]
    }
    (key,) = keys

    (landed,) = (state / "ministack/s3").glob(f"*/*/{key}")
    assert number in gzip.decompress(landed.read_bytes()).decode()

    logged = [line["event"] for log in (state / "airflow/logs").rglob("*.log") for line in entries(log)]
    merges = [
        found[1]
        for text in logged
        if (found := re.fullmatch(rf"Merging \d+ readings of {re.escape(key)} as (.+)", text))
    ]
    (merge_id,) = merges
    return merge_id


def check_lineage(events: list[dict[str, Any]]) -> None:
    """Every facet of the specification is one that its client knows, and the flow is whole."""
    known = {facet._get_schema(): facet for facet in subclasses(openlineage.client.facet_v2.BaseFacet)}
    for event in events:
        about = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for facets in [
            one[kind] for one in about for kind in ("facets", "inputFacets", "outputFacets") if one.get(kind)
        ]:
            for facet in facets.values():
                # Airflow's own facets have the schema of the kind that they are of.
                if "openlineage.io/spec/facets" in facet["_schemaURL"]:
                    known[facet["_schemaURL"]](**{name: facet[name] for name in facet if not name.startswith("_")})
    ended = [event for event in events if event["eventType"] == "COMPLETE"]
    flow = {(read["name"], event["job"]["name"]) for event in ended for read in event["inputs"]}
    flow |= {(event["job"]["name"], written["name"]) for event in ended for written in event["outputs"]}
    tables = f"{names.DATABASE}.{names.SCHEMA}"
    assert flow >= {
        ("generate_traffic.generate", names.TRUCK_STREAM),
        (f"{tables}.{names.RAW_TABLE}", "scd2_merge.merge"),
        ("scd2_merge.merge", f"{tables}.{names.HISTORY_TABLE}"),
        (f"{tables}.{names.HISTORY_TABLE}", "data_quality.check_quality"),
        ("data_quality.check_quality", f"{tables}.{names.QUALITY_RESULTS_TABLE}"),
        ("raw-archive", "reconcile.count_hours"),
        ("reconcile.count_hours", f"{tables}.{names.LEDGER_TABLE}"),
    }
    checked = [
        read for event in ended if event["job"]["name"] == "data_quality.check_quality" for read in event["inputs"]
    ]
    assert any(read.get("inputFacets", {}).get("dataQualityAssertions", {}).get("assertions") for read in checked)


def check_trace(spans: list[dict[str, Any]], merge_id: str) -> None:
    """The merge's span is within its task's, which is within its run's."""
    (ours,) = [span for span in spans if span["name"] == "merge" and merge_id in str(span["attributes"])]
    same = {span["name"]: span for span in spans if span["traceId"] == ours["traceId"]}
    assert same["worker.merge"]["spanId"] == ours["parentSpanId"]
    assert "dag_run.scd2_merge" in same


def messages(value: Any) -> Iterator[str]:
    """Every log line in what MiniStack keeps of CloudWatch Logs."""
    if isinstance(value, dict):
        if isinstance(value.get("message"), str):
            yield value["message"]
        for each in value.values():
            yield from messages(each)
    elif isinstance(value, list):
        for each in value:
            yield from messages(each)


def entries(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"timestamp"')]


def subclasses(kind: type) -> Iterator[Any]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


@contextmanager
def collected(daemon: socket.socket) -> Iterator[list[str]]:
    """The lines that are sent to the socket meanwhile."""
    lines: list[str] = []
    is_over = False

    def collect() -> None:
        while not is_over:
            try:
                lines.extend(daemon.recv(65536).decode().splitlines())
            except TimeoutError:
                continue

    thread = Thread(target=collect)
    thread.start()
    try:
        yield lines
    finally:
        is_over = True
        thread.join()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
