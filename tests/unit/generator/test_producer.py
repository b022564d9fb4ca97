from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from include.generator.producer import MAX_ATTEMPTS, Producer, ProducerError, kinesis_client

pytestmark = pytest.mark.unit

STREAM = "TruckTelemetry"


class _Record(NamedTuple):
    data: bytes
    partition_key: str


def _records(count: int, size: int = 20) -> list[_Record]:
    return [_Record(str(number).encode().rjust(size, b"0"), f"TRK{number % 5:03d}") for number in range(count)]


def _client_error(code: str, status: int) -> ClientError:
    details = {"Error": {"Code": code, "Message": "so it is"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(details, "PutRecords")


class _Sending:
    def __init__(self, client, **options) -> None:
        self.naps: list[float] = []
        self.accepted: list = []
        self.producer = Producer(client, sleep=self.naps.append, **options)

    def send(self, records) -> None:
        self.producer.send(STREAM, records, self.accepted.extend)


def test_every_record_is_stored_once_and_reported_with_its_place(kinesis, stored):
    records = _records(1200)
    sending = _Sending(kinesis)
    sending.send(records)
    assert [accepted.record for accepted in sending.accepted] == records
    assert {(a.shard_id, a.sequence_number): a.record.data for a in sending.accepted} == stored(STREAM)
    assert len(stored(STREAM)) == 1200
    assert sending.naps == []


def test_nothing_to_send_calls_nothing(unreliable):
    client = unreliable([])
    _Sending(client).send([])
    assert client.calls == []


def test_empty_data_is_sent(kinesis, stored):
    _Sending(kinesis).send([_Record(b"", "TRK001")])
    assert list(stored(STREAM).values()) == [b""]


def test_a_call_carries_at_most_500_records(unreliable):
    client = unreliable([])
    _Sending(client).send(_records(1001))
    assert [len(call) for call in client.calls] == [500, 500, 1]


def test_a_call_carries_at_most_5_mebibytes_with_its_partition_keys(unreliable):
    client = unreliable([])
    _Sending(client).send(_records(11, size=1_048_576 - 6))
    sizes = [sum(len(entry["Data"]) + len(entry["PartitionKey"]) for entry in call) for call in client.calls]
    assert max(sizes) == 5 * 1_048_576
    assert [len(call) for call in client.calls] == [5, 5, 1]


def test_only_refused_records_are_sent_again(unreliable, stored):
    client = unreliable([lambda position: position % 10 == 3, lambda position: position == 0])
    sending = _Sending(client)
    records = _records(100)
    sending.send(records)
    assert [len(call) for call in client.calls] == [100, 10, 1]
    assert [entry["Data"] for entry in client.calls[1]] == [record.data for record in records[3::10]]
    assert sorted(stored(STREAM).values()) == sorted(record.data for record in records)
    assert sorted(accepted.record for accepted in sending.accepted) == sorted(records)
    assert sending.producer.resent == 11


def test_back_off_grows_with_jitter_and_is_bounded(unreliable):
    sending = _Sending(unreliable([lambda _position: True] * (MAX_ATTEMPTS - 1)))
    sending.send(_records(3))
    assert len(sending.naps) == MAX_ATTEMPTS - 1
    for number, nap in enumerate(sending.naps, start=1):
        assert 0 < nap <= min(5.0, 0.1 * 2**number)
    assert len(set(sending.naps)) == len(sending.naps)


def test_records_refused_to_the_end_are_an_error_with_counts_and_what_was_accepted_is_reported(unreliable, stored):
    client = unreliable([lambda position: position >= 40] + [lambda _position: True] * MAX_ATTEMPTS)
    sending = _Sending(client)
    with pytest.raises(ProducerError) as caught:
        sending.send(_records(100))
    assert (caught.value.failed, caught.value.accepted) == (60, 40)
    assert str(caught.value) == (
        "60 records were not accepted by stream TruckTelemetry after 8 attempts "
        "(ProvisionedThroughputExceededException × 60); 40 records of the same call were"
    )
    assert len(sending.accepted) == len(stored(STREAM)) == 40
    assert len(client.calls) == MAX_ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [
        _client_error("ProvisionedThroughputExceededException", 400),
        _client_error("LimitExceededException", 400),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
    ],
    ids=["throughput", "limit", "no_connection", "connect_timeout"],
)
def test_a_call_that_did_not_arrive_is_repeated(unreliable, stored, error):
    sending = _Sending(unreliable([error, error]))
    sending.send(_records(10))
    assert len(stored(STREAM)) == len(sending.accepted) == 10
    assert len(sending.naps) == 2
    assert sending.producer.unanswered == 0


@pytest.mark.parametrize(
    "error",
    [ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), _client_error("InternalFailure", 500)],
    ids=["read_timeout", "internal_failure"],
)
def test_a_call_whose_answer_is_lost_is_repeated_and_counted_for_its_records_may_be_there_twice(
    unreliable, stored, error
):
    sending = _Sending(unreliable([("after", error)]))
    sending.send(_records(10))
    assert len(stored(STREAM)) == 20
    assert len(sending.accepted) == 10
    assert sending.producer.unanswered == 1


def test_an_outage_longer_than_all_attempts_is_an_error_that_says_what_happened(unreliable):
    client = unreliable([EndpointConnectionError(endpoint_url="http://127.0.0.1:1")] * MAX_ATTEMPTS)
    with pytest.raises(ProducerError, match=r"10 records were not accepted .*Could not connect .*; 0 records"):
        _Sending(client).send(_records(10))


def test_an_error_that_repeating_cannot_mend_is_raised_at_once(kinesis):
    sending = _Sending(kinesis)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        sending.producer.send("NoSuchStream", _records(1), sending.accepted.extend)
    assert sending.naps == []


def test_the_client_has_time_limits_and_no_silent_retries(aws):
    config = kinesis_client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.retries["total_max_attempts"] == 1
