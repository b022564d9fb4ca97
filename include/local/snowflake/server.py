"""Snowflake's wire protocol, as far as its connector speaks it to run statements.

Every failure of a statement is an answer 200 with ``success: false``: on a 5xx the connector would send it for ever.
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
from .fakesnow_adapter import SERVER_VERSION, from_binding
from .instance import Instance
from .session import Session

log = logging.getLogger(__name__)

# Answers kept a session, for a request that comes again because its answer got lost.
KEPT_ANSWERS = 64
# A session that nobody used for so long is ended, as Snowflake does.
SESSION_SECONDS = 4 * 3600

Answer = dict[str, Any]


class Login:
    """A session and the answers to its last requests, by request id."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.used_at = time.monotonic()
        self.answers: OrderedDict[str, asyncio.Task[Answer]] = OrderedDict()


class Server:
    """The HTTP application over one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.logins: dict[str, Login] = {}
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
        """Anyone may log in: there is nothing to protect on a laptop's loopback."""
        data = (await _body(request))["data"]
        parameters = data.get("SESSION_PARAMETERS") or {}
        context = request.query_params
        await self._end_idle()
        try:
            session = await run_in_threadpool(
                Session,
                self.instance,
                database=_identifier(context.get("databaseName")),
                schema=_identifier(context.get("schemaName")),
                warehouse=_identifier(context.get("warehouse")),
                role=_identifier(context.get("roleName")),
                user=str(data.get("LOGIN_NAME") or "PIPELINE").upper(),
                autocommit=str(parameters.get("AUTOCOMMIT", True)).lower() != "false",
                time_zone=parameters.get("TIMEZONE"),
            )
        except Exception as error:  # noqa: BLE001 - whatever fails is told to the client
            return _failure(errors.as_snowflake_error(error))
        token = secrets.token_urlsafe(32)
        self.logins[token] = Login(session)
        return JSONResponse(
            {
                "data": {
                    "token": token,
                    "masterToken": token,
                    "validityInSeconds": SESSION_SECONDS,
                    "masterValidityInSeconds": SESSION_SECONDS,
                    "sessionId": session.identifier,
                    "serverVersion": SERVER_VERSION,
                    "parameters": [
                        *_parameters(session),
                        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                        # Array bindings come with the statement, not through a stage.
                        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    ],
                    "sessionInfo": {
                        "databaseName": session.database,
                        "schemaName": session.schema,
                        "warehouseName": session.warehouse,
                        "roleName": session.role,
                    },
                },
                "success": True,
            }
        )

    async def session(self, request: Request) -> JSONResponse:
        """A heartbeat, or with ?delete=true the end of a session."""
        login = self._login(request)
        if login is None:
            return _GONE
        if request.query_params.get("delete") == "true":
            del self.logins[_token(request)]
            await run_in_threadpool(login.session.close)
        return JSONResponse({"data": None, "success": True})

    async def query(self, request: Request) -> JSONResponse:
        """Run a statement once: a request that comes again gets the first one's answer."""
        login = self._login(request)
        if login is None:
            return _GONE
        body = await _body(request)
        identifier = request.query_params.get("requestId") or secrets.token_hex(16)
        task = login.answers.get(identifier)
        if task is None:
            task = asyncio.create_task(run_in_threadpool(_answer, login.session, body))
            login.answers[identifier] = task
            while len(login.answers) > KEPT_ANSWERS:
                login.answers.popitem(last=False)
        # Shielded: the statement runs on when its client gives up, and the client may ask again.
        return JSONResponse(await asyncio.shield(task))

    async def abort(self, request: Request) -> JSONResponse:
        """Cancel what the session runs."""
        login = self._login(request)
        if login is None:
            return _GONE
        login.session.duck.interrupt()
        return JSONResponse({"data": None, "success": True})

    async def telemetry(self, request: Request) -> JSONResponse:
        return JSONResponse({"data": None, "success": True})

    def _login(self, request: Request) -> Login | None:
        login = self.logins.get(_token(request))
        if login:
            login.used_at = time.monotonic()
        return login

    async def _end_idle(self) -> None:
        now = time.monotonic()
        for token, login in list(self.logins.items()):
            if now - login.used_at > SESSION_SECONDS:
                del self.logins[token]
                await run_in_threadpool(login.session.close)


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
    return {
        "data": data
        | {
            "parameters": _parameters(session),
            "finalDatabaseName": session.database,
            "finalSchemaName": session.schema,
            "finalWarehouseName": session.warehouse,
            "finalRoleName": session.role,
        },
        "success": True,
    }


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


def _parameters(session: Session) -> list[dict[str, Any]]:
    return [{"name": "AUTOCOMMIT", "value": session.autocommit}, {"name": "TIMEZONE", "value": session.time_zone}]


async def _body(request: Request) -> dict[str, Any]:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)


def _token(request: Request) -> str:
    """Out of ``Authorization: Snowflake Token="..."``."""
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
