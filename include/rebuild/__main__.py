"""``python -m include.rebuild``: recreate clicks, landing zone, truck states and quarantine from the raw archive.

    python -m include.rebuild --bucket BUCKET                                    everything
    python -m include.rebuild --stream TruckTelemetry --from 2026-11-22T14:00 --to 2026-11-22T16:00
    python -m include.rebuild --progress rebuild.json                            can be stopped and continued

The standard AWS_* environment says where AWS is.  docs/rebuild.md describes the steps before and after.  Exit code: 0
if every record is in its sink or in quarantine, 1 if not, 2 for a wrong argument, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.archive import ArchiveError
from include.arguments import add_arrival_range, add_bucket, positive_integer
from include.aws_clients import reprocessing_clients
from include.rebuild.rebuild_progress import RebuildError, RebuildProgress
from include.rebuild.rebuilder import RebuildPlan, rebuild
from include.stream_functions import FUNCTIONS, FunctionError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    plan = RebuildPlan(
        streams=tuple(dict.fromkeys(options.stream)) or tuple(FUNCTIONS),
        since=options.since,
        until=options.until,
        shards_at_once=options.shards_at_once,
    )
    try:
        summaries = rebuild(
            reprocessing_clients(connections=plan.shards_at_once + 2),
            options.bucket,
            plan,
            progress=RebuildProgress(options.progress),
            report=lambda text: print(text, flush=True),
        )
    except (RebuildError, FunctionError, ArchiveError, ClientError, BotoCoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again to rebuild the rest", file=sys.stderr)
        return 130
    for stream, summary in summaries.items():
        print(
            f"{stream}: {summary.processed:,} records processed in {summary.batches:,} batches "
            f"({summary.archived:,} lines, {summary.duplicates:,} duplicates, {summary.probes:,} probes; "
            f"{summary.hours} hours)"
        )
        if summary.skipped_hours:
            print(f"{stream}: {summary.skipped_hours} hours skipped: {options.progress} says that they are finished")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.rebuild", description="Rebuild the stores from the raw archive (docs/rebuild.md)."
    )
    add_bucket(parser)
    parser.add_argument(
        "--stream", action="append", choices=sorted(FUNCTIONS), default=[], help="only this stream; repeatable"
    )
    add_arrival_range(parser)
    parser.add_argument("--progress", type=Path, metavar="FILE", help="keep finished hours in FILE, and skip them")
    parser.add_argument("--shards-at-once", type=positive_integer, default=4, metavar="N", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
