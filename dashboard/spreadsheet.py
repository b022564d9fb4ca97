"""CSV files that spreadsheets open as they are: no cell becomes a formula, and no number changes.

OWASP's advice against CSV injection: a text that a spreadsheet would take for a formula gets an apostrophe in front,
and each text is quoted.  A text that begins with an apostrophe gets one too, so whoever takes one apostrophe off each
text that begins with one has exactly what was sent.
"""

from __future__ import annotations

import csv as csv_format
from collections.abc import Hashable
from datetime import datetime
from io import StringIO

import pandas as pd

# How a formula begins in Excel, LibreOffice and Google Sheets, in full width too; some skip blanks before it.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def csv(frame: pd.DataFrame) -> bytes:
    """Return ``frame`` as CSV in UTF-8 with a byte order mark, without which Excel garbles other scripts.

    Integers keep all their digits, instants are written in UTC as ISO 8601, and a missing value is an empty cell.
    """
    out = StringIO()
    writer = csv_format.writer(out, quoting=csv_format.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(map(str, frame.columns))
    for row in frame.to_dict("records"):
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode("utf-8-sig", errors="replace")


def guarded(text: str) -> str:
    """Return ``text`` as a spreadsheet shows it and never calculates it."""
    return f"'{text}" if text.startswith("'") or text.lstrip(" \u00a0\u3000").startswith(_FORMULA) else text


def _cell(value: Hashable) -> object:
    if isinstance(value, str):
        return guarded(value)
    if value is None or pd.isna(value):
        return ""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
