"""TruckTelemetryApi: the truck telemetry API behind API Gateway, as include/cloudformation/openapi.yaml describes it.

This function validates readings, not API Gateway.  It applies the same contract as the stream's processor, so that an
accepted reading is not quarantined later.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.logging import Logger

from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from lambdas.common import aws, environment
from lambdas.common.deadline import Deadline, InvocationContext, StoreError
from lambdas.truck_telemetry_api import callers, logic
from lambdas.truck_telemetry_api.api_stores import Callers, TelemetryStream, TruckStates
from lambdas.truck_telemetry_api.callers import Access
from lambdas.truck_telemetry_api.logic import ReadingOutcome
from lambdas.truck_telemetry_api.proxy import Problem, ProxyAnswer, ProxyEvent, Request, Response, problem_response

# A device waits for the answer; API Gateway waits at most 29 s.
ANSWER_WITHIN_SECONDS = 5.0


class ApiEnvironment(environment.EventTimes, frozen=True, kw_only=True):
    """See lambdas.common.environment."""

    truck_stream: environment.NotEmpty
    truck_state_table: environment.NotEmpty
    caller_table: environment.NotEmpty
    api_authorization: callers.Authorization
    # Whether a caller may send and read only its trucks.
    bind_callers: bool
    # The claim of a token that names the caller's trucks; without one, the table of callers does.
    trucks_claim: str = ""
    # Id of the stack's own API key, whose holder may do everything.
    stack_key: str = ""


env = environment.read(ApiEnvironment, os.environ)
metric_policy = environment.metric_policy(os.environ)
logger = Logger()
stream = TelemetryStream(aws.client("kinesis"), env.truck_stream)
dynamodb = aws.client("dynamodb")
states = TruckStates(dynamodb, env.truck_state_table)
registered = Callers(dynamodb, env.caller_table)


@logger.inject_lambda_context
def handler(event: ProxyEvent, context: InvocationContext) -> ProxyAnswer:
    """Answer a proxy event; an error becomes a problem document."""
    request = Request.of(event)
    # Further fields of the summary line.
    counts: dict[str, object] = {}
    try:
        response = answer(request, Deadline.of(context), counts)
    except Problem as problem:
        response = problem_response(problem, request.id)
    except StoreError as error:
        counts["error"] = str(error)
        unavailable = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "a store does not answer", headers=logic.RETRY_LATER)
        response = problem_response(unavailable, request.id)
    log = logger.error if "error" in counts else logger.info
    about = {"request_id": request.id, "method": request.method, "route": request.route, "status": int(response.status)}
    log("request answered", extra={**about, **counts})
    return response.to_answer()


def answer(request: Request, deadline: Deadline, counts: dict[str, object]) -> Response:
    """Call the function for the request's route and method.  It may add to ``counts``.

    Raises:
        Problem: the response is a problem document.
        StoreError: a store did not answer.
    """
    match request.route, request.method:
        case "/telemetry", "POST":
            return post_telemetry(request, deadline, counts)
        case "/trucks", "GET":
            return list_trucks(request, deadline, counts)
        case "/trucks/{truck_id}", "GET":
            return get_truck(request, counts)
        case "/telemetry" | "/trucks" | "/trucks/{truck_id}", method:
            allowed = {"Allow": "POST" if request.route == "/telemetry" else "GET"}
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not served here", headers=allowed)
        case route, _:
            raise Problem(HTTPStatus.NOT_FOUND, f"there is no {route}")


def access_of(request: Request, counts: dict[str, object]) -> Access:
    """The trucks of the caller; it is named in ``counts``.

    Raises:
        Problem: the caller is unknown.
        StoreError: the table of callers did not answer.
    """
    caller = callers.caller_id(request.context, env.api_authorization)
    counts["caller"] = caller
    if not env.bind_callers or caller == env.stack_key:
        return callers.EVERYTHING
    if env.api_authorization == "jwt" and env.trucks_claim:
        return callers.claimed_access(request.context, env.trucks_claim)
    return registered.access(caller)


def post_telemetry(request: Request, deadline: Deadline, counts: dict[str, object]) -> Response:
    """POST /telemetry: send valid readings to the stream, byte for byte."""
    logic.check_query(request.query, ())
    logic.check_is_json(request.headers)
    sent = logic.payloads(request.body)
    access = access_of(request, counts)
    readings, rejected = logic.sort_out(
        sent, now=datetime.now(UTC), limits=env.time_limits, policy=metric_policy, access=access
    )
    accepted: list[ReadingOutcome] = []
    if readings:
        try:
            stream.put(readings, accepted, Deadline(min(deadline.remaining(), ANSWER_WITHIN_SECONDS)))
        except StoreError as error:
            counts["error"] = str(error)
    taken = {outcome.index for outcome in accepted}
    failed = [ReadingOutcome(reading.index, "failed") for reading in readings if reading.index not in taken]
    counts["accepted"], counts["failed"] = len(accepted), len(failed)
    counts["sequence_numbers"] = logic.stream_places(accepted)
    counts["rejected"] = dict(Counter(outcome.reason for outcome in rejected))
    return logic.telemetry_response([*accepted, *rejected, *failed])


def list_trucks(request: Request, deadline: Deadline, counts: dict[str, object]) -> Response:
    """GET /trucks: one page of the latest states of the trucks that the caller may read."""
    page = logic.page(request.query)
    access = access_of(request, counts)
    if access.reads_every_truck:
        items, last = states.page(page.size, page.after)
    else:
        truck_ids, last = logic.own_trucks(page, access)
        items = states.of(truck_ids, Deadline(min(deadline.remaining(), ANSWER_WITHIN_SECONDS)))
    now = datetime.now(UTC)
    counts["trucks"] = len(items)
    body: dict[str, object] = {"trucks": [logic.truck(item, now=now) for item in items]}
    if last is not None:
        body["next_page_token"] = logic.page_token(last)
    return Response(HTTPStatus.OK, body)


def get_truck(request: Request, counts: dict[str, object]) -> Response:
    """GET /trucks/{truck_id}: one truck's latest state."""
    logic.check_query(request.query, ())
    truck_id = request.path_parameters["truck_id"]
    # Before the truck is looked for: the answer must not say whether a truck of another caller exists.
    if not access_of(request, counts).may_read(truck_id):
        raise Problem(HTTPStatus.FORBIDDEN, "this caller may not read this truck")
    item = states.get(truck_id) if 1 <= len(truck_id) <= MAX_TRUCK_ID_LENGTH else None
    if item is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no reading of this truck has arrived")
    return Response(HTTPStatus.OK, logic.truck(item, now=datetime.now(UTC)))
