"""Which truck a record belongs to."""

import json

import pytest

from include.contracts import probe
from include.erasure.attribution import attribution, stray_attribution

pytestmark = pytest.mark.unit

whose = attribution("TRK001")
is_stray = stray_attribution("TRK001")
FLAT = {"TRUCK_ID": "TRK001", "TIMESTAMP": "2026-11-22T14:00:00", "VEHICLE_SPEED": 50}
NESTED = {"truck_id": "TRK001", "timestamp": "2026-11-22T14:00:00", "gps_location": {"latitude": 1}}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(json.dumps(FLAT).encode(), id="flat_upper_case"),
        pytest.param(json.dumps(NESTED).encode(), id="nested"),
        pytest.param(b'{"Truck_Id": "TRK001"}', id="mixed_case"),
        pytest.param(b'{"truck_id": "\\u0054RK001", "timestamp": 5}', id="escaped"),
        pytest.param(b'{"truck_id": "TRK002", "TRUCK_ID": "TRK001"}', id="one_of_two_keys"),
        pytest.param(b'{"truck_id": "TRK001", "vehicle_speed": NaN}', id="not_quite_json"),
        pytest.param(b'{"truck_id": "TRK001", "vehicle_sp', id="cut_off"),
        pytest.param(json.dumps(json.dumps(FLAT)).encode(), id="encoded_twice"),
        pytest.param(b'\xff{"truck_id": "TRK001"}', id="not_utf_8"),
        pytest.param(json.dumps([NESTED]).encode(), id="in_an_array"),
    ],
)
def test_a_record_that_names_the_truck_belongs_to_it(payload):
    assert whose(payload, "a key") is True
    assert whose(payload, None) is True


@pytest.mark.parametrize(
    "payload",
    [
        b'{"truck_id": "TRK002", "note": "TRK001"}',
        b'{"truck_id": "TRK0011"}',
        b'{"truck_id": "trk001"}',
        # Ids that look the same: full-width letters, a Cyrillic T, another composition, blanks around it.
        json.dumps({"truck_id": "\uff34\uff32\uff2b001"}).encode(),
        json.dumps({"truck_id": "\u0422RK001"}, ensure_ascii=False).encode(),
        json.dumps({"truck_id": "TRK001\u0301"}).encode(),
        b'{"truck_id": " TRK001"}',
        # If a key is sent twice, the last one counts, as in the contract: a valid reading of TRK002.
        b'{"truck_id": "TRK001", "truck_id": "TRK002"}',
    ],
)
def test_a_record_that_names_another_truck_belongs_to_that_one_whatever_the_partition_key(payload):
    assert whose(payload, "TRK002") is False
    assert whose(payload, "TRK001") is False


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\x00", b"[]", b"{}", b'{"truck_id": null}', b'{"truck_id": ""}'])
def test_a_record_that_names_no_truck_belongs_to_its_partition_key(payload):
    assert whose(payload, "TRK001") is True
    assert whose(payload, "TRK002") is None
    assert whose(payload, None) is None


def test_part_of_another_id_in_an_unreadable_record_is_not_the_truck():
    assert whose(b'{"truck_id": "TRK0011", ', "a key") is None
    assert whose(b'{"truck_id": "XTRK001", ', "a key") is None


def test_an_id_sent_as_a_number_is_that_truck():
    assert attribution("7")(b'{"truck_id": 7}', "a key") is True


def test_an_id_of_any_characters():
    odd = 'Tr"ück.*\\'
    assert attribution(odd)(json.dumps({"truck_id": odd}).encode(), "a key") is True
    assert attribution(".*")(b'{"truck_id": "TRK001", ', "a key") is None


def test_a_probe_is_known_to_belong_to_no_truck():
    assert whose(probe.payload("a test"), probe.PARTITION_KEY) is False


@pytest.mark.parametrize(
    ("payload", "partition_key"),
    [
        pytest.param(json.dumps(FLAT).encode(), "key", id="flat_upper_case"),
        pytest.param(json.dumps(NESTED).encode(), None, id="nested"),
        pytest.param(b'{"truck_id": "TRK001", "vehicle_sp', "key", id="cut_off"),
        pytest.param(json.dumps(json.dumps(FLAT)).encode(), "key", id="encoded_twice"),
        pytest.param(json.dumps([NESTED]).encode(), "key", id="in_an_array"),
        pytest.param(b"\x1f\x8b\x08", "TRK001", id="compressed"),
        pytest.param(b"", "TRK001", id="empty"),
    ],
)
def test_a_reading_in_the_click_stream_is_a_stray(payload, partition_key):
    assert is_stray(payload, partition_key) is True


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'{"Item_ID": "TRK001", "Item_Name": "TRK001"}', id="an_item_of_the_same_id"),
        pytest.param(b'{"Item_ID": "A", "truck_id": "TRK001"}', id="a_click_that_names_a_truck"),
        pytest.param(b'{"Item_ID": "TRK001", "Item_N', id="a_click_that_is_cut_off"),
        pytest.param(b'{"item_id": "A", "Item_Name": "TRK001"}', id="a_click_in_other_letters"),
        pytest.param(b'{"truck_id": "TRK002", "note": "TRK001"}', id="another_truck"),
    ],
)
@pytest.mark.parametrize("partition_key", ["TRK001", "key", None])
def test_another_truck_and_a_click_are_no_strays_whatever_the_partition_key(payload, partition_key):
    assert is_stray(payload, partition_key) is False


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"{", b"\xff", b"{}", b'{"truck_id": null}', b'{"Click_Counts": "TRK001"}'),
        *(b'{"truck_id": "TRK0011", "not', probe.payload("a test")),
    ],
)
def test_what_names_no_truck_in_the_click_stream_is_anothers_and_not_unknown(payload):
    assert is_stray(payload, "a key") is False
