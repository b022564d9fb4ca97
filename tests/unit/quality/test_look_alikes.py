"""Which ids look the same, and how the difference is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.contracts.text import BLANKS
from include.quality.look_alikes import looks_like, spelled_out

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TRK001", "trk001"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("\uff34\uff32\uff2b\uff10\uff10\uff11", "TRK001"),
        ("TRK 001", "TRK001"),
        ("TRK\u00a0001", "TRK 001"),
        ("TRK\u200b001", "TRK001"),
        ("\u202eTRK001", "TRK001"),
        ("A-1", "A\u20111"),
        ("A\u20131", "A\u22121".replace("\u2212", "\u2014")),
        ("\u0422\u0420\u041a001", "TPK001"),
        ("\u0391\u0392", "AB"),
        ("\u212a", "k"),
        ("stra\u00dfe", "STRASSE"),
        ("\u2163", "iv"),
    ],
)
def test_two_ids_look_the_same(one, other):
    assert one != other
    assert looks_like(one) == looks_like(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TRK001", "TRK002"),
        ("TRK-001", "TRK001"),
        ("a", "\u00e1"),
        ("O", "0"),
        ("l", "1"),
        ("\u5361", "\u8f66"),
        ("1.1", "11"),
    ],
)
def test_two_ids_look_different(one, other):
    assert looks_like(one) != looks_like(other)


@given(st.text(min_size=1, max_size=12), st.sampled_from(BLANKS))
def test_an_id_looks_like_its_other_spellings(id_, blank):
    look = looks_like(id_)
    assert looks_like(look) == look
    assert looks_like(id_[:3] + blank + id_[3:]) == look
    assert looks_like(unicodedata.normalize("NFC", id_)) == look
    assert looks_like(unicodedata.normalize("NFD", id_)) == look


@given(st.text(max_size=12))
def test_an_id_is_spelled_out_in_printable_ascii(id_):
    spelled = spelled_out(id_)
    assert all(" " <= character <= "~" for character in spelled)
    assert spelled.encode().decode("unicode_escape") == id_


def test_a_difference_that_nobody_sees_is_spelled_out():
    assert spelled_out("TRK\u200b1 \u00e9\0\U0001f69a") == r"TRK\u200b1 \xe9\x00\U0001f69a"
