"""The bundles of the functions, for this machine and for AWS.  Installs wheels from the package index or its cache."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
import uv

from lambdas import bundle as bundler
from lambdas.bundle import FUNCTIONS, BundleError, bundle, check_compiled_modules, local_target

pytestmark = pytest.mark.unit

ARM, INTEL = ("3.13", "aarch64-manylinux_2_28"), ("3.13", "x86_64-manylinux_2_28")
OURS = {"lambdas", "include"}
TARGETS = {"local": local_target(), "arm64": ARM, "x86_64": INTEL}
# Functions and targets don't depend on each other: each once by `make test`, and every pair by `make verify`.
ONCE = [*itertools.product(["local"], FUNCTIONS), ("arm64", "truck_data"), ("x86_64", "truck_telemetry_api")]
EVERY_BUNDLE = [
    pytest.param(
        TARGETS[target],
        function,
        id=f"{target}-{function}",
        marks=[] if (target, function) in ONCE else pytest.mark.verify,
    )
    for target, function in itertools.product(TARGETS, FUNCTIONS)
]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """Bundles of a function and a target, each made once."""
    made: dict[tuple[str, tuple[str, str]], Path] = {}

    def make(function: str, target: tuple[str, str]) -> Path:
        if (function, target) not in made:
            directory = tmp_path_factory.mktemp("bundles")
            made[function, target] = bundle(
                function, python_version=target[0], platform=target[1], output_dir=directory
            )
        return made[function, target]

    return make


@pytest.fixture(scope="module")
def python_with_boto3(tmp_path_factory) -> Path:
    """An interpreter that has what AWS's runtime has, boto3, and nothing of this project."""
    directory = tmp_path_factory.mktemp("clean") / "venv"
    uv_bin = uv.find_uv_bin()
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([uv_bin, "venv", "--quiet", "--python", sys.executable, str(directory)], check=True, timeout=180)
    install = [uv_bin, "pip", "install", "--quiet", "--python", str(python), "--only-binary", ":all:", "boto3"]
    locked = bundler.ROOT / "include/requirements/dev.txt"
    subprocess.run([*install, "--constraint", str(locked)], check=True, timeout=180)
    return python


@pytest.mark.parametrize(("target", "function"), EVERY_BUNDLE)
def test_bundle_has_the_function_what_it_shares_and_its_locked_dependencies(bundled, function, target):
    path = bundled(function, target)

    assert path.stat().st_size < 10_000_000
    with zipfile.ZipFile(path) as archive:
        files = archive.namelist()
    ours = {name for name in files if name.split("/")[0] in OURS}
    expected = {
        "include/__init__.py",
        "include/names.py",
        "include/naming.py",
        "include/retry.py",
        "lambdas/__init__.py",
    }
    for folder in ("include/contracts", "lambdas/common", f"lambdas/{function}"):
        expected |= {file.relative_to(bundler.ROOT).as_posix() for file in (bundler.ROOT / folder).rglob("*.py")}
    assert ours == expected
    assert {name.split("/")[0] for name in files} - OURS >= {"msgspec", "aws_lambda_powertools", "jmespath", "google"}
    assert not [name for name in files if "boto" in name.split("/")[0] or name.endswith(".pyc")]
    compiled = [name for name in files if name.endswith(".so")]
    assert compiled
    machine = target[1].split("-")[0]
    tag = f"cpython-{target[0].replace('.', '')}"
    # A module of the stable interface (abi3) loads on every Python, and its name has no machine: the bundler reads that
    # from the file.
    versioned = [name for name in compiled if not name.endswith(".abi3.so")]
    assert all(tag in name and machine in name for name in versioned) or sys.platform == "darwin"


@pytest.mark.parametrize(
    "target", [local_target(), pytest.param(ARM, marks=pytest.mark.verify)], ids=["local", "arm64"]
)
def test_same_input_gives_the_same_bytes_under_a_name_that_is_their_digest(bundled, target, tmp_path):
    first = bundled("truck_data", target)

    second = bundle("truck_data", python_version=target[0], platform=target[1], output_dir=tmp_path / "new" / "folder")

    assert first.name == second.name == f"truck_data-{sha256(first.read_bytes()).hexdigest()[:16]}.zip"
    assert first.read_bytes() == second.read_bytes()


@pytest.fixture
def source_tree(tmp_path, monkeypatch) -> Path:
    """A copy of what goes into bundles, to change."""
    for folder in ("include", "lambdas"):
        shutil.copytree(bundler.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copy(bundler.REQUIREMENTS, tmp_path)
    monkeypatch.setattr(bundler, "ROOT", tmp_path)
    return tmp_path


def test_changed_source_gives_another_name_and_caches_and_file_times_do_not(bundled, source_tree, tmp_path):
    version, platform = local_target()
    before = bundled("kinesis_to_dynamodb", (version, platform))
    for file in source_tree.rglob("*.py"):
        os.utime(file, (1, 1))
        file.chmod(0o600)
    cache = source_tree / "lambdas" / "common" / "__pycache__"
    cache.mkdir()
    (cache / "batch.cpython-311.pyc").write_bytes(b"stale")
    out = tmp_path / "out"

    same = bundle("kinesis_to_dynamodb", python_version=version, platform=platform, output_dir=out)
    (source_tree / "lambdas" / "common" / "batch.py").open("a").write("# changed\n")
    changed = bundle("kinesis_to_dynamodb", python_version=version, platform=platform, output_dir=out)

    assert same.name == before.name
    assert changed.name != before.name


# Runs in the clean interpreter: invocations without network.
INVOKE = """
import importlib, json, sys, time
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
time.sleep = lambda seconds: None
handler = importlib.import_module(sys.argv[2]).handler
context = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r",
                          get_remaining_time_in_millis=lambda: 30000)
answers = [handler(event, context) for event in json.loads(sys.argv[3])]
outside = [module.__file__ for name, module in sys.modules.items()
           if name.split(".")[0] in ("msgspec", "aws_lambda_powertools", "include", "lambdas")
           and not module.__file__.startswith(sys.argv[1])]
print(json.dumps({"answers": answers, "outside": outside, "botocore": sys.modules["botocore"].__file__}))
"""


POISON = {
    "kinesis": {"data": "", "sequenceNumber": "7", "partitionKey": "k", "approximateArrivalTimestamp": 1.5},
    "eventID": "shardId-000000000000:7",
    "eventSourceARN": "arn:aws:kinesis:r:1:stream/S",
}
# An empty batch, and one whose stores are unreachable.
BATCHES = [{"Records": []}, {"Records": [POISON]}]
BATCH_ANSWERS = [{"batchItemFailures": []}, {"batchItemFailures": [{"itemIdentifier": "7"}]}]
# A path that is not served, and a table that is unreachable.
REQUESTS = [
    {"httpMethod": "GET", "resource": resource, "requestContext": {"requestId": "r", "identity": {"apiKeyId": "k"}}}
    for resource in ("/", "/trucks")
]


def statuses(answers: list) -> list:
    """What is compared of answers: those of the API by their status alone."""
    return [answer.get("statusCode", answer) for answer in answers]


@pytest.mark.parametrize(
    ("function", "events", "expected"),
    [
        ("kinesis_to_dynamodb", BATCHES, BATCH_ANSWERS),
        ("truck_data", BATCHES, BATCH_ANSWERS),
        ("truck_telemetry_api", REQUESTS, [404, 503]),
    ],
)
def test_local_bundle_is_imported_and_invoked_where_only_boto3_is_installed(
    bundled, python_with_boto3, environment, function, events, expected, tmp_path
):
    with zipfile.ZipFile(bundled(function, local_target())) as archive:
        archive.extractall(tmp_path)
    command = [str(python_with_boto3), "-I", "-c", INVOKE, str(tmp_path), f"lambdas.{function}.handler"]
    # Nobody listens on port 1.
    variables = {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true"}

    done = subprocess.run(
        [*command, json.dumps(events)],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert statuses(result["answers"]) == expected
    assert result["outside"] == []
    assert Path(result["botocore"]).is_relative_to(python_with_boto3.parent.parent)


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory) -> Path:
    version, platform = local_target()
    folder = tmp_path_factory.mktemp("dependencies")
    return bundler.store_dependencies(python_version=version, platform=platform, output_dir=folder)


@pytest.fixture
def stored(bundled, stored_once, tmp_path, monkeypatch) -> Path:
    """The dependencies of this machine, stored; from then on the network is refused, as no installer can be run."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("this would ask a package index")

    bundled("truck_data", local_target())
    monkeypatch.setattr(bundler, "DEPENDENCIES", tmp_path / "dependencies")
    monkeypatch.setattr(bundler.subprocess, "run", refused)
    bundler.DEPENDENCIES.mkdir()
    return Path(shutil.copy(stored_once, bundler.DEPENDENCIES))


def test_stored_dependencies_give_the_same_bundle_without_a_package_index(bundled, stored, tmp_path):
    version, platform = local_target()
    asked = bundled("truck_data", local_target())

    offline = bundle("truck_data", python_version=version, platform=platform, output_dir=tmp_path / "out")

    assert offline.name == asked.name
    assert offline.read_bytes() == asked.read_bytes()


def test_stored_dependencies_of_other_locks_or_damaged_ones_are_not_used(stored, tmp_path, monkeypatch):
    version, platform = local_target()
    locks = tmp_path / "locks.txt"
    locks.write_bytes(bundler.REQUIREMENTS.read_bytes() + b"\n")
    with monkeypatch.context() as patch:
        patch.setattr(bundler, "REQUIREMENTS", locks)
        assert bundler.stored_dependencies(version, platform) is None
    assert bundler.stored_dependencies("3.9", platform) is None
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(BundleError, match="is damaged"):
        bundle("truck_data", python_version=version, platform=platform, output_dir=tmp_path / "out")


@pytest.mark.parametrize(
    ("target", "complaint"),
    [(INTEL, "is for aarch64, not for x86_64"), (("3.12", ARM[1]), "is not for Python 3.12")],
    ids=["other_machine", "other_python"],
)
def test_compiled_module_for_another_target_is_refused(bundled, tmp_path, target, complaint):
    with zipfile.ZipFile(bundled("truck_data", ARM)) as archive:
        archive.extractall(tmp_path)

    check_compiled_modules(tmp_path, *ARM)
    with pytest.raises(BundleError, match=complaint):
        check_compiled_modules(tmp_path, *target)


def test_dependency_that_does_not_exist_for_the_target_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"(?s)Python 3\.8 on aarch64-manylinux_2_28.*aws-lambda-powertools"):
        bundle("truck_data", python_version="3.8", platform=ARM[1], output_dir=tmp_path)


def test_unknown_function_is_an_error_that_names_the_known_ones(tmp_path):
    with pytest.raises(BundleError, match="there are kinesis_to_dynamodb, truck_data"):
        bundle("truck", python_version="3.13", platform=ARM[1], output_dir=tmp_path)


def test_command_prints_the_path_of_the_zip(tmp_path, capsys):
    version, platform = local_target()
    arguments = ["--function", "truck_data", "--python", version, "--platform", platform, "--output", str(tmp_path)]

    assert bundler.main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [str(path) for path in tmp_path.iterdir()]


def test_command_fails_with_one_line_where_it_cannot_bundle(tmp_path, capsys):
    arguments = ["--function", "truck_data", "--platform", "commodore-64", "--output", str(tmp_path)]

    assert bundler.main(arguments) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
