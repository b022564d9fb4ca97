"""Callers of the API and their trucks: who is who, and what is refused to whom."""

from __future__ import annotations

import json

import pytest

from include import names
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from lambdas.truck_telemetry_api.api_stores import REMEMBERED_SECONDS, Callers
from lambdas.truck_telemetry_api.callers import caller_id, claimed_access
from lambdas.truck_telemetry_api.proxy import Problem
from tests.unit.lambdas.test_truck_telemetry_api import Api, reading, statuses

pytestmark = pytest.mark.unit

CUSTOMER = {"identity": {"apiKeyId": "key-of-a-customer"}}


@pytest.fixture
def api(new_function):
    return Api(new_function("truck_telemetry_api"))


@pytest.fixture
def register(cloud):
    """Registers a caller: ``register("key", sends=…, reads=…)``."""

    def put(caller: str, sends: list[str], reads: list[str]) -> None:
        sets = {name: {"SS": trucks} for name, trucks in (("Sends", sends), ("Reads", reads)) if trucks}
        cloud.dynamodb.put_item(TableName=names.API_CALLER_TABLE, Item={"Caller": {"S": caller}, **sets})

    return put


@pytest.fixture
def state(cloud):
    def write(truck: str) -> None:
        times = {name: {"S": "2026-11-22T14:29:00.000000"} for name in ("Event_Time", "Arrival_Time", "Ingested_At")}
        cloud.dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item={"Truck_ID": {"S": truck}, **times})

    return write


@pytest.fixture
def bind_by_claim(api, monkeypatch):
    """Binds callers by the claim ``custom:trucks`` of their token."""
    for name, value in (("API_AUTHORIZATION", "jwt"), ("TRUCKS_CLAIM", "custom:trucks")):
        monkeypatch.setenv(name, value)
    module = api.function.module
    monkeypatch.setattr(module, "env", module.environment.read(module.ApiEnvironment, module.os.environ))


def test_a_caller_sends_readings_of_its_trucks_only_and_each_refusal_says_why(api, cloud, register):
    register("key-of-a-customer", sends=["T1", "T3"], reads=[])

    answer = api.post([reading("T1"), reading("T2"), reading("T3", fuel_level=-1)], who=CUSTOMER)

    assert answer["statusCode"] == 207
    assert statuses(answer) == ["accepted", "rejected", "rejected"]
    foreign, invalid = answer["document"]["outcomes"][1:]
    assert foreign == {
        "index": 1,
        "status": "rejected",
        "reason": "not_your_truck",
        "field": "truck_id",
        "value": "T2",
        "rule": "this caller may not send readings of this truck",
    }
    assert invalid["reason"] == "out_of_range"
    assert [key for key, _ in cloud.records(names.TRUCK_STREAM).values()] == ["T1"]


def test_a_request_with_nothing_but_others_trucks_is_a_403(api, cloud, register):
    register("key-of-a-customer", sends=["T1"], reads=["T1"])

    answer = api.post([reading("T2"), reading("T3")], who=CUSTOMER)

    assert answer["statusCode"] == 403
    assert answer["document"]["rejected"] == 2
    assert api.post([reading("T2"), {}], who=CUSTOMER)["statusCode"] == 422
    assert cloud.records(names.TRUCK_STREAM) == {}


def test_who_is_not_registered_may_nothing(api, cloud, state):
    state("T1")

    assert api.post(reading("T1"), who=CUSTOMER)["statusCode"] == 403
    assert api("GET", "/trucks/{truck_id}", path={"truck_id": "T1"}, who=CUSTOMER)["statusCode"] == 403
    assert api("GET", "/trucks", who=CUSTOMER)["document"] == {"trucks": []}
    assert cloud.records(names.TRUCK_STREAM) == {}


def test_another_callers_truck_is_refused_whether_it_exists_or_not(api, register, state):
    register("key-of-a-customer", sends=[], reads=["T1"])
    for truck in ("T1", "T2"):
        state(truck)

    answers = {
        truck: api("GET", "/trucks/{truck_id}", path={"truck_id": truck}, who=CUSTOMER) for truck in ("T1", "T2", "T9")
    }

    assert [answer["statusCode"] for answer in answers.values()] == [200, 403, 403]
    assert answers["T2"]["document"] == answers["T9"]["document"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_have_the_callers_trucks_once_and_no_other(api, register, state, size):
    own = [f"T{number}" for number in range(5)]
    register("key-of-a-customer", sends=[], reads=[*own, "never-sent"])
    for truck in (*own, "X1", "X2"):
        state(truck)

    seen: list[str] = []
    query = {"page_size": [str(size)]}
    for _ in range(10):
        page = api("GET", "/trucks", query=query, who=CUSTOMER)["document"]
        seen += [truck["truck_id"] for truck in page["trucks"]]
        if "next_page_token" not in page:
            break
        query["page_token"] = [page["next_page_token"]]

    assert seen == own
    assert "Scan" not in api.function.calls


def test_states_that_dynamodb_leaves_out_are_asked_for_again(api, register, state, no_waiting):
    register("key-of-a-customer", sends=[], reads=["T1", "T2"])
    for truck in ("T1", "T2"):
        state(truck)
    asked: list[list[str]] = []

    def batch_get(request):
        wanted = json.loads(request.body)["RequestItems"][names.TRUCK_STATE_TABLE]["Keys"]
        keys = [key["Truck_ID"]["S"] for key in wanted]
        asked.append(keys)
        if len(asked) > 1:
            return None
        left = {names.TRUCK_STATE_TABLE: {"Keys": [{"Truck_ID": {"S": truck}} for truck in keys]}}
        return 200, {"Responses": {}, "UnprocessedKeys": left}

    api.function.on_wire("BatchGetItem", batch_get)

    page = api("GET", "/trucks", who=CUSTOMER)["document"]

    assert [truck["truck_id"] for truck in page["trucks"]] == ["T1", "T2"]
    assert asked == [["T1", "T2"]] * 2


def test_a_star_is_every_truck(api, cloud, register, state):
    register("key-of-a-customer", sends=["*"], reads=["*"])
    state("T1")

    assert api.post(reading("T7"), who=CUSTOMER)["statusCode"] == 202
    assert api("GET", "/trucks/{truck_id}", path={"truck_id": "T1"}, who=CUSTOMER)["statusCode"] == 200
    assert len(api("GET", "/trucks", who=CUSTOMER)["document"]["trucks"]) == 1


def test_a_deployment_that_binds_nobody_asks_no_table(api, monkeypatch):
    monkeypatch.setenv("BIND_CALLERS", "false")
    module = api.function.module
    monkeypatch.setattr(module, "env", module.environment.read(module.ApiEnvironment, module.os.environ))

    assert api.post(reading("T1"), who=CUSTOMER)["statusCode"] == 202
    assert api.function.calls == ["PutRecords"]


def test_a_table_that_does_not_answer_is_a_503_and_lets_nobody_in(api, cloud):
    api.function.on_wire("GetItem", lambda request: (400, {"__type": "ThrottlingException"}))

    assert api.post(reading("T1"), who=CUSTOMER)["statusCode"] == 503
    assert cloud.records(names.TRUCK_STREAM) == {}


def test_the_log_names_the_caller(api, caplog, register):
    caplog.set_level("INFO")
    register("key-of-a-customer", sends=["T1"], reads=[])

    api.post(reading("T1"), who=CUSTOMER)

    (line,) = [record for record in caplog.records if record.message == "request answered"]
    assert line.caller == "key-of-a-customer"


def test_claims_of_a_token_bind_its_caller(api, cloud, bind_by_claim):
    def token(**claims):
        return {"authorizer": {"claims": {"sub": "device-1", **claims}}}

    sent = [reading("T1"), reading("T2"), reading("T3")]
    answers = [api.post(sent, who=token(**{"custom:trucks": trucks})) for trucks in ("T1, T3", "*", "")]

    assert [answer["statusCode"] for answer in answers] == [207, 202, 403]
    assert statuses(answers[0]) == ["accepted", "rejected", "accepted"]
    assert api.post(sent, who=token())["statusCode"] == 403
    assert "GetItem" not in api.function.calls


def test_a_part_of_a_claim_that_is_too_long_for_a_truck_names_none(api, state, bind_by_claim):
    state("T1")
    longest = "x" * MAX_TRUCK_ID_LENGTH
    state(longest)

    def shown(trucks: str) -> list[str]:
        answer = api("GET", "/trucks", who={"authorizer": {"claims": {"sub": "device-1", "custom:trucks": trucks}}})
        assert answer["statusCode"] == 200
        return [truck["truck_id"] for truck in answer["document"]["trucks"]]

    assert shown("x" * 3_000) == []
    assert "BatchGetItem" not in api.function.calls
    assert shown(f"{'x' * 3_000}, T1, {longest}") == ["T1", longest]


@pytest.mark.parametrize("trucks", ["", ",", " T1,,T3, "])
def test_a_claim_with_commas_too_many_names_no_truck_without_a_name(trucks):
    access = claimed_access({"authorizer": {"claims": {"custom:trucks": trucks}}}, "custom:trucks")
    assert access.reads == access.sends == {truck for truck in ("T1", "T3") if truck in trucks}


@pytest.mark.parametrize(
    ("authorization", "context", "caller"),
    [
        ("key", {"identity": {"apiKeyId": "abc"}}, "abc"),
        ("iam", {"identity": {"userArn": "arn:aws:iam::1:user/fleet"}}, "arn:aws:iam::1:user/fleet"),
        (
            "iam",
            {"identity": {"apiKeyId": "abc", "userArn": "arn:aws:sts::1:assumed-role/Fleet/session-7"}},
            "arn:aws:sts::1:assumed-role/Fleet",
        ),
        ("jwt", {"authorizer": {"claims": {"sub": "device-1"}}}, "device-1"),
    ],
)
def test_a_caller_is_the_same_in_every_session(authorization, context, caller):
    assert caller_id({"requestId": "r", **context}, authorization) == caller


@pytest.mark.parametrize(
    ("authorization", "context"),
    [
        ("key", {}),
        ("key", {"identity": {"apiKeyId": None}}),
        ("iam", {"identity": {"userArn": None, "apiKeyId": "abc"}}),
        ("jwt", {"authorizer": None}),
        ("jwt", {"authorizer": {"claims": {}}, "identity": {"apiKeyId": "abc"}}),
    ],
)
def test_a_request_without_a_caller_is_refused(authorization, context):
    with pytest.raises(Problem, match="unknown") as refused:
        caller_id({"requestId": "r", **context}, authorization)
    assert refused.value.status == 403


def test_a_change_of_a_callers_trucks_holds_within_a_minute_and_a_new_caller_at_once():
    class Table:
        row: dict | None = None
        reads = 0

        def get_item(self, **_):
            self.reads += 1
            return {"Item": self.row} if self.row else {}

    table, now = Table(), [0.0]
    callers = Callers(table, "callers", clock=lambda: now[0])
    assert not callers.access("c").may_send("T1")
    table.row = {"Sends": {"SS": ["T1"]}}
    assert callers.access("c").may_send("T1")
    table.row = {"Sends": {"SS": ["T2"]}}
    now[0] = REMEMBERED_SECONDS - 1
    assert callers.access("c").may_send("T1")
    now[0] = REMEMBERED_SECONDS
    assert callers.access("c").may_send("T2")
    assert not callers.access("c").may_send("T1")
    assert table.reads == 3
