"""How a task logs in to Snowflake."""

from __future__ import annotations

import json

import pytest
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from include import snowflake_identities

pytestmark = pytest.mark.unit


def test_the_connector_gets_the_key_as_it_was_read_and_need_not_check_it_again(monkeypatch, tmp_path):
    snowflake_identities.ensure_keys(tmp_path)
    file = snowflake_identities.key_file(tmp_path, "transformer")
    login = {"conn_type": "snowflake", "login": "u", "extra": {"account": "a", "private_key_file": str(file)}}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(login))

    key = PipelineSnowflakeHook()._get_conn_params()["private_key"]

    written = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    assert isinstance(written, RSAPrivateKey)
    assert key.private_numbers() == written.private_numbers()
