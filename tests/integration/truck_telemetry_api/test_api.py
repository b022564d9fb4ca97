"""The deployed API over HTTP: keys, throttling, readings into the stream, states out of the table."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest

from include import names
from include.contracts import METRICS, times

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
EVENTS = Path(__file__).parents[2] / "events" / "telemetry"
NESTED = (EVENTS / "valid" / "nested.json").read_bytes()
JSON = {"Content-Type": "application/json"}


def assert_problem(response, status: int) -> dict:
    """It is a problem document with all its standard members."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert UUID(document["instance"].removeprefix("urn:uuid:"))
    return document


@pytest.mark.parametrize("key", [None, "", "wrong"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/telemetry"), ("GET", "/trucks"), ("GET", "/trucks/TRK001")])
def test_nobody_gets_anything_without_a_key(api, records, method, path, key):
    before = records()

    assert_problem(api.send(method, path, key=key, data=NESTED, headers=JSON), 403)

    assert records() == before


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/drivers"), ("GET", "/trucks/a/b"), ("DELETE", "/trucks/TRK001")]
)
def test_what_is_not_served_is_a_problem_too(api, method, path):
    assert_problem(api.send(method, path), 404)


def test_a_key_that_asks_too_often_is_slowed_down_and_another_is_not(api):
    gateway = api.client("apigateway")
    stage = {"apiId": api.url.split("/")[-2], "stage": names.API_STAGE}
    plan = gateway.create_usage_plan(name="slow", apiStages=[stage], throttle={"rateLimit": 0.001, "burstLimit": 2})[
        "id"
    ]
    key = gateway.create_api_key(name="slow", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")

    answers = [api.send("GET", "/trucks", key=key["value"]) for _ in range(3)]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert_problem(answers[2], 429)
    assert answers[2].headers["Retry-After"] == "1"
    assert api.send("GET", "/trucks").status_code == 200


def test_the_templates_limits_are_those_of_its_key(api):
    gateway = api.client("apigateway")
    plan = gateway.get_usage_plan(usagePlanId=api.outputs["ApiUsagePlanId"])
    assert plan["throttle"] == {"rateLimit": 400.0, "burstLimit": 800}
    (key,) = gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]
    assert key["id"] == api.outputs["ApiKeyId"]


@pytest.mark.parametrize("file", sorted((EVENTS / "valid").glob("*.json")), ids=lambda file: file.stem)
def test_one_reading_is_a_record_byte_for_byte(api, records, file):
    sent = b" \r\n" + file.read_bytes() + b"\t"

    response = api.send("POST", "/telemetry", data=sent, headers=JSON)

    assert response.status_code == 202, response.text
    (outcome,) = response.json()["outcomes"]
    partition_key, data = records()[outcome["shard_id"], outcome["sequence_number"]]
    assert data == sent
    assert partition_key in sent.decode()


def test_a_list_is_a_record_for_each_element_that_keeps_the_contract(api, records):
    before = records()
    good = [b'{"truck_id":"TRK%03d", "timestamp":"2026-11-22T14:30:00","vehicle_speed":1.50}' % n for n in range(3)]
    bad = b'{"truck_id":"TRK001","timestamp":"2026-11-22T14:30:00","gps_latitude":91}'

    response = api.send("POST", "/telemetry", data=b"[" + b" , ".join([*good[:2], bad, good[2]]) + b"]", headers=JSON)

    assert response.status_code == 207
    report = response.json()
    assert (report["accepted"], report["rejected"], report["failed"]) == (3, 1, 0)
    assert [outcome["status"] for outcome in report["outcomes"]] == ["accepted", "accepted", "rejected", "accepted"]
    rejected = report["outcomes"][2]
    assert (rejected["reason"], rejected["field"], rejected["value"]) == ("out_of_range", "gps_latitude", "91")
    assert "-90 to 90" in rejected["rule"]
    after = records()
    assert sorted(data for key, (_, data) in after.items() if key not in before) == good
    places = [(o["shard_id"], o["sequence_number"]) for o in report["outcomes"] if o["status"] == "accepted"]
    assert [after[place][1] for place in places] == good


def test_five_hundred_readings_in_a_request_are_taken_and_one_more_is_not(api, records):
    before = len(records())
    readings = [
        {"truck_id": f"TRK{n:03}", "timestamp": "2026-11-22T14:30:00", "vehicle_speed": n % 7} for n in range(501)
    ]

    taken = api.send("POST", "/telemetry", json=readings[:500])
    refused = api.send("POST", "/telemetry", json=readings)

    assert taken.status_code == 202
    assert taken.json()["accepted"] == 500
    assert_problem(refused, 422)
    assert len(records()) == before + 500


# An array is malformed as a record, and a list here.
MALFORMED = sorted(file for file in (EVENTS / "malformed").glob("*.json") if file.stem != "not_an_object--array")


# The function's unit tests refuse every file.
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, id=file.stem, marks=[] if number % 10 == 0 else pytest.mark.verify)
        for number, file in enumerate(MALFORMED)
    ],
)
def test_what_the_contract_refuses_never_reaches_the_stream(api, records, file):
    before = records()

    response = api.send("POST", "/telemetry", data=file.read_bytes(), headers=JSON)

    reason = file.stem.partition("--")[0]
    document = assert_problem(response, 400 if reason == "not_json" else 422)
    assert document["outcomes"][0]["reason"] == reason
    assert records() == before


def test_a_state_is_shown_with_its_age_and_all_its_metrics(api, states):
    states(NESTED)
    truck_id = json.loads(NESTED)["truck_id"]

    response = api.send("GET", f"/trucks/{truck_id}")

    assert response.status_code == 200
    truck = response.json()
    assert truck["truck_id"] == truck_id
    assert truck["arrival_time"] == "2026-11-22T14:30:00.000000Z"
    assert truck["ingested_at"] == "2026-11-22T14:30:01.000000Z"
    age = (datetime.now(UTC) - times.parse(truck["event_time"])).total_seconds()
    assert 0 <= age - truck["age_seconds"] < 20
    assert truck.keys() == {
        "truck_id", "event_time", "age_seconds", "arrival_time", "ingested_at", *(metric.name for metric in METRICS)
    }  # fmt: skip
    assert truck["gps_latitude"] == json.loads(NESTED)["gps_location"]["latitude"]


@pytest.mark.parametrize("truck_id", ["Truck 7 | Bergstraße", "a+b&c=d?e#f", "🚚"])
def test_a_truck_is_found_under_an_id_that_has_to_be_escaped(api, states, truck_id):
    states(json.dumps({"truck_id": truck_id, "timestamp": "2026-11-22T14:29:00"}).encode())

    response = api.send("GET", f"/trucks/{quote(truck_id, safe='')}")

    assert response.status_code == 200, response.text
    assert response.json()["truck_id"] == truck_id
    assert response.json()["vehicle_speed"] is None


@pytest.mark.parametrize("truck_id", ["TRK404", "x" * 65, "%20"])
def test_an_unknown_truck_is_a_problem(api, truck_id):
    assert_problem(api.send("GET", f"/trucks/{truck_id}"), 404)


def test_pages_show_every_truck_once(api, states):
    expected = {f"TRK{n:03}" for n in range(7)}
    for truck_id in expected:
        states(json.dumps({"truck_id": truck_id, "timestamp": "2026-11-22T14:29:00"}).encode())

    seen, query = [], {"page_size": "3"}
    for _ in range(5):
        page = api.send("GET", "/trucks", params=query).json()
        assert len(page["trucks"]) <= 3
        seen += [truck["truck_id"] for truck in page["trucks"]]
        if "next_page_token" not in page:
            break
        query["page_token"] = page["next_page_token"]

    assert sorted(seen) == sorted(expected)
    assert "next_page_token" not in page


def test_requests_side_by_side_are_all_answered(api):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api.send("POST", "/telemetry", data=NESTED, headers=JSON), range(16)))

    assert {answer.status_code for answer in answers} == {202}
    places = (answer.json()["outcomes"][0] for answer in answers)
    numbers = {(place["shard_id"], place["sequence_number"]) for place in places}
    assert len(numbers) == 16


def test_the_documented_way_to_the_address_and_the_key_leads_there(api):
    (script,) = (each for each in (ROOT / "docs" / "api.md").read_text().split("```") if "get_api_key" in each)
    command = ["bash", "-c", script.removeprefix("sh\n") + "\necho $API_URL $API_KEY"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    done = subprocess.run(
        command,
        env={**os.environ, **api.environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.split() == [api.url, api.key]


def test_the_examples_of_the_producers_guide_work_as_they_are(api, records):
    """All its code in one shell, but the first block, which leads to the demo instead of here."""
    page = (ROOT / "docs" / "producers.md").read_text()
    _where, *blocks = re.findall(r"^```(sh|python)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    commands = [f"python - <<'PY'\n{code}PY\n" if language == "python" else code for language, code in blocks]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    before = records()

    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=ROOT,
        env={**os.environ, **api.environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^TruckTelemetry shardId-\d+-\d+$", done.stdout, re.MULTILINE)) == 2
    assert len(re.findall(r"^ClickDataStream shardId-\d+-\d+$", done.stdout, re.MULTILINE)) == 1
    assert re.findall(r"^(?:202|207)$", done.stdout, re.MULTILINE) == ["202", "207"]
    assert '"reason":"out_of_range","field":"gps_latitude"' in done.stdout
    assert re.search(r"sent 200 of 200 records .* 100 from the field \| .* 100 from the field", done.stdout)
    sent = [item for place, item in records().items() if place not in before]
    of_the_examples = [json.loads(data) for key, data in sent if key in ("TRK004", "TRK005")]
    assert {reading["truck_id"] for reading in of_the_examples} == {"TRK004", "TRK005"}
    assert len(of_the_examples) == 4
    assert len(sent) == 4 + 100
