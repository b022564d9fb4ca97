"""Which release of the pipeline is installed, so that its code and its DAG files are one version.

The wheel has the DAG files too (``clicks_to_deliveries/dags``), to compare others with.  In a checkout this folder does
not exist: there, code and DAGs are of one commit.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

DISTRIBUTION = "clicks-to-deliveries"
INSTALLED_DAGS = Path(__file__).with_name("dags")


class MixedReleasesError(Exception):
    """DAGs and code are of two releases; the message says which, and what to do."""


@cache
def installed_release() -> str:
    """The wheel's version, and a digest of its files, as two builds may have one version: ``0.2.0-3f2a9c01d4e5``.

    Raises:
        MixedReleasesError: the code that runs is not that of an installed wheel.
    """
    try:
        wheel = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        wheel = None
    if wheel is None or not INSTALLED_DAGS.is_dir():
        raise MixedReleasesError(f"{Path(__file__).parent} is not of a wheel of {DISTRIBUTION} (docs/where-it-runs.md)")
    # An installer's own files and compiled ones differ between two installations of one wheel.
    files = [line for line in (wheel.read_text("RECORD") or "").splitlines() if _is_ours(line.partition(",")[0])]
    digest = sha256("\n".join(sorted(files)).encode()).hexdigest()
    return f"{wheel.version}-{digest[:12]}"


def _is_ours(file: str) -> bool:
    return ".dist-info/" not in file and not file.endswith(".pyc")


def check_dag_file(file: str) -> None:
    """Refuse a DAG file that is not the installed release's.

    Raises:
        MixedReleasesError: ``file`` differs from the installed wheel's, or the wheel has no such file.
    """
    path, ours = Path(file), INSTALLED_DAGS / Path(file).name
    if path == ours or not INSTALLED_DAGS.is_dir():
        return
    if not ours.is_file() or ours.read_bytes() != path.read_bytes():
        raise MixedReleasesError(
            f"{path.name} is not of release {installed_release()}, which is installed: take the DAG files and the "
            "wheel of one release (docs/where-it-runs.md)"
        )
