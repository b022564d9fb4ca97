"""What people on call are told of quality rules: which fail, and which pass again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from clicks_to_deliveries.notifiers.alert_topic import subject_of
from include.quality import RUNBOOK, Result, Rule
from include.quality.incidents import REMIND_AFTER

SAMPLES_TOLD = 5
LONGEST_TEXT = 500
COULD_NOT_RUN = "a-rule-could-not-run"


def failing(results: Sequence[Result], rules: Mapping[str, Rule], where: str) -> tuple[str, str]:
    """Subject and message of rules that fail; ``where`` are the lines that say which run found it."""
    again = all(result.alerted_at for result in results)
    subject = _subject("still failing" if again else "failed", results)
    hours = REMIND_AFTER // timedelta(hours=1)
    lasting = f"While it lasts you are told again every {hours} hours, and once when it is over.\n"
    return subject, "\n".join([*(_failure(result, rules.get(result.rule)) for result in results), where, lasting])


def over(results: Sequence[Result], where: str) -> tuple[str, str]:
    """Subject and message of rules that failed, as people were told, and fail the run no more."""
    return _subject("recovered", results), "\n".join([*map(_recovery, results), "", where])


def _subject(state: str, results: Sequence[Result]) -> str:
    return subject_of(state, "data_quality", [result.rule for result in results])


def _failure(result: Result, rule: Rule | None) -> str:
    since = _since(result)
    if result.status == "error":
        link = f"{RUNBOOK}#{COULD_NOT_RUN}"
        return f"{result.rule} could not run, {since}\n  error    {_short(result.message)}\n  runbook  {link}\n"
    samples = ", ".join(map(_short, result.samples[:SAMPLES_TOLD]))
    lines = [f"{result.rule}: {result.failed_count:,} offending, {since}", f"  samples  {samples}"]
    if rule is not None:
        lines += [f"  meaning  {rule.meaning}", f"  action   {rule.action}", f"  runbook  {rule.link}"]
    return "\n".join([*lines, ""])


def _recovery(result: Result) -> str:
    outcome = {
        "pass": "passes again",
        "fail": "fails, but is a warning now",
        "removed": "is no rule any more and was failing when it went",
    }[result.status]
    lasted = result.checked_at - (result.failing_since or result.checked_at)
    return f"{result.rule} {outcome}, after {_duration(lasted)} ({_since(result)})"


def _since(result: Result) -> str:
    return f"since {result.failing_since:%Y-%m-%d %H:%M:%S} UTC"


def _duration(time: timedelta) -> str:
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= LONGEST_TEXT else f"{one_line[:LONGEST_TEXT]}…"
