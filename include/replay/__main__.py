"""``python -m include.replay``: count the records in quarantine, and send them through their function again.

    python -m include.replay                                        counts by stream and reason; changes nothing
    python -m include.replay --reason not_processed --list          also prints one line per record
    python -m include.replay --stream ClickDataStream --execute     replays

The standard AWS_* environment says where AWS is.  Exit code: 0 if every selected record got an answer (resolved, or
still invalid), 1 if not, 2 for a wrong argument, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import socket
import sys

from botocore.exceptions import BotoCoreError, ClientError

from include.arguments import add_arrival_range, add_bucket, positive_integer
from include.aws_clients import reprocessing_clients
from include.contracts.envelope import numbered
from include.replay.plan import ReplayPlan
from include.replay.replayer import replay
from include.replay.results import replay_report
from include.replay.selection import SelectedRecord
from include.s3_objects import ConflictError, UnreadableObjectError
from include.stream_functions import FUNCTIONS, FunctionError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    plan = ReplayPlan(
        streams=tuple(options.stream),
        reasons=tuple(options.reason),
        since=options.since,
        until=options.until,
        limit=options.limit,
    )
    try:
        summary = replay(
            reprocessing_clients(),
            options.bucket,
            plan,
            by=_person(),
            dry_run=not options.execute,
            on_selected=_print if options.list else None,
        )
    except (FunctionError, ConflictError, UnreadableObjectError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again to replay the rest", file=sys.stderr)
        return 130
    print(replay_report(summary))
    if not options.execute and summary.total:
        print("Nothing was changed.  Add --execute to replay.")
    return 1 if summary.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.replay",
        description="Count the records in quarantine and, with --execute, send them through their functions again.",
    )
    add_bucket(parser)
    parser.add_argument(
        "--stream", action="append", choices=sorted(FUNCTIONS), default=[], help="only this stream; repeatable"
    )
    parser.add_argument(
        "--reason", action="append", default=[], help="only this reason; repeatable (key_conflict only if named)"
    )
    add_arrival_range(parser)
    parser.add_argument("--limit", type=positive_integer, metavar="N", help="at most N records, the earliest first")
    parser.add_argument("--list", action="store_true", help="print one line per record")
    parser.add_argument("--execute", action="store_true", help="replay; without it, nothing is changed")
    return parser


def _person() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user often has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _print(record: SelectedRecord) -> None:
    tried = f"  tried {record.attempts} times" if record.attempts else ""
    number = numbered(record.sequence_number, record.sub_sequence_number)
    where = f" {record.field}" if record.field else ""
    print(
        f"{record.arrival_time}  {record.stream} {record.shard_id} {number}  "
        f"{record.reason}{where}: {record.rule}{tried}"
    )


if __name__ == "__main__":
    sys.exit(main())
