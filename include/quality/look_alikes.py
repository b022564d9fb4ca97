"""When two different ids look the same to a person."""

from __future__ import annotations

import unicodedata

from include.contracts.text import BLANKS

# Letters of other alphabets that look like a Latin one; lower case, as they are compared.
_LATIN = str.maketrans("авекмнорстухіјѕαβεζηικμνορτυχ", "abekmhopctyxijsabezhikmnoptyx")
_UNSEEN = dict.fromkeys(map(ord, BLANKS))


def looks_like(id_: str) -> str:
    """The same text for all ids that look the same.

    Upper and lower case, full and half width, composed and decomposed letters, white space and invisible characters,
    kinds of hyphens, and Cyrillic and Greek letters beside Latin ones make no difference.
    """
    seen, before = id_, ""
    # Each step can make work for another: some characters become a blank and a mark, and a blank keeps a mark apart.
    while seen != before:
        before = seen
        seen = unicodedata.normalize("NFKC", seen.translate(_UNSEEN)).casefold().translate(_LATIN)
    return "".join("-" if unicodedata.category(character) == "Pd" else character for character in seen)


def spelled_out(id_: str) -> str:
    """The id in printable ASCII: a person can see what makes it different from its look-alike."""
    return id_.encode("unicode_escape").decode()
