"""Bytes of a quarantined record, as a person reads them."""

from __future__ import annotations

import pytest

from dashboard import raw_bytes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"", ""),
        (b'{"a": 1}\r\n', '{"a": 1}<U+000D><U+000A>'),
        ("5 °C 🚚".encode(), "5 °C 🚚"),
        (b"\xf3\x89\x9a\xc2ok", "<0xF3><0x89><0x9A><0xC2>ok"),
        (b"\x00\x1b[31m", "<U+0000><U+001B>[31m"),
        ("x\u202ey".encode(), "x<U+202E>y"),
        (b"\xed\xa0\x80", "<0xED><0xA0><0x80>"),
    ],
)
def test_text_shows_every_byte(payload: bytes, shown: str) -> None:
    assert raw_bytes.text(payload) == shown


def test_a_dump_has_offset_values_and_printable_characters() -> None:
    assert raw_bytes.hex_dump(b"") == ""
    assert raw_bytes.hex_dump(b"0123456789abcdef\x7f`\xff").splitlines() == [
        "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        "00000010  7f 60 ff                                         .`.",
    ]
