"""The AWS side of the pipeline: one CloudFormation template, and the API's OpenAPI document that it includes."""

from pathlib import Path

TEMPLATE = Path(__file__).with_name("pipeline.yaml")
# What an update of a protected stack may not do: replace or remove what holds data.
STACK_POLICY = Path(__file__).with_name("stack_policy.json")
OPENAPI = Path(__file__).with_name("openapi.yaml")
