"""Names what a producer sent instead of one JSON object, and what it must change.

Only for the words of a rejection: a record is rejected whatever this module finds, and it is never unpacked.
"""

from __future__ import annotations

import codecs
import json
import re
from binascii import Error as NotBase64
from binascii import a2b_base64

UNCOMPRESSED = "send it uncompressed"
IN_UTF_8 = "send it in UTF-8"

# What a record begins with: (bytes, the format, what to do).
_SIGNATURES = (
    (b"\x1f\x8b", "gzip data", UNCOMPRESSED),
    (b"\x28\xb5\x2f\xfd", "zstd data", UNCOMPRESSED),
    *((bytes((0x78, second)), "zlib data", UNCOMPRESSED) for second in (0x01, 0x9C, 0xDA)),
    (b"\x04\x22\x4d\x18", "lz4 data", UNCOMPRESSED),
    (b"\xff\x06\x00\x00sNaPpY", "snappy data", UNCOMPRESSED),
    (b"BZh", "bzip2 data", UNCOMPRESSED),
    (b"\xfd7zXZ\x00", "xz data", UNCOMPRESSED),
    (b"PK\x03\x04", "a zip file", UNCOMPRESSED),
    (b"Obj\x01", "an Avro file", "send JSON"),
    # Before UTF-16, whose mark is the beginning of this one.
    *((mark, "UTF-32 text", IN_UTF_8) for mark in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, b"\0\0\0{", b"{\0\0\0")),
    *((mark, "UTF-16 text", IN_UTF_8) for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0{", b"{\0")),
    (codecs.BOM_UTF8, "UTF-8 text with a byte order mark", "send it without the mark"),
    (b"<", "XML or HTML", "send JSON"),
    (b"%7B", "URL-encoded text", "send the JSON itself"),
    (b"{'", "an object in single quotes", "write JSON, as json.dumps does"),
)
_IS_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{16,}={0,2}[\r\n]*").fullmatch


def describe(data: bytes) -> str | None:
    """What ``data``, which is not one JSON object, is instead, and what to do; None if that is unknown."""
    if (found := _by_signature(data)) is not None:
        return found
    if _IS_BASE64(data) and (packed := _packed_in_base64(data)):
        return f"{packed} as base64 text: send the bytes themselves, as the AWS SDKs encode them once more"
    document, rest = _first_value(data)
    if type(document) is str and _holds_an_object(document):
        return "a JSON text that holds an object (encoded twice): send the object itself"
    if type(document) is list:
        return "a list: send each element as a record of its own (the API accepts a list)"
    if type(document) is dict and rest and not rest.strip("\0 \t\r\n"):
        return "JSON with NUL bytes behind it: send the buffer up to the end of its text"
    if type(document) is dict and rest.lstrip(", \t\r\n").startswith("{"):
        return "several JSON values: send each as a record of its own"
    return None


def _by_signature(data: bytes) -> str | None:
    start = data[:16].lstrip(b" \t\r\n")
    return next((f"{name}: {remedy}" for mark, name, remedy in _SIGNATURES if start.startswith(mark)), None)


def _packed_in_base64(data: bytes) -> str | None:
    try:
        packed = a2b_base64(data)
    except NotBase64:
        return None
    if packed.lstrip()[:1] in (b"{", b"["):
        return "JSON"
    found = _by_signature(packed)
    return found and found.partition(":")[0]


def _first_value(data: bytes) -> tuple[object, str]:
    """(The first JSON value in ``data``, the text after it); (None, "") if there is no value."""
    try:
        text = data.decode().strip()
        document, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, ""
    return document, text[end:]


def _holds_an_object(text: str) -> bool:
    """Whether ``text`` is the JSON of an object, or of a text that holds one."""
    inner: object = text
    while type(inner) is str:
        inner, _ = _first_value(inner.encode("utf-8", "surrogatepass"))
    return type(inner) is dict
