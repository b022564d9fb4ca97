"""Arguments that several command lines share, as argparse reads them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TypeVar

import msgspec

from include.contracts.times import parse
from include.naming import aws
from include.settings import PREFIX, Settings

T = TypeVar("T")


def add_bucket(parser: argparse.ArgumentParser) -> None:
    """Add ``--bucket``, the telemetry bucket; its default is the setting of that name."""
    default = _name("telemetry_bucket")
    parser.add_argument("--bucket", default=default, help="the telemetry bucket (default: %(default)s)")


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Add ``--stack``, the stack's name; its default is the setting of that name."""
    default = _name("stack_name")
    parser.add_argument("--stack", default=default, help="the CloudFormation stack (default: %(default)s)")


def _name(name: str) -> str:
    """The setting of that name, with the environment in front."""
    # Only this one field: a command line works without the settings that have no default.
    (field,) = (field for field in msgspec.structs.fields(Settings) if field.name == name)
    return aws(os.environ.get(f"{PREFIX}{name.upper()}") or field.default)


def add_arrival_range(parser: argparse.ArgumentParser) -> None:
    """Add ``--from`` and ``--to`` as ``since`` and ``until``: aware datetimes, or None."""
    parser.add_argument(
        "--from", dest="since", type=utc_time, metavar="TIME", help="arrived at or after, ISO 8601, UTC"
    )
    parser.add_argument("--to", dest="until", type=utc_time, metavar="TIME", help="arrived before")


def argument(read: Callable[[str], T]) -> Callable[[str], T]:
    """``read`` as a type of argparse: the message of its ValueError becomes the usage error."""

    def read_argument(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read_argument


def positive_integer(text: str) -> int:
    """A whole number of 1 or more.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


#: An aware UTC datetime, written in ISO 8601; no offset means UTC.
utc_time = argument(parse)
