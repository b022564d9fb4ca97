"""``python -m include.rebuild``: clicks, landing zone, truck states and quarantine from the raw archive.

    python -m include.rebuild --bucket BUCKET                                    everything
    python -m include.rebuild --stream TruckTelemetry --from 2026-11-22T14:00 --to 2026-11-22T16:00
    python -m include.rebuild --progress rebuild.json                            can be stopped and goes on

AWS is reached as the standard AWS_* environment says.  docs/rebuild.md has what comes before and after.  Exit code: 0
when every record is in its sink or in quarantine, 1 when not, 2 for a wrong argument, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include.archive import ArchiveError
from include.contracts.times import parse
from include.rebuild.invoker import RebuildError
from include.rebuild.run import Plan, Progress, make_clients, run
from include.replay.invoker import FUNCTIONS
from include.settings import PREFIX, Settings


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
    parser.add_argument("--bucket", default=_bucket(), help="the telemetry bucket (default: %(default)s)")
    parser.add_argument(
        "--stream", action="append", choices=sorted(FUNCTIONS), default=[], help="only this stream; repeatable"
    )
    parser.add_argument("--from", dest="since", type=_time, metavar="TIME", help="arrived at or after, ISO 8601, UTC")
    parser.add_argument("--to", dest="until", type=_time, metavar="TIME", help="arrived before")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="remember finished hours in FILE, and skip them")
    parser.add_argument("--shards-at-once", type=_positive, default=4, metavar="N", help="default: %(default)s")
    return parser


def _bucket() -> str:
    """As the settings say, of which this needs no other."""
    (field,) = (field for field in msgspec.structs.fields(Settings) if field.name == "telemetry_bucket")
    return os.environ.get(f"{PREFIX}TELEMETRY_BUCKET") or field.default


def _time(text: str) -> datetime:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
