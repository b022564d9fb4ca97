"""Text that a device sent, as a page shows it: no character of it is taken for formatting, and none is invisible.

Streamlit reads Markdown in labels, captions, messages, tooltips and the values of metrics.  There, ``![x](https://…)``
would make each viewer's browser fetch the address.  Tables, charts, the options of select boxes, ``st.text`` and
``st.code`` show text as it is.
"""

from __future__ import annotations

import re

# Control characters, line separators, characters that reverse the direction of the text around them, characters
# without width, and lone surrogates, which UTF-8 can't encode.  The joiners and tags inside an emoji are not among
# them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]",
)


def visible(text: str) -> str:
    """Return ``text`` on one line, with each character that has no shape of its own as its number: ``<U+000A>``."""
    return _UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)


def markdown(text: str) -> str:
    """Return Markdown that shows ``text``: a code span, the only inline element in which nothing is formatting.

    Backslashes are not enough: Streamlit looks for ``:material/…:``, emoji names and addresses after it has read them.
    """
    # Streamlit rewrites this even inside code, so a joiner without width or meaning keeps it apart.
    shown = visible(text).replace(":material/", ":\u2060material/")
    if not shown:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    # A backtick at an end would join the fence.  Markdown removes one space at either end.
    margin = " " if shown[0] in " `" or shown[-1] in " `" else ""
    return f"{fence}{margin}{shown}{margin}{fence}"
