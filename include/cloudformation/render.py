"""The template as it is deployed: one JSON text that contains the files it includes.

``Fn::Transform: AWS::Include`` with a path beside the template is what ``aws cloudformation package`` understands too;
here the file is put in its place instead of being uploaded (docs/adr/0014).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

_IN_SUB = re.compile(r"\$\{(\w+)\}")
# Functions whose full form has no "Fn::".
_PLAIN_TAGS = {"Ref", "Condition"}


def render(template: Path, parameters: Mapping[str, str] | None = None) -> str:
    """The JSON text of ``template`` (YAML or JSON) with its includes, without comments and spaces.

    An API's definition gets the API's name as its title: an import may take the one or the other as the name, and they
    differ where the name carries an environment.

    Of the alternatives in the security of an API's operation, a deployment has the one whose schemes have a true
    ``x-condition``, or the one without.

    API Gateway serves what was there when a deployment was made, and CloudFormation makes one only for a new logical
    id: so the id of each AWS::ApiGateway::Deployment gets a digest appended, of the API's definition and of the values
    of the parameters in it (from ``parameters``, or their defaults).

    Raises:
        OSError: an included file can't be read.
        yaml.YAMLError, TypeError: a file is not YAML, or has a value that JSON lacks, such as an unquoted date.
    """
    document = _secure_apis(_title_apis(_include(load(template), template.parent)))
    return json.dumps(_name_deployments(document, parameters or {}), separators=(",", ":"), ensure_ascii=False)


def load(path: Path) -> dict[str, Any]:
    """A template, or part of one, as data; CloudFormation's short forms (``!Ref``) become the long ones."""
    document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader
    return document


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's tags."""


def _long_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        raise TypeError(f"!{name}: {node.tag} is no scalar, sequence or mapping")
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _PLAIN_TAGS else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _long_form)


def _include(node: Any, directory: Path) -> Any:
    match node:
        case {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": str(location)}}} if len(node) == 1:
            # CloudFormation itself includes a file that is already in S3.
            return node if location.startswith("s3://") else _include(load(directory / location), directory)
    return _map(node, lambda child: _include(child, directory))


def _title_apis(document: dict[str, Any]) -> dict[str, Any]:
    for resource in document.get("Resources", {}).values():
        match resource:
            case {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name, "Body": {"info": dict(info)}}}:
                info["title"] = name
    return document


def _secure_apis(document: dict[str, Any]) -> dict[str, Any]:
    for resource in document.get("Resources", {}).values():
        match resource:
            case {
                "Type": "AWS::ApiGateway::RestApi",
                "Properties": {"Body": {"paths": dict(paths), "components": {"securitySchemes": dict(schemes)}}},
            }:
                conditions = {name: each.pop("x-condition") for name, each in schemes.items() if "x-condition" in each}
                for name, condition in conditions.items():
                    schemes[name] = {"Fn::If": [condition, schemes[name], {"Ref": "AWS::NoValue"}]}
                for operation in (operation for path in paths.values() for operation in path.values()):
                    operation["security"] = _chosen(operation["security"], conditions)
    return document


def _chosen(alternatives: list[dict[str, list[str]]], conditions: Mapping[str, str]) -> Any:
    chosen: Any = []
    # Those without a condition first.
    for alternative in sorted(alternatives, key=lambda each: any(name in conditions for name in each)):
        # API Gateway asks for everything in the list, where OpenAPI would have one entry suffice.
        asked = [{name: scopes} for name, scopes in alternative.items()]
        decisive = [conditions[name] for name in alternative if name in conditions]
        chosen = {"Fn::If": [decisive[0], asked, chosen]} if decisive else asked
    return chosen


def _name_deployments(document: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    resources = document.get("Resources", {})
    new_ids = {}
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::ApiGateway::Deployment":
            made_of = [resource["Properties"]["RestApiId"]["Ref"], *_list(resource.get("DependsOn", []))]
            parts = [resource["Properties"], *(resources[each] for each in made_of)]
            definition = json.dumps([parts, _values(document, parts, parameters)], sort_keys=True)
            new_ids[logical_id] = f"{logical_id}{sha256(definition.encode()).hexdigest()[:10]}"

    def rename(node: Any) -> Any:
        if isinstance(node, dict) and node.get("Ref") in new_ids:
            return {"Ref": new_ids[node["Ref"]]}
        return _map(node, rename)

    renamed = {new_ids.get(logical_id, logical_id): rename(resource) for logical_id, resource in resources.items()}
    return {**document, "Resources": renamed} if new_ids else document


def _values(document: dict[str, Any], parts: Any, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that ``parts`` refer to, by name or by a condition, with their values."""
    declared = document.get("Parameters", {})
    conditions = document.get("Conditions", {})
    names = set(_words(parts))
    names |= {word for name in names & conditions.keys() for word in _words(conditions[name])}
    return {name: str(given.get(name, declared[name].get("Default", ""))) for name in names & declared.keys()}


def _words(node: Any) -> Iterator[str]:
    """Every text in ``node``, and every name in the texts of Fn::Sub."""
    if isinstance(node, str):
        yield node
        yield from _IN_SUB.findall(node)
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _words(child)


def _map(node: Any, change: Callable[[Any], Any]) -> Any:
    """``node`` with each of its children changed."""
    if isinstance(node, dict):
        return {key: change(value) for key, value in node.items()}
    if isinstance(node, list):
        return [change(value) for value in node]
    return node


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
