"""TruckTelemetryApi as a whole, on moto, with faults on the wire."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from include import names
from include.contracts import METRICS, read_metric_policy

pytestmark = pytest.mark.unit

EVENTS = Path(__file__).parents[2] / "events" / "telemetry"
JSON = {"content-type": "application/json"}
REQUEST_ID = str(uuid4())
STACK_KEY = {"identity": {"apiKeyId": "key-of-the-stack"}}


def reading(truck: str = "TRK001", **metrics: object) -> dict[str, object]:
    return {"truck_id": truck, "timestamp": "2026-03-22T14:29:00", "vehicle_speed": 55.5} | metrics


def refused(code: str = "ProvisionedThroughputExceededException") -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": "later"}


class Api:
    """The function behind a gateway."""

    def __init__(self, function) -> None:
        self.function = function

    def __call__(self, method, route, *, body=None, headers=None, path=None, query=None, binary=True, who=STACK_KEY):
        event = {
            "httpMethod": method,
            "resource": route,
            "headers": headers,
            "pathParameters": path,
            "multiValueQueryStringParameters": query,
            "requestContext": {"requestId": REQUEST_ID, **who},
            "body": body if body is None or not binary else b64encode(body).decode(),
            "isBase64Encoded": binary and body is not None,
        }
        answer = self.function(event)
        answer["document"] = json.loads(answer["body"])
        if answer["statusCode"] >= 400:
            assert answer["headers"]["Content-Type"] == "application/problem+json"
            assert answer["document"]["type"] == "about:blank"
            assert answer["document"]["status"] == answer["statusCode"]
            assert answer["document"]["instance"] == f"urn:uuid:{REQUEST_ID}"
            assert answer["document"].keys() >= {"title", "detail"}
        else:
            assert answer["headers"]["Content-Type"] == "application/json"
        return answer

    def post(self, body, **request):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", "/telemetry", body=body, **({"headers": JSON} | request))


@pytest.fixture
def api(new_function):
    return Api(new_function("truck_telemetry_api"))


def statuses(answer) -> list[str]:
    return [outcome["status"] for outcome in answer["document"]["outcomes"]]


# --- POST /telemetry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted((EVENTS / "valid").glob("*.json")), ids=lambda file: file.stem)
def test_one_reading_is_forwarded_byte_for_byte_under_its_truck(api, cloud, file):
    sent = b"\n" + file.read_bytes() + b" "

    answer = api.post(sent)

    assert answer["statusCode"] == 202
    ((shard, number), (key, data)), *more = cloud.records(names.TRUCK_STREAM).items()
    assert (data, more) == (sent, [])
    assert f'"{key}"' in sent.decode()
    outcome = {"index": 0, "status": "accepted", "shard_id": shard, "sequence_number": number}
    assert answer["document"] == {"accepted": 1, "rejected": 0, "failed": 0, "outcomes": [outcome]}


def test_text_that_a_gateway_did_not_encode_is_taken_too(api, cloud):
    sent = json.dumps(reading("Wagen ü"), ensure_ascii=False)

    assert api("POST", "/telemetry", body=sent, headers=JSON, binary=False)["statusCode"] == 202

    assert [data for _, data in cloud.records(names.TRUCK_STREAM).values()] == [sent.encode()]


def test_elements_of_a_list_are_forwarded_as_they_stand_in_it(api, cloud):
    odd = b'{ "TRUCK_ID":"T\\u0031",\n"TIMESTAMP":"2026-03-22T14:29:00Z" , "ENGINE_RPM":1.50e3,"x":[1 , 2],"x":{} }'
    plain = json.dumps(reading("T2")).encode()

    answer = api.post(b" [\t" + odd + b" ,\r\n" + plain + b"]\n")

    assert answer["statusCode"] == 202
    assert dict(cloud.records(names.TRUCK_STREAM).values()) == {"T1": odd, "T2": plain}


def test_outcomes_stand_in_the_order_of_the_list_with_the_contracts_reason(api, cloud):
    answer = api.post([reading(), reading(gps_latitude=91), reading(), {"truck_id": "T"}, 7, "text", None, []])

    assert answer["statusCode"] == 207
    assert "Retry-After" not in answer["headers"]
    document = answer["document"]
    assert [outcome["index"] for outcome in document["outcomes"]] == list(range(8))
    assert (document["accepted"], document["rejected"], document["failed"]) == (2, 6, 0)
    assert statuses(answer) == ["accepted", "rejected"] * 2 + ["rejected"] * 4
    rejected = [outcome for outcome in document["outcomes"] if outcome["status"] == "rejected"]
    assert [outcome["reason"] for outcome in rejected] == ["out_of_range", "missing", *["not_an_object"] * 4]
    assert {key: rejected[0][key] for key in ("field", "value")} == {"field": "gps_latitude", "value": "91"}
    assert rejected[1]["field"] == "timestamp"
    assert "field" not in rejected[2]
    assert all(outcome["rule"] for outcome in rejected)
    assert len(cloud.records(names.TRUCK_STREAM)) == 2


def test_a_nulled_metric_is_accepted_and_named_to_its_sender(api, cloud, monkeypatch):
    monkeypatch.setattr(api.function.module, "metric_policy", read_metric_policy("gps_latitude", ""))
    sent = [reading(gps_latitude=-200), reading(), reading(fuel_level=101)]

    answer = api.post(sent)

    assert statuses(answer) == ["accepted", "accepted", "rejected"]
    outcomes = answer["document"]["outcomes"]
    assert [outcome.get("nulled") for outcome in outcomes] == [{"gps_latitude": "-200"}, None, None]
    assert sorted(data for _, data in cloud.records(names.TRUCK_STREAM).values()) == sorted(
        json.dumps(each).encode() for each in sent[:2]
    )


# An array is malformed as a record, and a list here.
MALFORMED = sorted(file for file in (EVENTS / "malformed").glob("*.json") if file.stem != "not_an_object--array")


@pytest.mark.parametrize("file", MALFORMED, ids=lambda file: file.stem)
def test_what_the_contract_refuses_is_refused_without_a_call(api, file):
    body = file.read_bytes()

    alone, listed = api.post(body), api.post(b"[" + body + b"]")

    reason = file.stem.partition("--")[0]
    assert alone["statusCode"] == (400 if reason == "not_json" else 422)
    assert alone["document"]["outcomes"][0]["reason"] == reason
    assert listed["statusCode"] in (400, 422)
    assert api.function.calls == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" \n", 400),
        (b"[", 400),
        (b"[1,]", 400),
        (b"[" * 100_000, 400),
        (b'["\xff"]', 400),
        (b"[]", 422),
        (b"[" + b",".join([b"{}"] * 501) + b"]", 422),
        (b'{"truck_id":"' + b"x" * 1_000_000 + b'"}', 413),
    ],
    ids=["empty", "blank", "cut", "comma", "deep", "bad_utf8", "empty_list", "501_elements", "too_large"],
)
def test_unusable_body_is_a_problem_without_a_call(api, body, status):
    assert api.post(body)["statusCode"] == status
    assert api.function.calls == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/octet-stream"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/+json"},
        {"content-type": "json"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json;charset=utf-16"},
        {"content-type": 'application/json; v=1; charset="ISO-8859-1"'},
        {"content-type": "application/json; charset=utf-8; charset=latin-1"},
        {"content-type": "; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-encoding": "deflate"},
        {"content-encoding": "gzip, identity"},
    ],
)
def test_body_that_is_not_declared_as_plain_json_is_refused(api, headers):
    assert api.post(reading(), headers=headers)["statusCode"] == 415
    assert api.function.calls == []


@pytest.mark.parametrize(
    "declared",
    [
        "APPLICATION/JSON",
        'application/json ; Charset="UTF-8"',
        "application/json; v=1",
        "application/json;charset=utf8",
        "application/json; charset='utf-8'",
        "application/json; charset = UTF8 ",
        "application/json; charset=us-ascii",
        "application/json; charset=",
        "application/json;",
        "application/json; charset=utf-8; charset=utf-8",
        "text/json",
        "application/geo+json; charset=utf-8",
        # The default of curl -d and of many devices' HTTP libraries.
        "application/x-www-form-urlencoded",
        "",
    ],
)
def test_json_may_be_declared_in_any_case_and_with_parameters(api, declared):
    assert api.post(reading(), headers={"CONTENT-TYPE": declared, "Content-Encoding": "identity"})["statusCode"] == 202


@pytest.mark.parametrize(
    "headers",
    [None, {}, {"host": "x"}, {"content-encoding": ""}, {"content-type": "text/json", "Content-Encoding": "UTF-8"}],
)
def test_a_body_without_a_content_type_is_read_as_json(api, headers):
    assert api.post(reading(), headers=headers)["statusCode"] == 202


def test_an_undeclared_body_that_is_not_json_in_utf_8_is_a_clear_400(api):
    for body in (b"truck_id=TRK001&vehicle_speed=55", '{"truck_id":"Wagen ü"}'.encode("latin-1")):
        answer = api.post(body, headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer["statusCode"] == 400
        assert answer["document"]["detail"].startswith("the body is not ")
    assert api.function.calls == []


def test_a_415_names_what_was_declared(api):
    refused = {"text/plain": "not 'text/plain'", "application/json; charset=latin-1": "not in charset 'latin-1'"}
    for declared, named in refused.items():
        assert named in api.post(reading(), headers={"content-type": declared})["document"]["detail"]


def test_only_what_the_stream_refused_is_sent_again(api, no_waiting, caplog):
    caplog.set_level(logging.INFO)
    sent: list[list[str]] = []

    def put_records(request):
        keys = [record["PartitionKey"] for record in json.loads(request.body)["Records"]]
        sent.append(keys)
        records = [
            refused() if key in ("T1", "T3") and len(sent) < 3 else {"ShardId": "shardId-0", "SequenceNumber": key[1:]}
            for key in keys
        ]
        return 200, {"FailedRecordCount": 0, "Records": records}

    api.function.on_wire("PutRecords", put_records)

    answer = api.post([reading(f"T{n}") for n in range(4)])

    assert answer["statusCode"] == 202
    assert sent == [["T0", "T1", "T2", "T3"], ["T1", "T3"], ["T1", "T3"]]
    assert [outcome["sequence_number"] for outcome in answer["document"]["outcomes"]] == ["0", "1", "2", "3"]
    (line,) = [record for record in caplog.records if record.message == "request answered"]
    assert list(line.sequence_numbers.values()) == [["0", "3"]]
    assert len(no_waiting) == 2


def test_what_the_stream_keeps_refusing_has_failed_and_the_rest_is_accepted(api, no_waiting):
    def put_records(request):
        records = [
            refused() if record["PartitionKey"] == "hot" else {"ShardId": "shardId-0", "SequenceNumber": "1"}
            for record in json.loads(request.body)["Records"]
        ]
        return 200, {"FailedRecordCount": 1, "Records": records}

    api.function.on_wire("PutRecords", put_records)

    answer = api.post([reading("hot"), reading("cold"), reading(fuel_level=-1)])

    assert answer["statusCode"] == 207
    assert answer["headers"]["Retry-After"] == "1"
    assert statuses(answer) == ["failed", "accepted", "rejected"]
    assert len(no_waiting) == 10


@pytest.mark.parametrize(
    "fault",
    [
        (400, {"__type": "ProvisionedThroughputExceededException"}),
        (500, {}),
        (400, {"__type": "AccessDeniedException"}),
    ],
    ids=["throttled", "server_error", "denied"],
)
def test_stream_that_takes_nothing_is_a_503_that_says_what_may_be_sent_again(api, no_waiting, caplog, fault):
    api.function.on_wire("PutRecords", lambda request: fault)

    answer = api.post([reading("T1"), reading("T2", oil_pressure="low"), reading("T3")])

    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "1"
    assert statuses(answer) == ["failed", "rejected", "failed"]
    assert len(api.function.calls) <= 3
    (line,) = [record for record in caplog.records if record.message == "request answered"]
    assert line.levelno == logging.ERROR
    assert "PutRecords" in line.error


def test_retries_end_before_the_invocation_does(api, monkeypatch):
    api.function.on_wire("PutRecords", lambda request: (200, {"FailedRecordCount": 1, "Records": [refused()]}))

    answer = api.function(
        {
            "httpMethod": "POST",
            "resource": "/telemetry",
            "headers": JSON,
            "requestContext": {"requestId": REQUEST_ID, **STACK_KEY},
            "body": json.dumps(reading()),
        },
        remaining_seconds=1,
    )

    assert answer["statusCode"] == 503
    assert len(api.function.calls) == 1


# --- GET /trucks and /trucks/{truck_id} ------------------------------------------------------------------------------


@pytest.fixture
def state(cloud):
    """Writes a truck's row."""

    def write(truck: str, **metrics: dict[str, str]) -> None:
        item = {
            "Truck_ID": {"S": truck},
            "Recency": {"S": "r"},
            "Event_Time": {"S": "2026-11-22T14:29:00.000000"},
            "Arrival_Time": {"S": "2026-11-22T14:29:01.500000"},
            "Ingested_At": {"S": "2026-11-22T14:29:02.000000"},
        }
        cloud.dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=item | metrics)

    return write


def test_state_of_a_truck_has_its_age_its_times_in_utc_and_every_metric(api, state, monkeypatch):
    from datetime import UTC, datetime

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 11, 22, 14, 30, 0, 250_000, UTC)

    monkeypatch.setattr(api.function.module, "datetime", Clock)
    state("TRK001", vehicle_speed={"N": "55.5"}, engine_rpm={"N": "0"}, brake_status={"S": "Good"})

    answer = api("GET", "/trucks/{truck_id}", path={"truck_id": "TRK001"})

    assert answer["statusCode"] == 200
    assert answer["document"] == {
        "truck_id": "TRK001",
        "event_time": "2026-11-22T14:29:00.000000Z",
        "age_seconds": 60.25,
        "arrival_time": "2026-11-22T14:29:01.500000Z",
        "ingested_at": "2026-11-22T14:29:02.000000Z",
        **dict.fromkeys(metric.name for metric in METRICS),
        "vehicle_speed": 55.5,
        "engine_rpm": 0.0,
        "brake_status": "Good",
    }


@pytest.mark.parametrize("truck_id", ["a b", "Straße/7", "50%25", "🚚" * 16])
def test_truck_is_found_under_its_escaped_id(api, state, truck_id):
    state(truck_id)

    answer = api("GET", "/trucks/{truck_id}", path={"truck_id": quote(truck_id, safe="")})

    assert answer["document"]["truck_id"] == truck_id


def test_unknown_truck_is_a_404_and_an_impossible_one_is_not_looked_for(api):
    assert api("GET", "/trucks/{truck_id}", path={"truck_id": "TRK404"})["statusCode"] == 404
    assert api.function.calls == ["GetItem"]
    assert api("GET", "/trucks/{truck_id}", path={"truck_id": "x" * 65})["statusCode"] == 404
    assert api.function.calls == ["GetItem"]


@pytest.mark.parametrize("size", [1, 3, 7, 8, 100])
def test_pages_show_every_truck_once_and_the_last_has_no_token(api, state, size):
    trucks = {f"TRK/{number} ü" for number in range(7)}
    for truck in trucks:
        state(truck)

    seen: list[str] = []
    query = {"page_size": [str(size)]}
    while True:
        page = api("GET", "/trucks", query=query)["document"]
        assert len(page["trucks"]) <= size
        seen += [truck["truck_id"] for truck in page["trucks"]]
        assert len(seen) <= len(trucks)
        if "next_page_token" not in page:
            break
        query["page_token"] = [page["next_page_token"]]

    assert sorted(seen) == sorted(trucks)


@pytest.mark.parametrize("trucks", [0, 1, 50, 51])
def test_page_has_50_trucks_where_nothing_is_said(api, state, trucks):
    for number in range(trucks):
        state(f"TRK{number}")

    page = api("GET", "/trucks")["document"]

    assert len(page["trucks"]) == min(50, trucks)
    assert ("next_page_token" in page) == (trucks == 51)


@pytest.mark.parametrize("size", ["", "0", "101", "-1", "+1", "1.0", "ten", "²", "9" * 5000])
def test_unusable_page_size_is_a_400(api, size):
    assert api("GET", "/trucks", query={"page_size": [size]})["statusCode"] == 400
    assert api.function.calls == []


@pytest.mark.parametrize("token", ["", "?", "VFJL MDAx", "_w", "A", "eA" * 100, "ü"])
def test_page_token_of_ones_own_making_is_a_400(api, token):
    assert api("GET", "/trucks", query={"page_token": [token]})["statusCode"] == 400
    assert api.function.calls == []


@pytest.mark.parametrize(
    ("method", "route"), [("POST", "/telemetry"), ("GET", "/trucks"), ("GET", "/trucks/{truck_id}")]
)
def test_misspelt_query_parameter_is_not_ignored(api, method, route):
    answer = api(method, route, query={"page_sise": ["1"]}, headers=JSON, body=b"{}", path={"truck_id": "T"})

    assert answer["statusCode"] == 400
    assert "page_sise" in answer["document"]["detail"]


def test_query_parameter_given_twice_is_a_400(api):
    assert api("GET", "/trucks", query={"page_size": ["1", "2"]})["statusCode"] == 400


@pytest.mark.parametrize(("route", "path"), [("/trucks", None), ("/trucks/{truck_id}", {"truck_id": "TRK001"})])
def test_table_that_does_not_answer_is_a_503_and_an_error_in_the_log(api, caplog, route, path):
    for operation in ("Scan", "GetItem"):
        api.function.on_wire(operation, lambda request: (400, {"__type": "ThrottlingException"}))

    answer = api("GET", route, path=path)

    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "1"
    assert "Throttling" not in answer["body"]
    (line,) = [record for record in caplog.records if record.message == "request answered"]
    assert line.levelno == logging.ERROR


# --- Everything ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "route", "allowed"),
    [("GET", "/telemetry", "POST"), ("POST", "/trucks", "GET"), ("DELETE", "/trucks/{truck_id}", "GET")],
)
def test_other_method_is_a_405_that_names_the_right_one(api, method, route, allowed):
    answer = api(method, route)

    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == allowed


def test_other_route_is_a_404(api):
    assert api("GET", "/drivers")["statusCode"] == 404


def test_a_request_is_one_line_in_the_log_without_its_payload(api, caplog):
    caplog.set_level(logging.INFO)

    api.post([reading("SECRET-TRUCK"), reading(engine_rpm=-1), reading(engine_rpm="x"), reading(engine_rpm=-2)])

    (line,) = [record for record in caplog.records if record.message == "request answered"]
    assert (line.request_id, line.method, line.route, line.status) == (REQUEST_ID, "POST", "/telemetry", 207)
    assert (line.accepted, line.failed) == (1, 0)
    assert line.rejected == {"out_of_range": 2, "wrong_type": 1}
    assert "SECRET" not in caplog.text + json.dumps([str(vars(record)) for record in caplog.records])
