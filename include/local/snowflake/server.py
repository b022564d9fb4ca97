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
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import errors
from .context import Context, Login
from .fakesnow_adapter import SERVER_VERSION, from_binding
from .instance import Instance
from .session import Session

log = logging.getLogger(__name__)

# Answers kept per session, for requests that come again because their answer got lost.
KEPT_ANSWERS = 64
# A session that has not been used for this long is ended, as in Snowflake.
SESSION_SECONDS = 4 * 3600

Answer = dict[str, Any]


class Client:
    """A session and the answers to its last requests, by request id."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._used_at = time.monotonic()
        self._answers: OrderedDict[str, asyncio.Task[Answer]] = OrderedDict()

    def touch(self) -> None:
        """Note that the session is in use."""
        self._used_at = time.monotonic()

    def is_idle(self) -> bool:
        return time.monotonic() - self._used_at > SESSION_SECONDS

    def answer(self, request: str, body: dict[str, Any]) -> asyncio.Task[Answer]:
        """Run a statement once: a request that comes again gets the first one's answer."""
        task = self._answers.get(request)
        if task is None:
            task = asyncio.create_task(run_in_threadpool(_answer, self.session, body))
            self._answers[request] = task
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return task


class Server:
    """The HTTP application over one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._clients: dict[str, Client] = {}
        self.app = Starlette(
            routes=[
                Route("/session/v1/login-request", self.login, methods=["POST"]),
                Route("/session", self.session, methods=["POST"]),
                Route("/session/heartbeat", self.session, methods=["POST"]),
                Route("/queries/v1/query-request", self.query, methods=["POST"]),
                Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
                Route("/telemetry/send", self.telemetry, methods=["POST"]),
            ]
        )

    async def login(self, request: Request) -> JSONResponse:
        """Let anyone log in: there is nothing to protect on a laptop's loopback interface."""
        data = (await _body(request))["data"]
        parameters = data.get("SESSION_PARAMETERS") or {}
        context = request.query_params
        await self._end_idle()
        login = Login(
            database=_identifier(context.get("databaseName")),
            schema=_identifier(context.get("schemaName")),
            warehouse=_identifier(context.get("warehouse")),
            role=_identifier(context.get("roleName")),
            user=str(data.get("LOGIN_NAME") or "PIPELINE").upper(),
            autocommit=str(parameters.get("AUTOCOMMIT", True)).lower() != "false",
            time_zone=parameters.get("TIMEZONE"),
        )
        try:
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
            del self._clients[_token(request)]
            await run_in_threadpool(client.session.close)
        return JSONResponse({"data": None, "success": True})

    async def query(self, request: Request) -> JSONResponse:
        """Run a statement, or return the answer of an earlier request with the same id."""
        client = self._client(request)
        if client is None:
            return _GONE
        identifier = request.query_params.get("requestId") or secrets.token_hex(16)
        task = client.answer(identifier, await _body(request))
        # Shielded: the statement runs on when its client gives up, and the client may ask again.
        return JSONResponse(await asyncio.shield(task))

    async def abort(self, request: Request) -> JSONResponse:
        """Cancel the statement that the session runs."""
        client = self._client(request)
        if client is None:
            return _GONE
        client.session.interrupt()
        return JSONResponse({"data": None, "success": True})

    async def telemetry(self, request: Request) -> JSONResponse:
        return JSONResponse({"data": None, "success": True})

    def _client(self, request: Request) -> Client | None:
        client = self._clients.get(_token(request))
        if client:
            client.touch()
        return client

    async def _end_idle(self) -> None:
        for token, client in list(self._clients.items()):
            if client.is_idle():
                del self._clients[token]
                await run_in_threadpool(client.session.close)


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


def _answer(session: Session, body: dict[str, Any]) -> Answer:
    text = body["sqlText"]
    try:
        bindings = body.get("bindings") or {}
        if body.get("describeOnly"):
            result = session.describe(text)
        elif any(isinstance(binding["value"], list) for binding in bindings.values()):
            result = session.execute_many(text, _binding_rows(bindings))
        else:
            result = session.execute(text, _binding_row(bindings))
        data = result.response()
    except errors.SnowflakeError as error:
        log.info("%s: %.300s", error.message.replace("\n", " "), text)
        return _failed(error)
    except Exception as error:
        log.exception("while answering %.300s", text)
        return _failed(errors.as_snowflake_error(error))
    context = session.context
    names = {
        "finalDatabaseName": context.database,
        "finalSchemaName": context.schema,
        "finalWarehouseName": context.warehouse,
        "finalRoleName": context.role,
    }
    return {"data": data | {"parameters": _parameters(context)} | names, "success": True}


def _binding_row(bindings: dict[str, Any]) -> list[Any]:
    return [_bound(bindings[str(position)]) for position in range(1, len(bindings) + 1)]


def _binding_rows(bindings: dict[str, Any]) -> list[list[Any]]:
    columns = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    return [
        [_bound({**column, "value": value}) for column, value in zip(columns, values, strict=True)]
        for values in zip(*(column["value"] for column in columns), strict=True)
    ]


def _bound(binding: dict[str, Any]) -> Any:
    if binding["value"] is None:
        return None
    return float(binding["value"]) if binding["type"] == "REAL" else from_binding(binding)


def _parameters(context: Context) -> list[dict[str, Any]]:
    autocommit = context.transaction.autocommit
    return [{"name": "AUTOCOMMIT", "value": autocommit}, {"name": "TIMEZONE", "value": context.time_zone}]


async def _body(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    parsed: dict[str, Any] = json.loads(body)
    return parsed


def _token(request: Request) -> str:
    """The token in ``Authorization: Snowflake Token="..."``."""
    return request.headers.get("Authorization", "").partition('"')[2].rstrip('"')


def _identifier(text: str | None) -> str | None:
    if not text:
        return None
    return text[1:-1] if text.startswith('"') else text.upper()


def _failed(error: errors.SnowflakeError) -> Answer:
    code = f"{error.errno:06d}"
    return {
        "data": {"errorCode": code, "sqlState": error.sqlstate},
        "code": code,
        "message": error.message,
        "success": False,
    }


def _failure(error: errors.SnowflakeError) -> JSONResponse:
    return JSONResponse(_failed(error))


_GONE = JSONResponse(
    {"data": None, "code": "390104", "message": "User must login again to access the service.", "success": False}
)
