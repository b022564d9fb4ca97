"""Failures that need no alert of their own."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowFailException


class ReportedFailure(AirflowFailException):
    """The task stored an alert about what it found, or an earlier run did.  Not retried: it would find the same."""


class FormError(AirflowFailException):
    """Somebody filled in a form wrongly.  They see it in the run; nobody else has to know."""
