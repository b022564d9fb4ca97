"""One verdict per input, on every Python that is supported."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from tests.fixtures.contract_corpus import CASES, CLICK, READING, judge

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "include/requirements/lambdas.txt"
SUPPORTED = ("3.11", "3.12", "3.13")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_every_input_has_its_verdict():
    wrong = {
        case.name: (case.verdict, verdict, error)
        for case in CASES
        for is_valid, verdict, error in [judge(case)]
        if (is_valid, verdict) != (case.is_valid, case.verdict)
    }
    assert wrong == {}
    assert len({case.name for case in CASES}) == len(CASES)
    assert {(case.contract, case.is_valid) for case in CASES} == {
        (c, v) for c in (CLICK, READING) for v in (True, False)
    }


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version != THIS])
def test_another_python_has_the_same_verdicts_in_the_same_words(version, tmp_path):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on PATH or in ~/.pyenv/versions")
    (tmp_path / "msgspec.txt").write_text(locked("msgspec"))
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command = [*install, "--python", python, "--target", str(tmp_path), "-r", str(tmp_path / "msgspec.txt")]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode != 0:
        pytest.skip(f"msgspec for Python {version} can't be installed: {installed.stderr.strip()}")

    judged = subprocess.run(
        [python, "-m", "tests.fixtures.contract_corpus"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert judged.returncode == 0, judged.stderr
    verdicts = zip(CASES, json.loads(judged.stdout), strict=True)
    here = {case.name: [*map(list_of, judge(case))] for case in CASES}
    assert {case.name: verdict for case, verdict in verdicts if verdict != here[case.name]} == {}


def list_of(value: object) -> object:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def interpreter(version: str) -> str | None:
    """An interpreter of this version that starts; a shim of pyenv may not."""
    versions = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (shutil.which(f"python{version}"), *map(str, reversed(versions))):
        if candidate is not None:
            says = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=30, check=False)
            if says.returncode == 0 and says.stdout.startswith(f"Python {version}."):
                return candidate
    return None


def locked(package: str) -> str:
    """The package's entry in the functions' lock, hashes included."""
    found = re.search(rf"^{package}==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)
    assert found
    return found[0]
