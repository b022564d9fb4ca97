"""Ids and texts: which characters they may hold, and the words for records in other formats."""

import bz2
import gzip
import json
import lzma
import unicodedata
import zlib
from base64 import b64encode, encodebytes
from datetime import UTC, datetime

import pytest

from include.contracts import ContractError, decode_click, decode_reading
from include.contracts.text import BLANKS, CONTROLS
from include.generator.catalogue import items
from include.generator.trucks import truck_ids

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
TIME = "2025-03-17T15:35:54.597252"
READING = {"truck_id": "TRK001", "timestamp": TIME}
CLICK = {"Item_ID": "MOB001", "Item_Name": "Mobile", "Timestamp": TIME, "Click_Counts": 3}

ODD_AND_VALID = [
    *(
        "TRK 001",
        "a/b#c?d%20",
        "-",
        "'; drop",
        "\u5361\u8f66 7",
        "Gr\u00f6\u00dfe",
        "Cafe\u0301",
        "a\u200bb",
        "a\u00a0b",
    ),
    # A truck, a family, the flag of England, and a name in Persian.
    *(
        "\U0001f69a",
        "\U0001f468\u200d\U0001f469",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "\u0645\u06cc\u200c\u062e",
    ),
]


def rejected(decode, document) -> tuple[str, str | None]:
    with pytest.raises(ContractError) as caught:
        decode(json.dumps(document).encode(), now=NOW)
    assert caught.value.value.isprintable()
    # The same text as UTF-8 instead of escapes.
    with pytest.raises(ContractError):
        decode(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"), now=NOW)
    return caught.value.reason, caught.value.field


@pytest.mark.parametrize("id_", ODD_AND_VALID)
def test_an_odd_id_is_kept_as_sent(id_):
    for ascii_only in (True, False):
        reading = decode_reading(json.dumps(READING | {"truck_id": id_}, ensure_ascii=ascii_only).encode(), now=NOW)
        assert reading.truck_id == id_
        click = decode_click(json.dumps(CLICK | {"Item_ID": id_}, ensure_ascii=ascii_only).encode(), now=NOW)
        assert click.item_id == id_


@pytest.mark.parametrize("blank", BLANKS, ids=lambda blank: f"U+{ord(blank):04X}")
def test_an_id_is_neither_blank_nor_padded_in_any_shape(blank):
    for id_ in (blank, blank * 3, f"{blank}T", f"T{blank}"):
        assert rejected(decode_reading, READING | {"truck_id": id_}) == ("bad_text", "truck_id")
        assert rejected(decode_reading, {"TRUCK_ID": id_, "TIMESTAMP": TIME}) == ("bad_text", "truck_id")
        assert rejected(decode_click, CLICK | {"Item_ID": id_}) == ("bad_text", "Item_ID")
    # A text that people write may be.
    assert decode_click(json.dumps(CLICK | {"Item_Name": f"{blank}T"}).encode(), now=NOW).item_name == f"{blank}T"


@pytest.mark.parametrize("control", ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"])
def test_no_text_has_control_characters_in_any_shape(control):
    for text in (control, f"a{control}", f"{control}a", f"a{control}b"):
        assert rejected(decode_reading, READING | {"truck_id": text}) == ("bad_text", "truck_id")
        assert rejected(decode_reading, READING | {"brake_status": text}) == ("bad_text", "brake_status")
        assert rejected(decode_reading, READING | {"Transmission_Status": text}) == ("bad_text", "transmission_status")
        nested = {"vehicle_health_and_maintenance": {"brake_status": text}, "gps_location": {}}
        assert rejected(decode_reading, READING | nested) == ("bad_text", "brake_status")
        assert rejected(decode_click, CLICK | {"Item_ID": text}) == ("bad_text", "Item_ID")
        assert rejected(decode_click, CLICK | {"Item_Name": text}) == ("bad_text", "Item_Name")
    # Not a text of the contract.
    assert decode_reading(json.dumps(READING | {"note": control}).encode(), now=NOW).truck_id == "TRK001"


def test_the_characters_are_those_of_unicode():
    every = list(map(chr, range(0x10000)))
    assert set(CONTROLS) == {each for each in every if unicodedata.category(each) in ("Cc", "Zl", "Zp")}
    assert {each for each in every if each.isspace()} <= {*CONTROLS, *BLANKS}
    assert not {*CONTROLS} & {*BLANKS}


def test_the_generator_s_ids_are_ids():
    for truck in truck_ids(300):
        assert decode_reading(json.dumps(READING | {"truck_id": truck}).encode(), now=NOW)
    for item in items(300):
        document = CLICK | {"Item_ID": item.item_id, "Item_Name": item.name}
        assert decode_click(json.dumps(document).encode(), now=NOW).item_id == item.item_id


ONE = json.dumps(READING).encode()


@pytest.mark.parametrize(
    ("data", "reason", "named"),
    [
        (gzip.compress(ONE, mtime=0), "not_json", "gzip data: send it uncompressed"),
        (zlib.compress(ONE), "not_json", "zlib data"),
        (zlib.compress(ONE, 9), "not_json", "zlib data"),
        (bz2.compress(ONE), "not_json", "bzip2 data"),
        (lzma.compress(ONE), "not_json", "xz data"),
        (b"\x28\xb5\x2f\xfd" + ONE, "not_json", "zstd data"),
        (b"\x04\x22\x4d\x18" + ONE, "not_json", "lz4 data"),
        (b64encode(ONE), "not_json", "JSON as base64 text"),
        (encodebytes(ONE * 3), "not_json", "JSON as base64 text"),
        (b64encode(gzip.compress(ONE, mtime=0)), "not_json", "gzip data as base64 text"),
        (json.dumps(ONE.decode()).encode(), "not_an_object", "encoded twice"),
        (json.dumps(json.dumps(ONE.decode())).encode(), "not_an_object", "encoded twice"),
        (b"[" + ONE + b"]", "not_an_object", "a list"),
        (b"[]", "not_an_object", "a list"),
        (ONE + ONE, "not_json", "several JSON values"),
        (ONE + b"\n" + ONE + b"\n", "not_json", "several JSON values"),
        (ONE + b",\n" + ONE, "not_json", "several JSON values"),
        (ONE + b"\0", "not_json", "JSON with NUL bytes behind it"),
        (ONE + b"\0" * 40, "not_json", "JSON with NUL bytes behind it"),
        (ONE.decode().encode("utf-16"), "not_json", "UTF-16 text: send it in UTF-8"),
        (ONE.decode().encode("utf-16-be"), "not_json", "UTF-16 text"),
        (ONE.decode().encode("utf-16-le"), "not_json", "UTF-16 text"),
        (ONE.decode().encode("utf-32"), "not_json", "UTF-32 text"),
        (b"\xef\xbb\xbf" + ONE, "not_json", "UTF-8 text with a byte order mark"),
        (str(READING).encode(), "not_json", "single quotes"),
        (b" <!doctype html>", "not_json", "XML or HTML"),
        (b"%7B%22truck_id%22", "not_json", "URL-encoded text"),
    ],
)
@pytest.mark.parametrize("decode", [decode_click, decode_reading])
def test_a_record_in_another_format_is_named_with_what_to_do(decode, data, reason, named):
    with pytest.raises(ContractError) as caught:
        decode(data, now=NOW)
    assert (caught.value.reason, caught.value.field) == (reason, None)
    assert caught.value.rule.startswith("one JSON object; this is ")
    assert named in caught.value.rule
    assert ": " in caught.value.rule


@pytest.mark.parametrize("data", [b"", b"TRK001", b'"TRK001"', b"42", b"null", ONE[:-2], ONE + b",", b"x^2 + 1"])
def test_a_record_of_no_known_format_has_the_parser_s_words(data):
    with pytest.raises(ContractError) as caught:
        decode_reading(data, now=NOW)
    assert "this is" not in caught.value.rule
