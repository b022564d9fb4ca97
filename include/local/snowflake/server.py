"""Snowflake's wire protocol: the part that its connector needs to run statements.

The answer to a failed statement is a 200 with ``success: false``: on a 5xx the connector would resend it forever.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakValueDictionary

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import bindings, errors, logins
from .context import Context, Login
from .fakesnow_adapter import SERVER_VERSION
from .instance import Instance
from .parameter_values import OF_LOGIN, STATEMENT_TIMEOUT, check_known, switch, timeout_seconds
from .queries import Query
from .session import Session

log = logging.getLogger(__name__)

# Answers kept per session, for requests that come again because their answer got lost.
KEPT_ANSWERS = 64
# A session that has not been used for this long is ended, as in Snowflake.
SESSION_SECONDS = 4 * 3600
# How long a request waits for its statement; then the answer is "in progress", and the client asks again.
PATIENCE_SECONDS = 45.0
# Statements of all clients that can run at the same time: a long one must not keep others from running.
MOST_THREADS = 256

Answer = dict[str, Any]


class Submission:
    """A statement that a client sent, and its answer."""

    def __init__(self, query: Query, answer: asyncio.Future[Answer]) -> None:
        self.query, self.answer = query, answer


class Client:
    """A session and the answers to its last requests, by request id."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._used_at = time.monotonic()
        self._submissions: OrderedDict[str, Submission] = OrderedDict()

    def touch(self) -> None:
        """Note that the session is in use."""
        self._used_at = time.monotonic()

    def is_idle(self) -> bool:
        return time.monotonic() - self._used_at > SESSION_SECONDS

    def submit(self, request: str, body: dict[str, Any], threads: ThreadPoolExecutor) -> Submission:
        """Run a statement once: a request that comes again gets the first one's answer.

        Raises:
            SnowflakeError: the statement's parameters are wrong.
        """
        submission = self._submissions.get(request)
        if submission is None:
            session, asynchronous = self.session, bool(body.get("asyncExec"))
            query = session.query(
                body["sqlText"], body.get("parameters"), asynchronous=asynchronous, request=request.lower()
            )
            answer = asyncio.get_running_loop().run_in_executor(threads, _answer, session, body, query)
            submission = self._submissions[request] = Submission(query, answer)
            while len(self._submissions) > KEPT_ANSWERS:
                self._submissions.popitem(last=False)
        return submission


class Server:
    """The HTTP application over one instance."""

    def __init__(self, instance: Instance, *, patience: float = PATIENCE_SECONDS) -> None:
        self._instance, self._patience = instance, patience
        self._clients: dict[str, Client] = {}
        # By query id, for as long as a client holds them.
        self._submissions: WeakValueDictionary[str, Submission] = WeakValueDictionary()
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="statement")
        self.app = Starlette(
            routes=[
                Route("/session/v1/login-request", self.login, methods=["POST"]),
                Route("/session", self.session, methods=["POST"]),
                Route("/session/heartbeat", self.session, methods=["POST"]),
                Route("/queries/v1/query-request", self.query, methods=["POST"]),
                Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
                Route("/queries/{query}/abort-request", self.abort_query, methods=["POST"]),
                Route("/queries/{query}/result", self.result, methods=["GET"]),
                Route("/monitoring/queries/{query}", self.status, methods=["GET"]),
                Route("/telemetry/send", self.telemetry, methods=["POST"]),
            ]
        )

    async def login(self, request: Request) -> JSONResponse:
        """Begin a session of a user who proves to be one."""
        data = (await _body(request))["data"]
        await self._end_idle()
        try:
            login = await run_in_threadpool(_login, self._instance, data, request.query_params, _address(request))
            session = await run_in_threadpool(Session, self._instance, login)
        except Exception as error:  # noqa: BLE001 - the client gets every failure as an answer
            return _failure(errors.as_snowflake_error(error))
        token = secrets.token_urlsafe(32)
        self._clients[token] = Client(session)
        return JSONResponse({"data": _login_data(token, session.context), "success": True})

    async def session(self, request: Request) -> JSONResponse:
        """A heartbeat, or with ?delete=true the end of a session."""
        client = self._client(request)
        if client is None:
            return _GONE
        if request.query_params.get("delete") == "true":
            self._clients.pop(_token(request), None)
            await run_in_threadpool(client.session.close)
        return JSONResponse({"data": None, "success": True})

    async def query(self, request: Request) -> JSONResponse:
        """Run a statement, or return the answer of an earlier request with the same id."""
        client = self._client(request)
        if client is None:
            return _GONE
        identifier = request.query_params.get("requestId") or secrets.token_hex(16)
        try:
            submission = client.submit(identifier, await _body(request), self._threads)
        except errors.SnowflakeError as error:
            return _failure(error)
        self._submissions[submission.query.id] = submission
        if submission.query.asynchronous:
            return _in_progress(submission.query)
        return await self._answered(submission)

    async def result(self, request: Request) -> JSONResponse:
        """Wait again for a statement that took longer than its first request."""
        client = self._client(request)
        if client is None:
            return _GONE
        identifier = request.path_params["query"]
        submission = self._submissions.get(identifier.lower())
        if submission is None or submission.query.sender.user != client.session.context.user:
            return _failure(errors.SnowflakeError(f"Statement {identifier} not found", 709, "02000"))
        return await self._answered(submission)

    async def _answered(self, submission: Submission) -> JSONResponse:
        # The statement runs on when its client gives up, and the client may ask again.
        await asyncio.wait([submission.answer], timeout=self._patience)
        return JSONResponse(submission.answer.result()) if submission.answer.done() else _in_progress(submission.query)

    async def status(self, request: Request) -> JSONResponse:
        """How a statement stands; no query where there is none with this id."""
        client = self._client(request)
        if client is None:
            return _GONE
        query = self._instance.queries.find(request.path_params["query"])
        if query and not client.session.context.may_see(query):
            query = None
        shown = [] if query is None else [_shown(query)]
        sqlstate = query.error.sqlstate if query and query.error else None
        return JSONResponse({"data": {"queries": shown, "sqlState": sqlstate}, "success": True})

    async def abort(self, request: Request) -> JSONResponse:
        """Cancel the statement of the session that came with the request id in the body: a timeout or Ctrl-C."""
        client = self._client(request)
        if client is None:
            return _GONE
        wanted = str((await _body(request)).get("requestId", "")).lower()
        found = [q for q in self._instance.queries.running(client.session.context.identifier) if q.request == wanted]
        return _aborted(found[0] if found else None)

    async def abort_query(self, request: Request) -> JSONResponse:
        """Cancel a statement by its id."""
        client = self._client(request)
        if client is None:
            return _GONE
        query = self._instance.queries.find(request.path_params["query"])
        return _aborted(query if query and client.session.context.may_stop(query) else None)

    async def telemetry(self, request: Request) -> JSONResponse:
        return JSONResponse({"data": None, "success": True})

    def _client(self, request: Request) -> Client | None:
        client = self._clients.get(_token(request))
        if client is None or client.session.is_closed:
            return None
        client.touch()
        return client

    async def _end_idle(self) -> None:
        for token, client in list(self._clients.items()):
            # Another login may have ended it meanwhile.
            if client.is_idle() and self._clients.pop(token, None) is not None:
                await run_in_threadpool(client.session.close)


def _login(instance: Instance, data: Mapping[str, Any], asked: Mapping[str, str], address: str) -> Login:
    """Who logs in with ``data`` from ``address``, in the session that the query string asks for.

    Raises:
        SnowflakeError: the login is refused.
    """
    with instance.cursor() as duck:
        user = logins.authenticate(instance.catalog, duck, data, address)
    role = logins.role_of(instance.grants, user, _identifier(asked.get("roleName")))
    database, schema, *_ = *user.default_namespace, None, None
    stated = data.get("SESSION_PARAMETERS") or {}
    parameters = {name.upper(): value for name, value in stated.items() if value is not None}
    check_known(parameters, OF_LOGIN)
    timeout = parameters.get(STATEMENT_TIMEOUT)
    return Login(
        database=_identifier(asked.get("databaseName")) or database,
        schema=_identifier(asked.get("schemaName")) or (None if asked.get("databaseName") else schema),
        warehouse=_identifier(asked.get("warehouse")) or user.default_warehouse,
        role=role,
        secondary_roles=(user.secondary_roles,),
        user=user.name,
        autocommit=switch("AUTOCOMMIT", parameters.get("AUTOCOMMIT", True)),
        time_zone=parameters.get("TIMEZONE"),
        query_tag=str(parameters.get("QUERY_TAG") or ""),
        statement_timeout=None if timeout is None else timeout_seconds(timeout),
    )


def _login_data(token: str, context: Context) -> dict[str, Any]:
    return {
        "token": token,
        "masterToken": token,
        "validityInSeconds": SESSION_SECONDS,
        "masterValidityInSeconds": SESSION_SECONDS,
        "sessionId": context.identifier,
        "serverVersion": SERVER_VERSION,
        "parameters": [
            *_parameters(context),
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            # Array bindings come with the statement, not through a stage.
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
            {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
        ],
        "sessionInfo": {
            "databaseName": context.database,
            "schemaName": context.schema,
            "warehouseName": context.warehouse,
            "roleName": context.role,
        },
    }


def _answer(session: Session, body: dict[str, Any], query: Query) -> Answer:
    text = body["sqlText"]
    try:
        bound = body.get("bindings") or {}
        if body.get("describeOnly"):
            result = session.describe(text, query=query)
        elif bindings.is_array(bound):
            result = session.execute_many(text, bindings.rows(bound), query=query)
        else:
            result = session.execute(text, bindings.row(bound), query=query)
        data = result.response()
    except errors.SnowflakeError as error:
        log.info("%s: %.300s", error.message.replace("\n", " "), query.text)
        return _failed(error, query)
    except Exception as error:
        log.exception("while answering %.300s", query.text)
        return _failed(errors.as_snowflake_error(error), query)
    context = session.context
    names = {
        "finalDatabaseName": context.database,
        "finalSchemaName": context.schema,
        "finalWarehouseName": context.warehouse,
        "finalRoleName": context.role,
    }
    return {"data": data | {"parameters": _parameters(context)} | names, "success": True}


def _parameters(context: Context) -> list[dict[str, Any]]:
    autocommit = context.transaction.autocommit
    return [{"name": "AUTOCOMMIT", "value": autocommit}, {"name": "TIMEZONE", "value": context.time_zone}]


async def _body(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    parsed: dict[str, Any] = json.loads(body)
    return parsed


def _address(request: Request) -> str:
    return request.client.host if request.client else "127.0.0.1"


def _token(request: Request) -> str:
    """The token in ``Authorization: Snowflake Token="..."``."""
    return request.headers.get("Authorization", "").partition('"')[2].rstrip('"')


def _identifier(text: str | None) -> str | None:
    if not text:
        return None
    return text[1:-1] if text.startswith('"') else text.upper()


def _failed(error: errors.SnowflakeError, query: Query | None = None) -> Answer:
    code = f"{error.errno:06d}"
    return {
        "data": {"errorCode": code, "sqlState": error.sqlstate, "queryId": query.id if query else None},
        "code": code,
        "message": error.message,
        "success": False,
    }


def _failure(error: errors.SnowflakeError) -> JSONResponse:
    return JSONResponse(_failed(error))


def _in_progress(query: Query) -> JSONResponse:
    """The answer for a statement that runs: the client asks at ``getResultUrl`` for its result."""
    code, what = ("333334", "Asynchronous") if query.asynchronous else ("333333", "Query")
    data = {
        "queryId": query.id,
        "getResultUrl": f"/queries/{query.id}/result",
        "queryAbortsAfterSecs": 300,
        "progressDesc": None,
    }
    message = f"{what} execution in progress. Use provided query ID to perform query monitoring and management."
    return JSONResponse({"data": data, "code": code, "message": message, "success": True})


def _shown(query: Query) -> dict[str, Any]:
    """A statement as the monitoring API shows it."""
    error = query.error
    return {
        "id": query.id,
        "status": query.status,
        "sqlText": query.text,
        "sessionId": query.sender.session,
        "startTime": round(query.started_at.timestamp() * 1000),
        "endTime": round(query.ended_at.timestamp() * 1000) if query.ended_at else 0,
        "errorCode": f"{error.errno:06d}" if error else None,
        "errorMessage": error.message if error else None,
    }


def _aborted(query: Query | None) -> JSONResponse:
    if query and query.cancel(errors.canceled()):
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})
    return _failure(errors.SnowflakeError("Identified SQL statement is not currently executing.", 605, "57014"))


_GONE = JSONResponse(
    {"data": None, "code": "390104", "message": "User must login again to access the service.", "success": False}
)
