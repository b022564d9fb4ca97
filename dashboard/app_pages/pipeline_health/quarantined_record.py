"""One quarantined record: why it was refused, where it came from, its bytes, and how to replay it."""

from __future__ import annotations

import shlex
from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboard import airflow_links, as_sent, data, raw_bytes, times, ui
from include.contracts.quarantine import Quarantined
from include.contracts.times import parse, to_canonical

# How much of a record is shown.
TEXT_BYTES, HEX_BYTES = 4_096, 512


def show(key: str) -> None:
    """Read the object ``key`` and show it."""
    found = data.quarantine_object(key)
    if found is None:
        ui.empty("This record is not in quarantine any more", "A replay has resolved it, or it was erased.")
        return
    if found.record is None:
        st.markdown(f"{as_sent.markdown(key)} is not a record that a function quarantined ({found.size:,} bytes).")
        st.caption("Somebody put another file below quarantine/. Move it away: a replay stops at it.")
        _bytes(found.body, found.size)
        return
    record = found.record
    st.markdown(f":red-badge[✕ refused] **{as_sent.markdown(record.reason)}**")
    st.text(as_sent.visible(record.rule))
    _facts(record)
    _bytes(record.payload, len(record.payload))
    _history(record)
    _replay(record)


def replay_command(record: Quarantined) -> str:
    """Return the command that replays the record, and with it only those that arrived in the same instant.

    Without ``--execute`` it counts them.
    """
    arrival = parse(record.envelope.arrival_time)
    values = {
        "--stream": record.envelope.stream,
        "--reason": record.reason,
        "--from": to_canonical(arrival),
        "--to": to_canonical(arrival + timedelta(microseconds=1)),
    }
    # A value may begin with a hyphen.
    return " ".join(["python -m include.replay", *(f"{name}={shlex.quote(text)}" for name, text in values.items())])


def _facts(record: Quarantined) -> None:
    envelope = record.envelope
    facts = {
        "Field": record.field,
        "Value": record.value,
        "Function": record.function,
        "Stream": envelope.stream,
        "Shard": envelope.shard_id,
        "Sequence number": envelope.number,
        "Arrived": times.named(parse(envelope.arrival_time)),
        "Partition key": envelope.partition_key,
    }
    shown = {name: as_sent.visible(text) for name, text in facts.items() if text}
    # A table of text: nothing in it is read as Markdown.
    st.dataframe(
        pd.DataFrame({"": list(shown), "as recorded": list(shown.values())}),
        hide_index=True,
        column_config={
            "": st.column_config.TextColumn(width=130),
            "as recorded": st.column_config.TextColumn(width=900),
        },
    )


def _bytes(payload: bytes, size: int) -> None:
    """Show the start of ``payload``, of which there are ``size`` bytes, as text and as bytes."""
    st.markdown(f"**As sent**: {size:,} byte{'' if size == 1 else 's'}")
    st.code(raw_bytes.text(payload[:TEXT_BYTES]) or " ", language=None, wrap_lines=True)
    if size > TEXT_BYTES:
        st.caption(f"The first {TEXT_BYTES:,} of {size:,} bytes.")
    with st.expander("Bytes", icon=":material/data_object:"):
        st.code(raw_bytes.hex_dump(payload[:HEX_BYTES]) or " ", language=None)
        if size > HEX_BYTES:
            st.caption(f"The first {HEX_BYTES:,} of {size:,} bytes.")


def _history(record: Quarantined) -> None:
    if not record.history:
        st.caption("Nobody has tried to replay it.")
        return
    attempts = pd.DataFrame(
        [(parse(each.at), each.outcome, each.by, each.detail) for each in reversed(record.history)],
        columns=["at", "outcome", "by", "detail"],
    )
    st.markdown("**Replays so far**")
    st.dataframe(
        attempts,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={
            "at": times.column("Tried"),
            "outcome": "Outcome",
            "by": "By",
            "detail": st.column_config.TextColumn("Detail", width="large"),
        },
    )


def _replay(record: Quarantined) -> None:
    st.markdown("**Replay it** after the cause is fixed (runbook `docs/runbooks/replay.md`)")
    st.code(f"{replay_command(record)} --execute", language="shell", wrap_lines=True)
    st.caption("Without `--execute` the command only counts. `--bucket` names the bucket if it is not in the settings.")
    if address := airflow_links.dag(airflow_links.REPLAY):
        st.link_button("Open the DAG replay", address, icon=":material/replay:")
