"""What a cold start imports, and how large the bundles are."""

from __future__ import annotations

import statistics
import subprocess
import zipfile
from pathlib import Path

import pytest

from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.local.aws import ministack
from lambdas.bundle import FUNCTIONS, bundle, local_target
from tests.fixtures.benchmarks import Benchmarks

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS = 7
# As the runtime does it; what was imported must be the bundle's.
IMPORT = """
import importlib, sys, time
begun = time.perf_counter()
module = importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - begun
assert callable(module.handler)
assert module.__file__.startswith(sys.argv[2]), module.__file__
print(seconds)
"""


def environment(function: str) -> dict[str, str]:
    """The variables that the template gives the function: a parameter is its default, any other reference is a name."""
    template = load(TEMPLATE)
    declared = [each["Properties"] for each in template["Resources"].values() if "Properties" in each]
    (properties,) = [each for each in declared if each.get("Handler") == f"lambdas.{function}.handler.handler"]
    variables = properties.get("Environment", {}).get("Variables", {})
    return {
        name: value
        if isinstance(value, str)
        else str(template["Parameters"].get(value.get("Ref"), {}).get("Default", "any"))
        for name, value in variables.items()
    }


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    version, platform = local_target()
    directory = tmp_path_factory.mktemp("bundles")
    return {each: bundle(each, python_version=version, platform=platform, output_dir=directory) for each in FUNCTIONS}


def test_handler_cold_import(benchmarks: Benchmarks, bundles, tmp_path):
    taken: dict[str, list[float]] = {function: [] for function in FUNCTIONS}
    for function, path in bundles.items():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / function)
    for number in range(ROUNDS + 1):
        for function in FUNCTIONS:
            content = tmp_path / function
            done = subprocess.run(
                # MiniStack's interpreter has boto3, as AWS's runtime has, and nothing else of ours.
                [ministack.VENV / "bin" / "python", "-P", "-c", IMPORT, f"lambdas.{function}.handler", str(content)],
                env={
                    **environment(function),
                    **ministack.client_environment(1),
                    "PYTHONPATH": str(content),
                    # A bundle's directory can't be written: each cold start compiles it anew.
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if number:  # The first round fills the caches of the file system.
                taken[function].append(float(done.stdout) * 1000)
    for function, milliseconds in taken.items():
        benchmarks.report(f"handler_cold_import_ms_{function}", statistics.median(milliseconds), "ms")


def test_bundle_size(benchmarks: Benchmarks, bundles):
    for function, path in bundles.items():
        benchmarks.report(f"bundle_size_{function}", path.stat().st_size / 1e6, "MB", must_be="< 10")
