"""AWS clients with timeouts and bounded retries.  Importing this module does not import boto3; making a client does.

The Lambda functions have clients of their own (lambdas/common/aws.py): their timeouts must fit into an invocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from botocore.config import Config

# Requests to S3 that a command has in flight at a time.
S3_WORKERS = 16

# Connections that a client keeps open for requests at the same time.
CONNECTIONS = S3_WORKERS + 2

# How long one response may take, in seconds.  An archive object has up to 64 MB; a function runs for up to 60 s.
READ_TIMEOUTS = {
    "s3": 60,
    "dynamodb": 20,
    "lambda": 70,
    "sns": 10,
    "cloudwatch": 10,
    "cloudformation": 20,
    "apigateway": 20,
}


class ClientFactory(Protocol):
    """``boto3.client``, or an Airflow hook behind the same arguments."""

    def __call__(self, service: str, /, *, config: Config) -> Any: ...


def boto3_client(service: str, /, *, config: Config) -> Any:
    """Make boto3's own client, which reads the standard AWS_* environment."""
    import boto3

    return boto3.client(service, config=config)


class StoreClients(NamedTuple):
    """Of the stores that hold records and rows.  Both are thread-safe."""

    s3: Any
    dynamodb: Any


class ReprocessingClients(NamedTuple):
    """Of the bucket with stored records and of the functions that process them again.  Both are thread-safe."""

    s3: Any
    lambda_: Any


def store_clients(make: ClientFactory = boto3_client) -> StoreClients:
    return StoreClients(make_client("s3", make), make_client("dynamodb", make))


def reprocessing_clients(make: ClientFactory = boto3_client, *, connections: int = CONNECTIONS) -> ReprocessingClients:
    return ReprocessingClients(
        make_client("s3", make, connections=connections), make_client("lambda", make, connections=connections)
    )


def make_client(service: str, make: ClientFactory = boto3_client, *, connections: int = CONNECTIONS) -> Any:
    """A thread-safe client of ``service``, one of READ_TIMEOUTS.

    ``make`` builds it.
    """
    return make(service, config=client_config(service, connections=connections))


def client_config(service: str, *, connections: int = CONNECTIONS) -> Config:
    """Timeouts and retries of a client of ``service``, which keeps up to ``connections`` connections open."""
    from botocore.config import Config

    # Standard mode repeats throttled, failed (5xx) and timed-out requests, with exponential backoff and jitter.
    return Config(
        connect_timeout=3,
        read_timeout=READ_TIMEOUTS[service],
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=connections,
    )
