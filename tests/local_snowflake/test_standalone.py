"""The local Snowflake as a product of its own: its folder alone, its command, its README and its dependencies."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from include.local.snowflake import __main__
from tests.fixtures.snowflake import free_port

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "include" / "local" / "snowflake"
README = (FOLDER / "README.md").read_text()
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
# Top-level module -> distribution, where the names differ.
DISTRIBUTIONS = {"snowflake": "snowflake-connector-python", "botocore": "boto3", "jwt": "PyJWT"}


def environment(**extra: str) -> dict[str, str]:
    """This process's, without what the repository or another test adds to it."""
    hidden = ("PYTHONPATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("AWS_")}
    return kept | extra


@pytest.mark.integration
@pytest.mark.verify
def test_the_folder_alone_under_another_name_serves_the_example_of_its_readme(tmp_path):
    """Started with no certificate and no state directory, as a newcomer does."""
    shutil.copytree(FOLDER, tmp_path / "another_name", ignore=shutil.ignore_patterns("__pycache__"))
    port = str(free_port())
    with (tmp_path / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "another_name", "--port", port],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    try:
        # It ends with this line when it answers; the pipe's end is the server's end.
        welcome = "".join(iter(server.stdout.readline, "Ctrl-C stops it.\n"))
        assert server.poll() is None, (tmp_path / "log.txt").read_text()
        bundle = re.search(r"export REQUESTS_CA_BUNDLE=(\S+)", welcome)[1]
        assert bundle == str(tmp_path / "local-snowflake-state" / "tls" / "bundle.pem")
        example = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1].replace("port=4443", f"port={port}")
        client = subprocess.run(
            [sys.executable, "-c", example],
            cwd=tmp_path, env=environment(REQUESTS_CA_BUNDLE=bundle), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert client.returncode == 0, client.stderr
        expected = re.search(r"# (\[.*\])\n", example)[1]
        assert client.stdout.strip() == expected
        server.terminate()
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.wait(timeout=30)
        server.stdout.close()


@pytest.mark.unit
def test_the_commands_defaults_are_those_of_the_readme(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["local-snowflake"])
    arguments = __main__._arguments()
    assert (arguments.host, arguments.port, str(arguments.state)) == ("127.0.0.1", 4443, "local-snowflake-state")
    assert (arguments.administrator, arguments.in_progress_after) == ("ADMIN", 45)
    assert (arguments.certificate, arguments.key, arguments.log_level) == (None, None, "WARNING")
    assert not arguments.streams_may_err
    options = dict(re.findall(r"^\| (`--[^|]*) \| ([^|]*) \|", README, re.MULTILINE))
    assert options == {
        "`--port`": "4443",
        "`--host`": "127.0.0.1",
        "`--state`": "`./local-snowflake-state`",
        "`--administrator`": "ADMIN",
        "`--certificate`, `--key`": "made in the state directory",
        "`--in-progress-after`": "45",
        "`--streams-may-err`": "off",
        "`--log-level`": "WARNING",
    }


@pytest.mark.unit
@pytest.mark.parametrize("given", ["--certificate", "--key"])
def test_a_certificate_without_its_key_is_refused(monkeypatch, capsys, given):
    monkeypatch.setattr(sys, "argv", ["local-snowflake", given, "some.pem"])
    with pytest.raises(SystemExit):
        __main__._arguments()
    assert "--certificate and --key go together" in capsys.readouterr().err


@pytest.mark.unit
def test_every_library_that_it_imports_is_declared():
    imported = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    libraries = {DISTRIBUTIONS.get(name, name) for name in imported - sys.stdlib_module_names}
    assert libraries == {re.match(r"[\w-]+", each)[0] for each in PROJECT["dependencies"]}


@pytest.mark.unit
def test_its_pins_are_those_of_the_repository():
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = root["dependency-groups"]
    pinned = {
        *root["project"]["dependencies"],
        *groups["run"],
        *(each for each in groups["local"] if isinstance(each, str)),
    }
    assert {each for each in PROJECT["dependencies"] if re.search(r"[=<~]", each)} <= pinned
    assert PROJECT["requires-python"] == root["project"]["requires-python"]
