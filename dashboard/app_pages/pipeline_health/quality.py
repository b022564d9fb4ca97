"""The tab Quality: the rules that fail, since when and what to do, and the last result of every rule."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Protocol

import pandas as pd
import streamlit as st

from dashboard import as_sent, data, times, ui
from include.quality import RUNBOOK, Rule, read


class FailingRule(Protocol):
    """A row of the results whose rule failed or could not run."""

    rule: str
    severity: str
    status: str
    result: str
    message: str
    samples: str
    failed_count: float
    failing_since: datetime


def show() -> None:
    """Show the results of the last run."""
    results = data.quality_results()
    if results.empty:
        ui.empty("No quality rule has been checked yet", "The DAG **data_quality** checks the rules after each merge.")
        return
    failed = results["status"] != "pass"
    severe = failed & ((results["severity"] == "fail") | (results["status"] == "error"))
    cards = st.columns(4)
    cards[0].metric("Rules passed", f"{(~failed).sum()} of {len(results)}", border=True)
    cards[1].metric(
        "Failures",
        f"{severe.sum()}",
        border=True,
        help="Rules of severity fail that failed, and rules that could not run.",
    )
    cards[2].metric("Warnings", f"{(failed & ~severe).sum()}", border=True)
    cards[3].metric("Last checked", f"{ui.age(results['checked_at'].max())} ago", border=True)
    ranked = results.assign(
        result=[verdict(*row) for row in zip(results["status"], results["severity"], strict=True)],
        rank=(~failed).astype(int) - severe.astype(int),
        failing_since=results["failing_since"].where(failed),
    ).sort_values(["rank", "rule"])
    for row in ranked[ranked["status"] != "pass"].itertuples():
        with st.container(border=True):
            _failing_rule(row)
    with st.expander("All rules", expanded=not failed.any(), icon=":material/checklist:"):
        _all_rules(ranked)


def verdict(status: str, severity: str) -> str:
    """Return a rule's result with a sign.  A warning is not a failure; a rule that could not run is one."""
    if status == "fail":
        return "✕ fail" if severity == "fail" else "▲ warn"
    return {"pass": "✓ pass", "error": "! error"}.get(status, status)


def _failing_rule(row: FailingRule) -> None:
    """Show since when a rule fails, what that means, what to do, and examples."""
    is_error = row.status == "error"
    colour = "red" if row.severity == "fail" or is_error else "orange"
    result = row.result if row.status in {"fail", "error"} else as_sent.markdown(row.result)
    heading = f":{colour}-badge[{result}] **{as_sent.markdown(row.rule)}** · severity {as_sent.markdown(row.severity)}"
    if not pd.isna(row.failing_since):
        heading += f" · failing for **{ui.age(row.failing_since)}**, since {times.named(row.failing_since)}"
    st.markdown(heading)
    if is_error:
        st.markdown("The rule could not run, which counts as a failure.")
        st.code(row.message, language=None, wrap_lines=True)
    else:
        st.text(row.message)
    if rule := _rules_by_name().get(row.rule):
        to_do = "" if is_error else f"**What to do:** {rule.action} "
        link = f"{RUNBOOK}#a-rule-could-not-run" if is_error else rule.link
        st.markdown(f"{to_do}Runbook `{link}`, rule `sql/quality/{rule.name}.sql`, owner {rule.owner}.")
    if samples := json.loads(row.samples):
        violations = f"{row.failed_count:,.0f} violation{'' if row.failed_count == 1 else 's'}"
        st.caption(f"{violations}, including:" if row.failed_count > len(samples) else f"{violations}:")
        # As code, so that nothing in the data is taken for formatting.
        st.code("\n".join(samples), language=None)


@cache
def _rules_by_name() -> dict[str, Rule]:
    """Return the rules in this checkout; the run may have had others."""
    return {rule.name: rule for rule in read()[0]}


def _all_rules(results: pd.DataFrame) -> None:
    st.dataframe(
        results[["result", "rule", "severity", "failing_since", "failed_count", "message", "checked_at"]],
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={
            "result": st.column_config.TextColumn("Result", width="small"),
            "rule": st.column_config.TextColumn("Rule", width="medium"),
            "severity": st.column_config.TextColumn("Severity", width="small"),
            "failing_since": times.column("Failing since"),
            "failed_count": st.column_config.NumberColumn("Violations", format="localized", width="small"),
            "message": st.column_config.TextColumn("Meaning or error", width="large"),
            "checked_at": times.column("Checked"),
        },
    )
