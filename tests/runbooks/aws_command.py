"""The commands of the AWS CLI that the runbooks have, for a machine without it: an operation, its options, --query.

The AWS CLI makes its commands of the same descriptions of services, which botocore has.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
import jmespath
from botocore import xform_name


def main(service: str, command: str, *arguments: str) -> None:
    client = boto3.client({"s3api": "s3"}.get(service, service))
    (operation,) = [each for each in client.meta.service_model.operation_names if xform_name(each, "-") == command]
    shape = client.meta.service_model.operation_model(operation).input_shape
    members = {xform_name(name, "-"): (name, member) for name, member in (shape.members if shape else {}).items()}
    options: dict[str, list[str]] = {}
    for argument in arguments:
        if argument.startswith("--"):
            options[argument[2:]] = []
        else:
            options[list(options)[-1]].append(argument)
    query, output = options.pop("query", None), options.pop("output", ["json"])
    request = {}
    for option, values in options.items():
        name, member = members[option.removeprefix("no-")]
        request[name] = not option.startswith("no-") if member.type_name == "boolean" else _value(member, values)
    if client.can_paginate(xform_name(operation)):
        answer = client.get_paginator(xform_name(operation)).paginate(**request).build_full_result()
    else:
        answer = getattr(client, xform_name(operation))(**request)
        answer.pop("ResponseMetadata", None)
    found = jmespath.search(query[0], answer) if query else answer
    print(_text(found) if output == ["text"] else json.dumps(found, default=str, indent=4))


def _value(member: Any, values: list[str]) -> Any:
    if values[0][:1] in "{[":
        return json.loads(values[0])
    if member.type_name == "list":
        return values
    (value,) = values
    return int(value) if member.type_name in ("integer", "long") else value


def _text(found: Any) -> str:
    if isinstance(found, list):
        nested = any(isinstance(each, list) for each in found)
        return ("\n" if nested else "\t").join(_text(each) for each in found)
    return "None" if found is None else str(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
