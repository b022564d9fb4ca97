"""The generator as a command: ``python -m include.generator --help``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include.generator import ProducerError, StateError, TrafficPlan, TrafficSummary, generate, kinesis_client

_HELP = {
    "clicks": "clicks to send, of all kinds together",
    "readings": "truck readings to send, of all kinds together",
    "clicks_per_second": "pace of the clicks",
    "readings_per_second": "pace of the readings, of all trucks together",
    "trucks": "size of the fleet: TRK001, TRK002, …",
    "items": "size of the catalogue: MOB001, LAP002, CAM003, …",
    "seed": "seed of all random choices",
    "duplicated": "share of records that repeat the bytes of an earlier one",
    "late": "share of events that are sent 1 to 20 minutes after they happened",
    "out_of_order": "share of events sent after younger ones",
    "malformed": "share of records that break the contract",
    "field": "share of records as real devices and other producers send them, right and wrong",
    "field_cases": "which of these: all, or only passing ones, whose effect on pages and rules passes",
    "nested": "share of readings in the nested shape",
    "event_ids": "share of clicks with an event id, and with times in milliseconds",
    "manifest": "append each accepted record, and what it is, to this file (JSON lines)",
    "state": "keep the trucks in this file, so that the next run continues with them (without it: new trucks)",
    "click_stream": "name of the stream of clicks",
    "truck_stream": "name of the stream of readings",
}
_TYPES = {"manifest": Path, "state": Path}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.generator",
        description="Send synthetic clicks and truck readings to Kinesis, in real time.",
        epilog="Where to send is the standard AWS environment: AWS_REGION or AWS_DEFAULT_REGION, credentials, "
        "and AWS_ENDPOINT_URL for a local stand-in.",
    )
    for field in msgspec.structs.fields(TrafficPlan):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_TYPES.get(field.name, type(field.default)),
            default=field.default,
            help=_HELP[field.name] + ("" if field.default is None else " (default: %(default)s)"),
        )
    return parser


def _show(summary: TrafficSummary) -> None:
    done = "sent" if summary.finished_at else "sending"
    parts = [f"{done} {summary.sent:,} of {summary.planned:,} records in {summary.seconds:.1f} s"]
    for name, stream in summary.streams.items():
        malformed = sum(stream.malformed.values())
        parts.append(
            f"{name}: {stream.valid:,} valid, {stream.duplicate:,} duplicate, {malformed:,} malformed, "
            f"{stream.late:,} late, {stream.out_of_order:,} out of order, {sum(stream.field.values()):,} from the field"
        )
    if summary.resent or summary.unanswered:
        parts.append(f"{summary.resent:,} sent again, {summary.unanswered:,} calls without an answer repeated")
    print(" | ".join(parts), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if all was sent, 1 if not, 2 for unusable arguments, 130 when interrupted."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        plan = TrafficPlan(**vars(given))
    except ValueError as error:
        parser.error(str(error))
    if plan.clicks == plan.readings == 0:
        parser.error("nothing to send: give --clicks or --readings")
    try:
        generate(plan, kinesis_client(), _show)
    except (ProducerError, StateError, OSError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the records sent so far are in the manifest", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Ended by a supervisor: leave as from Ctrl-C, with the state saved.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
