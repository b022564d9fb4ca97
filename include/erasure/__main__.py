"""``python -m include.erasure``: what the AWS stores hold of one truck, and erasing it.

    python -m include.erasure --truck TRK001                      counts; nothing is changed (--dry-run, the default)
    python -m include.erasure --truck TRK001 --execute TRK001     erases; the id once more, to be sure
    python -m include.erasure --truck TRK001 --execute TRK001 --since 2026-11-22T14:00
                                                                  only what was stored since

Snowflake's side is erased by the DAG erase_truck, which does all of this too.  AWS is reached as the standard AWS_*
environment says.  Exit code: 0 when nothing is left (or after a dry run), 1 when not, 2 for a wrong argument, 130 when
interrupted.
"""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from include.arguments import add_bucket, argument, utc_time
from include.erasure.clients import make_clients
from include.erasure.report import lines
from include.erasure.run import check_truck_id, run
from include.erasure.versions import ConflictError


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.execute is not None and options.execute != options.truck:
        parser.error(f"not confirmed: --execute {options.execute} is not --truck {options.truck}")
    try:
        summary = run(
            make_clients(),
            options.bucket,
            options.truck,
            dry_run=options.execute is None,
            since=options.since,
            tell=lambda text: print(text, file=sys.stderr, flush=True),
        )
    except (ConflictError, ClientError, BotoCoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was erased is; run it again, without --since", file=sys.stderr)
        return 130
    print("\n".join(lines(summary)))
    if summary.dry_run:
        print(f"Nothing was changed.  Add --execute {summary.truck_id} to erase.")
    return 1 if summary.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.erasure", description="Erase one truck from the AWS stores (docs/erasure.md)."
    )
    parser.add_argument(
        "--truck", required=True, type=argument(check_truck_id), metavar="ID", help="the truck, as it reports itself"
    )
    add_bucket(parser)
    parser.add_argument(
        "--since", type=utc_time, metavar="TIME", help="only what was stored since, ISO 8601, UTC: after a clean run"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only count; so it is also without it")
    what.add_argument("--execute", metavar="ID", help="erase; the truck's id once more")
    return parser


if __name__ == "__main__":
    sys.exit(main())
