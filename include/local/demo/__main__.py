"""``make demo``: the whole pipeline on this machine, from generated traffic to dashboard.

    python -m include.local.demo          starts and provisions everything, sends traffic, stays up until Ctrl-C
    python -m include.local.demo --once   runs one full cycle on a fresh state, prints the acceptance report and stops

Exit code: 0 on success (with --once: every guarantee holds), 1 on failure, 130 when interrupted before it was up.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import requests
import snowflake.connector
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from include.local.demo import interrupts
from include.local.demo.demo import Demo, Options
from include.local.demo.environment import ROOT
from include.local.demo.ports import PortError
from include.local.demo.processes import LOCK_NAME, ProcessError, StateLock
from include.local.demo.watch import DemoError
from include.settings import SettingsError

# What can fail without a defect of the demo; anything else shows its traceback.
EXPECTED_ERRORS = (
    DemoError,
    PortError,
    ProcessError,
    SettingsError,
    requests.RequestException,
    snowflake.connector.errors.Error,
    BotoCoreError,
    ClientError,
    subprocess.TimeoutExpired,
    OSError,
)


def main() -> int:
    """Run the demo; return the exit code."""
    options = _options()
    console = Console(highlight=False, soft_wrap=True)
    interrupts.install()
    state = options.state or ROOT / ".local" / ("once" if options.once else "demo")
    demo = None
    try:
        with StateLock(state):
            if options.once:
                _empty(state)
            demo = Demo(options, state, console)
            return 0 if demo.run() else 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        # Ctrl-C is the usual end of a demo that is up.
        return 0 if demo is not None and demo.is_up else 130
    except EXPECTED_ERRORS as error:
        console.print(f"[red]The demo failed:[/red] {escape(str(error))}")
        return 1


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make demo", description="Run the whole pipeline on this machine.")
    parser.add_argument("--once", action="store_true", help="run one full cycle on a fresh state, then check and stop")
    parser.add_argument(
        "--state", type=_directory, help="where everything is kept (default: .local/demo or .local/once)"
    )
    parser.add_argument(
        "--field",
        type=_share,
        default=0.005,
        help="share of records as real devices and other producers send them (default: %(default)s)",
    )
    parser.add_argument(
        "--no-traffic",
        dest="traffic",
        action="store_false",
        help="without --once: send nothing, for records that you send yourself",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        type=_setting,
        default=[],
        metavar="CTD_NAME=VALUE",
        help="a setting of docs/deploy.md, such as CTD_ALERT_CHANNELS=aws_default; repeat it for others",
    )
    once = parser.add_argument_group("with --once")
    once.add_argument("--clicks", type=_positive, default=10_000, help="how many to send (default: %(default)s)")
    once.add_argument("--readings", type=_positive, default=10_000, help="how many to send (default: %(default)s)")
    once.add_argument("--rate", type=_positive, default=250, help="of each per second (default: %(default)s)")
    once.add_argument("--malformed", type=_share, default=0.01, help="share (default: %(default)s)")
    once.add_argument("--duplicated", type=_share, default=0.05, help="share (default: %(default)s)")
    once.add_argument("--late", type=_share, default=0.10, help="share late or out of order (default: %(default)s)")
    once.add_argument("--nested", type=_share, default=0.20, help="share of readings (default: %(default)s)")
    once.add_argument("--event-ids", type=_share, default=0.25, help="share of clicks (default: %(default)s)")
    once.add_argument("--seed", type=int, default=1, help="of the traffic (default: %(default)s)")
    once.add_argument("--report", type=Path, metavar="FILE", help="also write the acceptance report to FILE, as JSON")
    return Options(**vars(parser.parse_args()))


def _directory(text: str) -> Path:
    # The processes start elsewhere, and Airflow's address of a database refuses a relative path.
    return Path(text).absolute()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return share


def _setting(text: str) -> tuple[str, str]:
    name, is_given, value = text.partition("=")
    if not (is_given and name.startswith("CTD_")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a setting and its value, such as CTD_MONITOR_SCHEDULE=@hourly"
        )
    return name, value


def _empty(state: Path) -> None:
    """Remove everything from the directory but the lock that this demo holds on it."""
    for entry in state.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK_NAME:
            entry.unlink()


if __name__ == "__main__":
    sys.exit(main())
