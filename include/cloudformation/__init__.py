"""The AWS side of the pipeline: one CloudFormation template, and the API's OpenAPI document that it includes."""

from pathlib import Path

TEMPLATE = Path(__file__).with_name("pipeline.yaml")
OPENAPI = Path(__file__).with_name("openapi.yaml")
