"""The notifications about quality rules: which rules fail, and which pass again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from clicks_to_deliveries.notifiers.alert_topic import subject_of
from include.quality import RUNBOOK, Rule, RuleResult
from include.quality.incidents import REMIND_AFTER

SAMPLES_SHOWN = 5
LONGEST_TEXT = 500
COULD_NOT_RUN = "a-rule-could-not-run"


def failure(results: Sequence[RuleResult], rules: Mapping[str, Rule], where: str) -> tuple[str, str]:
    """Return subject and message for rules that fail; ``where`` are the lines that say which run found it."""
    is_reminder = all(result.alerted_at for result in results)
    subject = _subject("still failing" if is_reminder else "failed", results)
    hours = REMIND_AFTER // timedelta(hours=1)
    what_next = f"You get a reminder every {hours} hours while this lasts, and one message when it is over.\n"
    return subject, "\n".join([*(_failure(result, rules.get(result.rule)) for result in results), where, what_next])


def warning(results: Sequence[RuleResult], rules: Mapping[str, Rule], where: str) -> tuple[str, str]:
    """Return subject and message for warnings that people are notified of once; the run does not fail."""
    hours = REMIND_AFTER // timedelta(hours=1)
    what_next = (
        f"This is a warning: the run does not fail. You get another message after {hours} hours if more trucks are "
        "concerned by then, and one when it is over.\n"
    )
    details = [_failure(result, rules.get(result.rule)) for result in results]
    return _subject("warning", results), "\n".join([*details, where, what_next])


def recovery(results: Sequence[RuleResult], where: str) -> tuple[str, str]:
    """Return subject and message for rules that were reported as failing and no longer fail the run."""
    return _subject("recovered", results), "\n".join([*map(_recovery, results), "", where])


def _subject(state: str, results: Sequence[RuleResult]) -> str:
    return subject_of(state, "data_quality", [result.rule for result in results])


def _failure(result: RuleResult, rule: Rule | None) -> str:
    since = _since(result)
    if result.status == "error":
        link = f"{RUNBOOK}#{COULD_NOT_RUN}"
        return f"{result.rule} can't run, {since}\n  error    {_short(result.message)}\n  runbook  {link}\n"
    samples = ", ".join(map(_short, result.samples[:SAMPLES_SHOWN]))
    keys = "key" if result.failed_count == 1 else "keys"
    lines = [f"{result.rule}: {result.failed_count:,} offending {keys}, {since}", f"  samples  {samples}"]
    if rule is not None:
        lines += [f"  meaning  {rule.meaning}", f"  action   {rule.action}", f"  runbook  {rule.link}"]
    return "\n".join([*lines, ""])


def _recovery(result: RuleResult) -> str:
    outcome = {
        "pass": "passes again",
        "fail": "still fails, but is only a warning now",
        "removed": "was removed while it failed",
    }[result.status]
    lasted = result.checked_at - (result.failing_since or result.checked_at)
    return f"{result.rule} {outcome}, after {_duration(lasted)} ({_since(result)})"


def _since(result: RuleResult) -> str:
    return f"since {result.failing_since:%Y-%m-%d %H:%M:%S} UTC"


def _duration(time: timedelta) -> str:
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= LONGEST_TEXT else f"{one_line[:LONGEST_TEXT]}…"
