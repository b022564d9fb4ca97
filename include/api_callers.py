"""``python -m include.api_callers``: who may use the truck telemetry API, how much, and for which trucks.

    python -m include.api_callers add acme --sends TRK001,TRK002 --reads TRK001,TRK002 --rate 10 --per-day 50000
    python -m include.api_callers set acme --sends TRK001 --reads TRK001
    python -m include.api_callers list
    python -m include.api_callers remove acme

A caller has an API key and a usage plan of its own, and a row in the table ApiCallers.  Where the deployment identifies
callers by signature or token, ``--caller`` is the ARN or the token's subject.  docs/api.md has the rules, and lists the
rights that this command needs.  Exit code: 0, 1 if something is missing or AWS refuses, 2 for a wrong argument.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.arguments import add_stack, argument, positive_integer
from include.aws_clients import make_client
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH

# In the place of truck ids.
EVERY_TRUCK = "*"
# Keeps a row well below DynamoDB's 400 KB, and it is read in one call.
MAX_TRUCKS = 2_000

_ROLE = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d+):role/(?:.*/)?(?P<name>[^/]+)")


class CallerError(Exception):
    """The caller exists already, is missing, or can't be identified in this deployment; the message says so."""


class Limits(msgspec.Struct, frozen=True):
    """What a caller's usage plan allows: requests a second, at a time, and a day (None: any number)."""

    rate: int
    burst: int
    per_day: int | None


class ApiCallers:
    """The callers of one deployment."""

    def __init__(self, cloudformation: Any, apigateway: Any, dynamodb: Any, stack_name: str) -> None:
        self._apigateway = apigateway
        self._dynamodb = dynamodb
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        self._by_key = parameters["ApiAuthorization"] == "key"
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        self._api = outputs["ApiId"]

    def add(self, name: str, trucks: dict[str, list[str]], limits: Limits, caller: str | None) -> tuple[str, str]:
        """Create the key, its usage plan and the row; return the key's id and value.

        Raises:
            CallerError: there is such a caller, or it needs another identity than its key.
        """
        if self._by_key != (caller is None):
            raise CallerError(
                "this deployment identifies callers by their key: leave --caller out"
                if self._by_key
                else "this deployment identifies callers by signature or token: say which with --caller"
            )
        if self._key(name) or self._plan(name):
            raise CallerError(f"there is a caller {name}: remove it first, or change its trucks with set")
        quota = {"quota": {"limit": limits.per_day, "period": "DAY"}} if limits.per_day else {}
        plan = self._apigateway.create_usage_plan(
            name=_named(name),
            apiStages=[{"apiId": self._api, "stage": names.API_STAGE}],
            throttle={"rateLimit": limits.rate, "burstLimit": limits.burst},
            **quota,
        )
        key = self._apigateway.create_api_key(name=_named(name), enabled=True)
        self._apigateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
        # Last: until then, the key may send and read nothing.
        self._put(name, _identity(caller) if caller else key["id"], trucks)
        return key["id"], key["value"]

    def set_trucks(self, name: str, trucks: dict[str, list[str]]) -> None:
        """Replace the trucks of a caller.

        Raises:
            CallerError: there is none of this name.
        """
        self._put(name, self._row(name)["Caller"]["S"], trucks)

    def remove(self, name: str) -> None:
        """Remove what there is of a caller, also of one that was added halfway.

        Raises:
            CallerError: there is nothing of this name.
        """
        key, plan = self._key(name), self._plan(name)
        rows = [row for row in self.rows() if row["Name"]["S"] == name]
        if not (key or plan or rows):
            raise CallerError(f"there is no caller {name}")
        # The key first: without it, nobody gets in.
        if key:
            self._apigateway.delete_api_key(apiKey=key)
        if plan:
            # A plan with stages can't be deleted.
            stage = {"op": "remove", "path": "/apiStages", "value": f"{self._api}:{names.API_STAGE}"}
            self._apigateway.update_usage_plan(usagePlanId=plan, patchOperations=[stage])
            self._apigateway.delete_usage_plan(usagePlanId=plan)
        for row in rows:
            self._dynamodb.delete_item(TableName=names.API_CALLER_TABLE, Key={"Caller": row["Caller"]})

    def rows(self) -> list[dict[str, Any]]:
        """All rows of the table, by name."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=names.API_CALLER_TABLE)
        return sorted((row for page in pages for row in page["Items"]), key=lambda row: str(row["Name"]["S"]))

    def _row(self, name: str) -> dict[str, Any]:
        for row in self.rows():
            if row["Name"]["S"] == name:
                return row
        raise CallerError(f"there is no caller {name}")

    def _put(self, name: str, caller: str, trucks: dict[str, list[str]]) -> None:
        sets = {attribute: {"SS": ids} for attribute, ids in trucks.items() if ids}
        item = {"Caller": {"S": caller}, "Name": {"S": name}, **sets}
        self._dynamodb.put_item(TableName=names.API_CALLER_TABLE, Item=item)

    def _key(self, name: str) -> str | None:
        pages = self._apigateway.get_paginator("get_api_keys").paginate(nameQuery=_named(name))
        return _id_of(name, (key for page in pages for key in page["items"]))

    def _plan(self, name: str) -> str | None:
        pages = self._apigateway.get_paginator("get_usage_plans").paginate()
        return _id_of(name, (plan for page in pages for plan in page["items"]))


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        cloudformation, apigateway, dynamodb = map(make_client, ("cloudformation", "apigateway", "dynamodb"))
        _run(ApiCallers(cloudformation, apigateway, dynamodb, options.stack), options)
    except (CallerError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(callers: ApiCallers, options: argparse.Namespace) -> None:
    match options.command:
        case "add":
            limits = Limits(options.rate, options.burst or 2 * options.rate, options.per_day)
            key_id, value = callers.add(options.name, _trucks(options), limits, options.caller)
            print(f"{options.name}: key {key_id}, x-api-key {value}")
        case "set":
            callers.set_trucks(options.name, _trucks(options))
        case "remove":
            callers.remove(options.name)
        case "list":
            for row in callers.rows():
                lists = (",".join(sorted(row[kind]["SS"])) if kind in row else "-" for kind in ("Sends", "Reads"))
                print(row["Name"]["S"], row["Caller"]["S"], *lists, sep="\t")


def _trucks(options: argparse.Namespace) -> dict[str, list[str]]:
    return {"Sends": options.sends, "Reads": options.reads}


def truck_ids(text: str) -> list[str]:
    """Distinct truck ids, separated by commas, or ``*`` for every truck.

    Raises:
        ValueError: an id is empty or too long, or there are too many.
    """
    ids = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if bad := [each for each in ids if not 1 <= len(each) <= MAX_TRUCK_ID_LENGTH]:
        raise ValueError(f"a truck id has 1 to {MAX_TRUCK_ID_LENGTH} characters: {bad[0]!r}")
    if len(ids) > MAX_TRUCKS:
        raise ValueError(f"a caller has at most {MAX_TRUCKS:,} trucks, or {EVERY_TRUCK}")
    return ids


def _identity(caller: str) -> str:
    """A role's ARN as API Gateway names whoever assumed it; anything else as it is."""
    if role := _ROLE.fullmatch(caller):
        return "arn:{partition}:sts::{account}:assumed-role/{name}".format_map(role.groupdict())
    return caller


def _named(name: str) -> str:
    return f"{names.API}-{name}"


def _id_of(name: str, found: Iterable[dict[str, Any]]) -> str | None:
    return next((str(each["id"]) for each in found if each["name"] == _named(name)), None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.api_callers", description="Callers of the truck telemetry API (docs/api.md)."
    )
    add_stack(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    trucks = argparse.ArgumentParser(add_help=False)
    for option, verb in (("--sends", "send readings of"), ("--reads", "read the states of")):
        trucks.add_argument(
            option, type=argument(truck_ids), default=[], metavar="IDS", help=f"trucks that it may {verb}, or *"
        )
    add = commands.add_parser("add", parents=[trucks], help="create a key, a usage plan and a row")
    add.add_argument("--rate", type=positive_integer, default=50, help="requests a second (default: %(default)s)")
    add.add_argument("--burst", type=positive_integer, help="requests at a time (default: twice the rate)")
    add.add_argument("--per-day", type=positive_integer, help="requests a day (default: any number)")
    add.add_argument("--caller", help="ARN of the IAM user or role, or the token's subject (default: the new key)")
    change = commands.add_parser("set", parents=[trucks], help="replace a caller's trucks")
    remove = commands.add_parser("remove", help="delete key, usage plan and row")
    for command in (add, change, remove):
        command.add_argument("name")
    commands.add_parser("list", help="name, caller, trucks that it sends, trucks that it reads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
