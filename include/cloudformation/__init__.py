"""The AWS side of the pipeline: its template with the API's document, and the template of who may do what."""

from pathlib import Path

TEMPLATE = Path(__file__).with_name("pipeline.yaml")
# What an update of a protected stack may not do: replace or remove what holds data.
STACK_POLICY = Path(__file__).with_name("stack_policy.json")
OPENAPI = Path(__file__).with_name("openapi.yaml")
IDENTITIES = Path(__file__).with_name("identities.yaml")
