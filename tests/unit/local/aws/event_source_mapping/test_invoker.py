import io
import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from include.local.aws.event_source_mapping.invoker import Failed, Invoker, NotInvoked, Succeeded

pytestmark = pytest.mark.unit


class Lambda:
    """Answers every invocation with ``body``."""

    def __init__(self, body: bytes, function_error: str | None = None) -> None:
        self._answer = {"StatusCode": 200, "ResponseMetadata": {"RequestId": "request"}, "ExecutedVersion": "$LATEST"}
        if function_error:
            self._answer["FunctionError"] = function_error
        self._body = body

    def invoke(self, FunctionName: str, Payload: bytes) -> dict:
        self.payload = json.loads(Payload)
        return {**self._answer, "Payload": io.BytesIO(self._body)}


class Unreachable:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def invoke(self, **_: object) -> dict:
        raise self._error


@pytest.fixture
def reporting(make_settings):
    return make_settings(FunctionResponseTypes=["ReportBatchItemFailures"])


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b'""', b'{"batchItemFailures": []}', b'{"batchItemFailures": null}', b'{"other": 1}']
)
def test_answers_that_aws_takes_for_a_complete_success(reporting, make_records, body):
    assert Invoker(Lambda(body)).invoke(reporting, make_records(3)) == Succeeded()


@pytest.mark.parametrize(
    "body",
    [
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"wrongName": "101"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "999"}]}',
        b'{"batchItemFailures": ["101"]}',
        b'{"batchItemFailures": {"itemIdentifier": "101"}}',
        b"[1]",
        b"not json",
    ],
)
def test_answers_that_aws_takes_for_a_complete_failure(reporting, make_records, body):
    outcome = Invoker(Lambda(body)).invoke(reporting, make_records(3))
    assert isinstance(outcome, Failed)
    assert outcome.first_failed is None


def test_of_several_reported_failures_the_lowest_counts(reporting, make_records):
    body = b'{"batchItemFailures": [{"itemIdentifier": "102"}, {"itemIdentifier": "101"}]}'
    outcome = Invoker(Lambda(body)).invoke(reporting, make_records(4))
    assert isinstance(outcome, Failed)
    assert outcome.first_failed == 1


def test_a_reported_failure_is_ignored_where_the_mapping_does_not_ask_for_it(make_settings, make_records):
    body = b'{"batchItemFailures": [{"itemIdentifier": "101"}]}'
    assert Invoker(Lambda(body)).invoke(make_settings(), make_records(3)) == Succeeded()


def test_a_raised_error_fails_the_batch(reporting, make_records):
    body = b'{"errorMessage": "no", "errorType": "ValueError"}'
    outcome = Invoker(Lambda(body, "Unhandled")).invoke(reporting, make_records(3))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.function_error, outcome.request_id) == ("ValueError: no", "Unhandled", "request")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "throttled"}}, "Invoke"),
        ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no function"}}, "Invoke"),
    ],
)
def test_a_function_that_could_not_be_invoked_is_no_failure_of_the_batch(reporting, make_records, error):
    assert isinstance(Invoker(Unreachable(error)).invoke(reporting, make_records(1)), NotInvoked)


def test_the_function_gets_the_records_in_order(reporting, make_records):
    client = Lambda(b"")
    Invoker(client).invoke(reporting, make_records(3))
    assert [record["kinesis"]["sequenceNumber"] for record in client.payload["Records"]] == ["100", "101", "102"]
