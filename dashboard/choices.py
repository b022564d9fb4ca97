"""Widgets whose choice outlasts a refresh and is in the page's address.

Streamlit forgets a widget's value once a run does not show the widget, and resets it where an option is gone.  Each
widget here remembers what a person chose: while options come and go, a store fails or another page is open.

The address has every choice that is not the default, under the widget's key.  A link to it opens the same view, also
after the server has restarted.  A widget with the same key on another page shows the same choice.

The session knows best: the address is read when a session begins, when a page is entered and when a person goes back
or forward in the browser's history.  At any other time a browser may still report an address from before a choice.

Tabs are left to the browser, which keeps the open one while a page is open.  :func:`part` is for parts of a page of
which only the open one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import as_sent

_STATE = "choices"


@dataclass
class _Session:
    """What the choices of one browser's session are.  A choice is a list of texts, as it is in the address.

    Attributes:
        chosen: each choice that a person made or that an address named, by key.
        in_address: those that belong in the address, because they are not the default, by key.
        shown: the keys of each page's widgets.
        on_arrival: the choices at each page's last arrival.
        page: the page that is open.
        set_here: the keys of widgets that have their value since that page was entered.
    """

    chosen: dict[str, list[str]] = field(default_factory=dict)
    in_address: dict[str, list[str]] = field(default_factory=dict)
    shown: dict[str, set[str]] = field(default_factory=dict)
    on_arrival: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    page: str | None = None
    set_here: set[str] = field(default_factory=set)


def arrive(page: str, shared: Iterable[str] = ()) -> None:
    """Take the choices from the address if ``page`` was just entered, and add those that the address lacks.

    Call it in each run, before the first widget.  ``shared`` are the keys of widgets that every page has.
    """
    session, address = _session(), _address()
    if page != session.page:
        session.set_here.clear()
    if _is_back_or_forward():
        # Where the address names no choice, it was as on arrival.
        before = session.on_arrival.get(page, {})
        for key in {*shared, *session.shown.get(page, ())} - set(address):
            session.chosen.pop(key, None)
            session.in_address.pop(key, None)
            if key in before:
                session.chosen[key] = before[key]
        session.chosen |= address
        session.page = page
    elif page != session.page:
        session.chosen |= address
        session.on_arrival[page] = dict(session.chosen)
        session.page = page
        here = {*shared, *session.shown.setdefault(page, set())}
        lacking = {key: session.in_address[key] for key in here - set(address) if key in session.in_address}
        if lacking:
            # All of them together: each change of the address is an entry in the browser's history.
            st.query_params.update(lacking)


def one(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    default: str | None = None,
    meaning: str | None = None,
    words: Callable[[str], str] = str,
) -> str:
    """Ask for one of ``options``.

    Args:
        label: the label.
        options: what there is to choose, at least one.
        key: the choice's name in the address.
        default: chosen until a person chooses, if it is an option; otherwise the first one is.
        meaning: the text of the label's tooltip.
        words: how an option reads.

    The default stands in for a choice that is gone, and a caption says so.
    """
    remembered = _only(key)
    usual = default if default in options else options[0]
    _publish(key, None if remembered == default else remembered)
    _show(key, remembered if remembered in options else usual)
    chosen: str = st.selectbox(
        label, options, key=key, help=meaning, format_func=words, on_change=_remember, args=[key]
    )
    _say_what_is_gone(remembered, options)
    return chosen


def part(label: str, parts: Sequence[str], key: str, *, words: Callable[[str], str] = str) -> str:
    """Ask which of a page's ``parts`` is open, the first until a person chooses.  The label is for screen readers.

    Streamlit's tabs run the contents of every tab.  They can run only the open one, but a person who clicks two tabs
    quickly on a slow connection then ends up on the first of them.
    """
    remembered = _only(key)
    open_part = remembered if remembered in parts else parts[0]
    _publish(key, None if open_part == parts[0] else open_part)
    _show(key, open_part)
    chosen = st.segmented_control(
        label,
        parts,
        required=True,
        key=key,
        format_func=words,
        on_change=_remember,
        args=[key],
        label_visibility="collapsed",
    )
    return chosen or parts[0]


def many(label: str, options: Sequence[str], default: Sequence[str], key: str) -> list[str]:
    """Ask for any number of ``options``, and return those of the choice that still exist.

    Until a person chooses, the choice is ``default``.  An option that comes back is chosen again.
    """
    remembered, existing = _session().chosen.get(key), set(options)
    # In the address, an empty text stands for no option at all.
    wanted = default if remembered is None else [option for option in remembered if option]
    _publish(key, None if remembered is None or wanted == list(default) else wanted or [""])
    _show(key, [option for option in dict.fromkeys(wanted) if option in existing])
    return st.multiselect(label, options, key=key, on_change=_remember, args=[key])


def switch(label: str, key: str, *, meaning: str | None = None) -> bool:
    """Ask whether something is so; it is not until a person says that it is."""
    on = _only(key) == "yes"
    _publish(key, "yes" if on else None)
    _show(key, on)
    return st.toggle(label, key=key, help=meaning, on_change=_remember, args=[key])


def day(label: str, default: date, earliest: date, latest: date, key: str) -> date:
    """Ask for a day, which is ``default`` until a person chooses.  A day out of range is moved into it."""
    remembered = _only(key)
    try:
        chosen = default if remembered is None else date.fromisoformat(remembered)
    except ValueError:  # Somebody edited the address.
        chosen, remembered = default, None
    _publish(key, remembered)
    shown = min(max(chosen, earliest), latest)
    _show(key, shown)
    # Not with ``required``: Streamlit 1.67 then says so to a screen reader in a way that it can't read.
    asked = st.date_input(
        label,
        min_value=earliest,
        max_value=latest,
        key=key,
        format="YYYY-MM-DD",
        on_change=_remember,
        args=[key],
    )
    return asked if isinstance(asked, date) else shown


def text(label: str, default: str, key: str, meaning: str, *, of: str = "") -> str:
    """Ask for a text, which is the first ``default`` until a person types another.

    ``of`` is what the text is about, if each has its own: the address then has the one of that which is shown.
    """
    session = _session()
    own = f"{key} of {of}" if of else key
    if of and key in session.chosen:
        # From the address, whose text is about what it shows.
        session.chosen[own] = session.chosen.pop(key)
    typed = _only(own)
    _publish(key, typed)
    first: str = st.session_state.setdefault(f"first_{own}", default)
    _show(key, first if typed is None else typed)
    return st.text_input(label, key=key, help=meaning, on_change=_remember, args=[key, own])


def kept(key: str) -> str | None:
    """Return a choice that a person makes without a widget of this module, such as by a click on a map; see ``put``."""
    _publish(key, _only(key))
    return _only(key)


def put(key: str, *values: str) -> None:
    """Choose ``values``, or nothing at all if there are none.  Call it before the widget is shown: in a callback."""
    if values:
        _session().chosen[key] = list(values)
    else:
        _session().chosen.pop(key, None)


def address(keys: Iterable[str]) -> dict[str, list[str]]:
    """Return the choices of these keys that are not the default, as they are in an address."""
    session = _session()
    return {key: session.in_address[key] for key in keys if key in session.in_address}


def _session() -> _Session:
    session: _Session = st.session_state.setdefault(_STATE, _Session())
    return session


def _address() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def _is_back_or_forward() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _only(key: str) -> str | None:
    """Return a choice of one text.  An address may name several; the last counts, as it does for Streamlit."""
    values = _session().chosen.get(key)
    return values[-1] if values else None


def _remember(key: str, own: str | None = None) -> None:
    value = st.session_state[key]
    match value:
        case list():
            chosen = [str(option) for option in value] or [""]
        case bool():
            chosen = ["yes"] if value else ["no"]
        case _:
            chosen = [str(value)]
    _session().chosen[own or key] = chosen


def _show(key: str, value: object) -> None:
    """Give a widget its value, unless it has it.

    What Streamlit holds of a widget with this key on the page before is not the value of the one here.
    """
    set_here = _session().set_here
    if key not in set_here or key not in st.session_state or st.session_state[key] != value:
        set_here.add(key)
        st.session_state[key] = value


def _publish(key: str, choice: str | Sequence[str] | None) -> None:
    """Put a choice into the address, or take it out if it is the default."""
    session = _session()
    session.shown.setdefault(session.page or "", set()).add(key)
    if choice is None:
        session.in_address.pop(key, None)
        if key in st.query_params:
            del st.query_params[key]
        return
    values = [choice] if isinstance(choice, str) else list(choice)
    session.in_address[key] = values
    if st.query_params.get_all(key) != values:
        st.query_params[key] = values


def _say_what_is_gone(remembered: str | None, options: Sequence[str]) -> None:
    if remembered and remembered not in options:
        st.caption(f"{as_sent.markdown(remembered)} is not available now. This is another choice.")
