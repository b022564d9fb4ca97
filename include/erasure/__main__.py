"""``python -m include.erasure``: count what the AWS stores hold about one truck, and erase it.

    python -m include.erasure --truck TRK001                      counts; changes nothing (--dry-run, the default)
    python -m include.erasure --truck TRK001 --execute TRK001     erases; the id a second time, as a confirmation
    python -m include.erasure --truck TRK001 --execute TRK001 --since 2026-11-22T14:00
                                                                  only what was stored since

The DAG erase_truck does all of this and erases Snowflake's side too.  The standard AWS_* environment says where AWS is.
This command knows one reported id, and nothing of readings that were assigned to another truck (docs/erasure.md).
Exit code: 0 if nothing is left (or after a dry run), 1 if not, 2 for a wrong argument, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from include.arguments import add_bucket, argument, utc_time
from include.aws_clients import store_clients
from include.erasure.eraser import check_truck_id, erase
from include.erasure.summary import erasure_report
from include.s3_objects import ConflictError


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.execute is not None and options.execute != options.truck:
        parser.error(f"not confirmed: --execute {options.execute} differs from --truck {options.truck}")
    try:
        summary = erase(
            store_clients(),
            options.bucket,
            options.truck,
            dry_run=options.execute is None,
            since=options.since,
            whole_click_archive=options.whole_click_archive,
            report=lambda text: print(text, file=sys.stderr, flush=True),
        )
    except (ConflictError, ClientError, BotoCoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again, without --since, to erase the rest", file=sys.stderr)
        return 130
    print(erasure_report(summary))
    if summary.dry_run:
        print(f"Nothing was changed.  Add --execute {summary.truck_id} to erase.")
    return 1 if summary.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.erasure", description="Erase one truck from the AWS stores (docs/erasure.md)."
    )
    parser.add_argument(
        "--truck", required=True, type=argument(check_truck_id), metavar="ID", help="the truck's id, as it reports it"
    )
    add_bucket(parser)
    parser.add_argument(
        "--since", type=utc_time, metavar="TIME", help="only what was stored since (ISO 8601, UTC), after a clean run"
    )
    parser.add_argument(
        "--whole-click-archive",
        action="store_true",
        help="also look for readings in the click stream's archive where its quarantine names none (docs/erasure.md)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only count (the default)")
    what.add_argument("--execute", metavar="ID", help="erase; the truck's id again, as a confirmation")
    return parser


if __name__ == "__main__":
    sys.exit(main())
