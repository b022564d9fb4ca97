"""Bytes of a record for a person to read: as text and as a dump, with no character that formats or hides anything."""

from __future__ import annotations

from dashboard import as_sent

BYTES_PER_LINE = 16


def text(payload: bytes) -> str:
    """Return the bytes as UTF-8 on one line: what is not UTF-8 as ``<0xF3>``, what has no shape as ``<U+000A>``."""
    decoded = payload.decode("utf-8", errors="surrogateescape")
    # A byte that is not UTF-8 is decoded as U+DC00 and its value.
    parts = (f"<0x{ord(each) - 0xDC00:02X}>" if "\udc80" <= each <= "\udcff" else each for each in decoded)
    return as_sent.visible("".join(parts))


def hex_dump(payload: bytes) -> str:
    """Return the bytes in lines of 16: offset, hexadecimal values, and the printable ASCII characters among them."""
    lines = []
    for start in range(0, len(payload), BYTES_PER_LINE):
        line = payload[start : start + BYTES_PER_LINE]
        values = line.hex(" ").ljust(3 * BYTES_PER_LINE - 1)
        characters = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in line)
        lines.append(f"{start:08x}  {values}  {characters}")
    return "\n".join(lines)
