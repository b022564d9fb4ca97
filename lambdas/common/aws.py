"""AWS clients with timeouts, and calls in parallel."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader
from botocore.session import Session, get_session

from lambdas.common.deadline import Deadline, StoreError, send_all

# Calls in flight at the same time: they mostly wait for the network.
CONCURRENCY = 8

# In the worst case a call takes three attempts of 1 + 3 s and the waits between them: well below a function's timeout.
CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=CONCURRENCY,
    # Fixed code builds our requests from validated events, and the service checks them.  botocore's own check of every
    # field costs as much time as sending the request.
    parameter_validation=False,
)

_encode = msgspec.json.Encoder().encode
_pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="store")

T = TypeVar("T")
R = TypeVar("R")


@cache
def session() -> Session:
    """What all clients are made from.

    It is botocore's own.  boto3 would add resources and managed transfers, which nothing here uses, to each cold start.
    """
    made = get_session()
    made.get_component("data_loader").file_loader = _ServiceFiles()
    return made


class _ServiceFiles:
    """botocore's files about each service, read by msgspec: botocore's own way takes a fifth of a cold start."""

    exists = JSONFileLoader().exists

    def load_file(self, file_path: str) -> Any:
        """Return the content of ``file_path``, which lacks its ending, or None if there is no such file."""
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            path = Path(file_path + ending)
            if path.is_file():
                with opened(path, "rb") as file:
                    return msgspec.json.decode(file.read())
        return None


def client(service: str) -> Any:
    """A client as boto3's, with explicit timeouts and bounded retries.  Thread-safe; create it once per container.

    botocore has no types of its own: each store says in a Protocol which calls it makes.
    """
    made = session().create_client(service, config=CONFIG)
    if service == "dynamodb":
        made.meta.events.register("provide-client-params.dynamodb", _keep_parameters)
        made.meta.events.register("before-call.dynamodb", _send_parameters)
    return made


class ClientWhenNeeded:
    """A client that the first call on it makes: for a service that most containers never call."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = Lock()
        self._client: Any = None

    def __getattr__(self, operation: str) -> Any:
        with self._lock:
            if self._client is None:
                self._client = client(self._service)
        return getattr(self._client, operation)


def _keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Leave botocore nothing to serialize but the names, by which it finds the endpoint.

    Our parameters are what DynamoDB's JSON has, keys and values alike.  botocore would walk through every attribute of
    every row to copy them, which takes more CPU than everything else that a batch needs.
    """
    context["given_parameters"] = params
    return {name: type(given)() if isinstance(given, dict | list) else given for name, given in params.items()}


def _send_parameters(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = _encode(context["given_parameters"])


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Turn every failure of a call to AWS (throttled, refused, timed out, unreachable) into a StoreError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"{doing}: {error}") from error


def send_apart_from_refused(
    send: Callable[[Sequence[T]], Sequence[T]], items: Sequence[T], refused: list[tuple[T, str]]
) -> list[T]:
    """Send ``items`` in one call, and if DynamoDB refuses it for its content by halves, down to the item to blame.

    Returns:
        the items that ``send`` returns; each refused item is added to ``refused``, with DynamoDB's words.

    Raises:
        StoreError: the store failed otherwise.
    """
    try:
        return list(send(items))
    except StoreError as error:
        if not _refuses_content(error):
            raise
        if len(items) == 1:
            refused.append((items[0], str(error)))
            return []
    half = len(items) // 2
    return [part for each in (items[:half], items[half:]) for part in send_apart_from_refused(send, each, refused)]


def _refuses_content(error: StoreError) -> bool:
    """Whether DynamoDB refuses a request for what is in it, so that no repetition helps."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ValidationException"


def in_parallel(function: Callable[[T], R], items: Iterable[T], deadline: Deadline) -> list[R]:
    """Call ``function`` for each item in threads; return the results in the order of the items.

    After the first error, or past the deadline, no further call starts.  Calls that have started are waited for: none
    may still be writing when the invocation has answered.

    Raises:
        StoreError: the deadline has passed.
        Exception: the first exception of ``function``.
    """
    futures = _settled(function, items, deadline)
    if failed := [future for future in futures if not future.cancelled() and future.exception()]:
        failed[0].result()
    return [future.result() for future in futures]


def send_in_calls(
    send: Callable[[Sequence[T]], Sequence[T]], items: Iterable[T], size: int, deadline: Deadline
) -> tuple[list[T], StoreError | None]:
    """Send ``items`` to a store as ``send_all`` does, in parallel calls of ``size``; no call starts after a failure.

    Returns:
        the items that the store did not confirm, in order, and the first failure.
    """
    calls = list(chunks(items, size))
    futures = _settled(lambda call: send_all(send, call, deadline), calls, deadline)
    undone: list[T] = []
    first: StoreError | None = None
    for call, future in zip(calls, futures, strict=True):
        if future.cancelled():
            undone += call
        elif (error := future.exception()) is not None:
            if not isinstance(error, StoreError):
                raise error
            first = first or error
            undone += error.undone or call
    return undone, first


def _settled(function: Callable[[T], R], items: Iterable[T], deadline: Deadline) -> list[Future[R]]:
    """The calls of ``function``, each ended or cancelled."""

    def in_time(item: T) -> R:
        if deadline.remaining() <= 0:
            raise StoreError("no time left to write everything")
        return function(item)

    futures = [_pool.submit(in_time, item) for item in items]
    wait(futures, return_when=FIRST_EXCEPTION)
    for future in futures:
        future.cancel()
    wait(futures)
    return futures


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
