"""The state that Snowpipe's threads and the statements about pipes share."""

from __future__ import annotations

import threading
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from . import errors
from .notifications import NotificationQueue


class Ingestion:
    """The account's ingestion: its queue, its two signals, and why pipes can't load.

    By pipe uid, ``faults`` has the reason why the pipe's last COPY could not run at all, and ``forwarded`` the last
    file that was announced to it, and when.
    """

    def __init__(self, account: str) -> None:
        self.queue = NotificationQueue(account)
        self.faults: dict[str, str] = {}
        self.forwarded: dict[str, tuple[str, datetime]] = {}
        # Some pipe waits for notifications; some pipe may have files to load.
        self.listening, self.waiting = threading.Event(), threading.Event()

    def channel(self) -> str:
        """The ARN of the account's queue, which is created now if it does not exist; from now on it is read.

        Raises:
            TransientError: SQS can't be reached.
        """
        try:
            arn = self.queue.arn()
        except (BotoCoreError, ClientError) as error:
            raise errors.TransientError(f"Can't create the notification channel: {error}", 2003, "02000") from error
        self.listening.set()
        return arn

    def wake(self) -> None:
        """Report that there may be something to load."""
        self.waiting.set()
