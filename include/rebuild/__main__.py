"""``python -m include.rebuild``: clicks, landing zone, truck states and quarantine from the raw archive.

    python -m include.rebuild --bucket BUCKET                                    everything
    python -m include.rebuild --stream TruckTelemetry --from 2026-11-22T14:00 --to 2026-11-22T16:00
    python -m include.rebuild --progress rebuild.json                            can be stopped and goes on

AWS is reached as the standard AWS_* environment says.  docs/rebuild.md has what comes before and after.  Exit code: 0
when every record is in its sink or in quarantine, 1 when not, 2 for a wrong argument, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.archive import ArchiveError
from include.arguments import add_arrival_range, add_bucket, positive_integer
from include.rebuild.invoker import RebuildError
from include.rebuild.run import Plan, Progress, make_clients, run
from include.replay.invoker import FUNCTIONS


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    plan = Plan(
        streams=tuple(dict.fromkeys(options.stream)) or tuple(FUNCTIONS),
        since=options.since,
        until=options.until,
        shards_at_once=options.shards_at_once,
    )
    try:
        summaries = run(
            make_clients(at_once=plan.shards_at_once),
            options.bucket,
            plan,
            progress=Progress(options.progress),
            tell=lambda text: print(text, flush=True),
        )
    except (RebuildError, ArchiveError, ClientError, BotoCoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was processed stays; run it again", file=sys.stderr)
        return 130
    for stream, done in summaries.items():
        print(
            f"{stream}: {done.processed:,} records processed in {done.batches:,} batches ({done.archived:,} lines, "
            f"{done.duplicates:,} duplicates, {done.probes:,} probes; {done.hours} hours, "
            f"{done.skipped_hours} done before)"
        )
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
    parser.add_argument("--progress", type=Path, metavar="FILE", help="remember finished hours in FILE, and skip them")
    parser.add_argument("--shards-at-once", type=positive_integer, default=4, metavar="N", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
