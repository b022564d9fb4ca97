"""The part Quality: the rules that fail, since when and what to do, and the last results of every rule."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Protocol

import pandas as pd
import streamlit as st

from dashboard import airflow_links, as_sent, choices, data, times, ui
from dashboard.charts import pipeline_charts
from dashboard.charts.drawing import draw
from include.quality import RUNBOOK, Rule, read

# Until a person chooses a rule.
NO_RULE = "–"


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
    if address := airflow_links.run(airflow_links.DATA_QUALITY, str(results["run_id"].iloc[0])):
        st.link_button("Open this run in Airflow", address, icon=":material/open_in_new:")
    ranked = results.assign(
        result=[verdict(*row) for row in zip(results["status"], results["severity"], strict=True)],
        rank=(~failed).astype(int) - severe.astype(int),
        failing_since=results["failing_since"].where(failed),
    ).sort_values(["rank", "rule"])
    for row in ranked[ranked["status"] != "pass"].itertuples():
        with st.container(border=True):
            _failing_rule(row)
    _last_runs(list(ranked["rule"]))
    with st.expander("All rules", expanded=not failed.any(), icon=":material/checklist:"):
        _all_rules(ranked)
    _one_rule(list(ranked["rule"]))


def verdict(status: str, severity: str) -> str:
    """Return a rule's result with a sign.  A warning is not a failure; a rule that could not run is one."""
    result = _result(status, severity)
    return f"{pipeline_charts.RESULTS[result][0]} {result}" if result in pipeline_charts.RESULTS else result


def _result(status: str, severity: str) -> str:
    return "warn" if status == "fail" and severity == "warn" else status


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


def _last_runs(rules: list[str]) -> None:
    """Show a strip of the last runs for each of ``rules``."""
    with st.container(border=True):
        st.markdown(f"**The last {data.RUNS_PER_RULE} runs of each rule**")
        with ui.store_section():
            history = data.quality_history()
            history = history[history["rule"].isin(rules)]
            strips = history.assign(
                runs_ago=history.groupby("rule").cumcount(),
                result=[_result(*row) for row in zip(history["status"], history["severity"], strict=True)],
            )
            if not strips.empty:
                draw(
                    pipeline_charts.rule_runs(strips, rules),
                    width="stretch",
                    alt="Result of each rule in its newest runs. The parts above name those that fail.",
                )


def _one_rule(rules: list[str]) -> None:
    """Show the last runs of the rule that a person chooses, with their samples."""
    rule = choices.one("Runs of the rule", [NO_RULE, *rules], "rule")
    if rule == NO_RULE:
        return
    with ui.store_section():
        runs = data.rule_results(rule)
        st.dataframe(
            runs.assign(
                result=[verdict(*row) for row in zip(runs["status"], runs["severity"], strict=True)],
                samples=[json.loads(samples) if samples else [] for samples in runs["samples"]],
                link=[airflow_links.run(airflow_links.DATA_QUALITY, run) for run in runs["run_id"]],
            ),
            hide_index=True,
            placeholder=ui.UNKNOWN_VALUE,
            column_order=[
                *("checked_at", "result", "failed_count", "samples", "message", "failing_since", "run_id"),
                *(["link"] if airflow_links.dag(airflow_links.DATA_QUALITY) else []),
            ],
            column_config={
                "checked_at": times.column("Checked"),
                "result": st.column_config.TextColumn("Result", width="small"),
                "failed_count": st.column_config.NumberColumn("Violations", format="localized", width="small"),
                "samples": st.column_config.ListColumn("Samples", width="large", help="Up to 20 violations."),
                "message": st.column_config.TextColumn("Meaning or error", width="large"),
                "failing_since": times.column("Failing since"),
                "run_id": st.column_config.TextColumn("Run", width="medium"),
                "link": airflow_links.column("The run of data_quality."),
            },
        )


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
