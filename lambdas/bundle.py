"""Packages a Lambda function as a zip.  The same sources, lock and target always produce the same bytes.

    python -m lambdas.bundle --function truck_data --python 3.13 --platform aarch64-manylinux_2_28 --output build/

Dependencies are wheels for the named target, which need not be this machine.  include/requirements/lambdas.txt locks
them with hashes.  boto3 is not among them: AWS's runtime provides it.

    python -m lambdas.bundle --dependencies --python 3.13 --platform aarch64-manylinux_2_28

stores them in lambdas/dependencies/.  Every later bundle for this target is built from there, without a package index.
"""

from __future__ import annotations

import argparse
import io
import platform as host
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import uv

from include import names

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "include/requirements/lambdas.txt"

# Dependencies that were installed before: <target>-<digest of the lock>-<digest of the zip>.zip.
DEPENDENCIES = ROOT / "lambdas/dependencies"

# Package below lambdas/ -> name of the function on AWS.
FUNCTIONS = {
    "kinesis_to_dynamodb": names.CLICK_FUNCTION,
    "truck_data": names.TRUCK_FUNCTION,
    "truck_telemetry_api": names.API_FUNCTION,
    "archive_envelope": names.ARCHIVE_FUNCTION,
    "quarantine_intake": names.INTAKE_FUNCTION,
}

# Our own code in every bundle, besides the function's package.
SHARED = (
    "include/__init__.py",
    "include/contracts",
    "include/names.py",
    "include/naming.py",
    "include/retry.py",
    "lambdas/__init__.py",
    "lambdas/common",
)

# A Lambda's upload through CloudFormation is limited to 50 MB; a small one starts faster.
MAX_BYTES = 10_000_000

INSTALL_TIMEOUT_SECONDS = 180

# Files that an installer leaves beside the packages.  They differ from one installation to the next.
_INSTALLER_FILES = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json", ".lock"}

# The earliest time that a zip can store.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)

# e_machine of ELF (offset 18) and cputype of Mach-O (offset 4).
_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_MACHO_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}


class BundleError(Exception):
    """The bundle can't be built, or would not run on its target; the message says what to change."""


def local_target() -> tuple[str, str]:
    """(Python version, platform) of this interpreter, as ``bundle`` takes them."""
    machine = "aarch64" if host.machine().lower() in ("arm64", "aarch64") else host.machine().lower()
    if sys.platform == "darwin":
        system = "apple-darwin"
    elif host.libc_ver()[0] == "glibc":
        system = "manylinux_2_28"  # Wheels for this glibc of 2018 run on every later one.
    else:
        system = "unknown-linux-musl"
    return f"{sys.version_info.major}.{sys.version_info.minor}", f"{machine}-{system}"


def bundle(function: str, *, python_version: str, platform: str, output_dir: Path) -> Path:
    """Write ``<function>-<first 16 hex digits of the zip's SHA-256>.zip`` to ``output_dir`` and return its path.

    Args:
        function: a key of FUNCTIONS.
        python_version: the Python of the target's runtime, such as ``3.13``.
        platform: the target's platform as uv's ``--python-platform`` names it, such as ``aarch64-manylinux_2_28``.
        output_dir: created if missing.

    Raises:
        BundleError: the function is unknown, a dependency has no wheel for the target, the stored dependencies are
            damaged, a compiled module is for another target, or the bundle is too large.
    """
    if function not in FUNCTIONS:
        raise BundleError(f"unknown function {function!r}; there are {', '.join(FUNCTIONS)}")
    with tempfile.TemporaryDirectory(prefix="bundle-") as directory:
        content = Path(directory)
        stored = stored_dependencies(python_version, platform)
        if stored:
            _unpack(stored, content)
        else:
            _install_dependencies(content, python_version, platform)
        for source in (*SHARED, f"lambdas/{function}"):
            _copy(ROOT / source, content / source)
        check_compiled_modules(content, python_version, platform)
        data = _zip(content)
    if len(data) > MAX_BYTES:
        raise BundleError(f"the bundle of {function} has {len(data):,} bytes, more than {MAX_BYTES:,}")
    output_dir.mkdir(parents=True, exist_ok=True)
    path = output_dir / f"{function}-{sha256(data).hexdigest()[:16]}.zip"
    path.write_bytes(data)
    return path


def store_dependencies(*, python_version: str, platform: str, output_dir: Path = DEPENDENCIES) -> Path:
    """Install the locked dependencies of a target, by hash, into a zip in ``output_dir``, and return its path.

    Zips of the same target and other locks are removed.

    Raises:
        BundleError: a dependency has no wheel for the target, or a compiled module is for another target.
    """
    with tempfile.TemporaryDirectory(prefix="dependencies-") as directory:
        content = Path(directory)
        _install_dependencies(content, python_version, platform)
        check_compiled_modules(content, python_version, platform)
        data = _zip(content)
    output_dir.mkdir(parents=True, exist_ok=True)
    for old in output_dir.glob(f"{python_version}-{platform}-*.zip"):
        old.unlink()
    path = output_dir / f"{_stored_name(python_version, platform)}-{sha256(data).hexdigest()[:16]}.zip"
    path.write_bytes(data)
    return path


def stored_dependencies(python_version: str, platform: str) -> Path | None:
    """The zip of a target's dependencies, of exactly these locks; None if there is none."""
    return next(iter(DEPENDENCIES.glob(f"{_stored_name(python_version, platform)}-*.zip")), None)


def check_compiled_modules(content: Path, python_version: str, platform: str) -> None:
    """Raise BundleError if ``python_version`` on ``platform`` can't load a compiled module below ``content``.

    The installer chooses wheels by their names; this checks their content.
    """
    python_tag = "cpython-" + python_version.replace(".", "")
    machine = platform.split("-", 1)[0]
    for path in sorted([*content.rglob("*.so"), *content.rglob("*.pyd"), *content.rglob("*.dylib")]):
        name = path.relative_to(content)
        if "cpython-" in path.name and f".{python_tag}-" not in path.name:
            raise BundleError(f"{name} is not for Python {python_version}")
        if _machine(path) != machine:
            raise BundleError(f"{name} is for {_machine(path)}, not for {platform}")


def _machine(path: Path) -> str:
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] == b"\x7fELF":
        (code,) = struct.unpack_from("<H", header, 18)
        return _ELF_MACHINES.get(code, f"ELF machine {code}")
    if header[:4] == b"\xcf\xfa\xed\xfe":
        (code,) = struct.unpack_from("<I", header, 4)
        return _MACHO_MACHINES.get(code, f"Mach-O machine {code:#x}")
    return "an unknown platform"


def _stored_name(python_version: str, platform: str) -> str:
    return f"{python_version}-{platform}-{sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"


def _unpack(stored: Path, target: Path) -> None:
    if sha256(stored.read_bytes()).hexdigest()[:16] != stored.stem.rpartition("-")[2]:
        raise BundleError(
            f"{stored} is damaged, as its name has another digest: python -m lambdas.bundle --dependencies"
        )
    with zipfile.ZipFile(stored) as archive:
        archive.extractall(target)


def _install_dependencies(target: Path, python_version: str, platform: str) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(target), "--python", sys.executable]
    command += ["--python-version", python_version, "--python-platform", platform, "--only-binary", ":all:"]
    command += ["--require-hashes", "--no-deps", "--link-mode", "copy", "--no-config", "-r", str(REQUIREMENTS)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"the dependencies were not installed within {INSTALL_TIMEOUT_SECONDS} s") from error
    if done.returncode:
        raise BundleError(f"dependencies for Python {python_version} on {platform}: {done.stderr.strip()}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _zip(content: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in _files(content):
            entry = zipfile.ZipInfo(path.relative_to(content).as_posix(), _TIMESTAMP)
            entry.create_system = 3  # Unix, on any machine: otherwise the mode below is ignored.
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    return buffer.getvalue()


def _files(content: Path) -> Iterator[Path]:
    """The files that belong in the zip, in the order of their names."""
    for path in sorted(content.rglob("*"), key=lambda path: path.relative_to(content).as_posix()):
        launcher = path.is_relative_to(content / "bin")
        if path.is_file() and not launcher and path.name not in _INSTALLER_FILES and path.suffix != ".pyc":
            yield path


def main(arguments: list[str] | None = None) -> int:
    python_version, platform = local_target()
    parser = argparse.ArgumentParser(prog="python -m lambdas.bundle", description=__doc__.splitlines()[0])
    made = parser.add_mutually_exclusive_group(required=True)
    made.add_argument("--function", choices=sorted(FUNCTIONS), help="which function to package")
    made.add_argument(
        "--dependencies", action="store_true", help="store the dependencies, so that bundles need no package index"
    )
    parser.add_argument("--python", default=python_version, help="Python of the target (default: %(default)s)")
    parser.add_argument(
        "--platform",
        default=platform,
        help="its platform, as uv's --python-platform names it (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the zip; needed for a function")
    options = parser.parse_args(arguments)
    if options.function and not options.output:
        parser.error("--function needs --output")
    target = {"python_version": options.python, "platform": options.platform}
    try:
        if options.dependencies:
            path = store_dependencies(**target, output_dir=options.output or DEPENDENCIES)
        else:
            path = bundle(options.function, **target, output_dir=options.output)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
