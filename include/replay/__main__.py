"""``python -m include.replay``: what is in quarantine, and putting it through its function again.

    python -m include.replay                                        counts by stream and reason; nothing is changed
    python -m include.replay --reason not_processed --list          one line a record as well
    python -m include.replay --stream ClickDataStream --execute     replays

AWS is reached as the standard AWS_* environment says.  Exit code: 0 when every chosen record got an answer (resolved,
or still invalid), 1 when not, 2 for a wrong argument, 130 when interrupted.
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
from include.replay.clients import make_clients
from include.replay.invoker import FUNCTIONS, ReplayError
from include.replay.report import lines
from include.replay.run import Chosen, Plan, run
from include.replay.store import ConflictError, UnreadableObjectError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    plan = Plan(
        streams=tuple(options.stream),
        reasons=tuple(options.reason),
        since=options.since,
        until=options.until,
        limit=options.limit,
    )
    try:
        summary = run(
            make_clients(),
            options.bucket,
            plan,
            by=_person(),
            dry_run=not options.execute,
            tell=_print if options.list else None,
        )
    except (ReplayError, ConflictError, UnreadableObjectError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was not come to is as it was; run it again", file=sys.stderr)
        return 130
    print("\n".join(lines(summary)))
    if not options.execute and summary.total:
        print("Nothing was changed.  Add --execute to replay.")
    return 1 if summary.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.replay",
        description="List what is in quarantine and, with --execute, have its functions process it again.",
    )
    add_bucket(parser)
    parser.add_argument(
        "--stream", action="append", choices=sorted(FUNCTIONS), default=[], help="only of this stream; repeatable"
    )
    parser.add_argument(
        "--reason", action="append", default=[], help="only of this reason; repeatable (key_conflict only if named)"
    )
    add_arrival_range(parser)
    parser.add_argument(
        "--limit", type=positive_integer, metavar="N", help="so many records at most, the earliest first"
    )
    parser.add_argument("--list", action="store_true", help="print a line for each record")
    parser.add_argument("--execute", action="store_true", help="replay; without it nothing is changed")
    return parser


def _person() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user often has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _print(record: Chosen) -> None:
    tried = f"  tried {record.attempts}x" if record.attempts else ""
    where = f" {record.field}" if record.field else ""
    print(
        f"{record.arrival_time}  {record.stream} {record.shard_id} {record.sequence_number}  "
        f"{record.reason}{where}: {record.rule}{tried}"
    )


if __name__ == "__main__":
    sys.exit(main())
