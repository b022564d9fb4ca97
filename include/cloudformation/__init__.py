"""The AWS side of the pipeline: one CloudFormation template."""

from pathlib import Path

TEMPLATE = Path(__file__).with_name("pipeline.yaml")
