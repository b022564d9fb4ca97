"""The DAGs of the installed wheel, as a versioned DAG bundle of Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles import base

from clicks_to_deliveries.release import INSTALLED_DAGS, MixedReleasesError, installed_release


class InstalledDagBundle(base.BaseDagBundle):
    """Code and DAGs of a run are of one release: the bundle's version is the wheel's.

    Airflow stores the version with each run, and a worker opens the bundle with it.  A worker that has another release
    refuses the task.
    """

    supports_versioning = True

    def initialize(self) -> None:
        """Check the release.

        Raises:
            MixedReleasesError: the run is of another release than the one installed here.
        """
        release = installed_release()
        if self.version and self.version != release:
            raise MixedReleasesError(
                f"the run is of release {self.version}, and {release} is installed here: let all of Airflow's machines "
                "have one release, then clear the run's failed tasks with the latest version (docs/where-it-runs.md)"
            )
        super().initialize()

    @property
    def path(self) -> Path:
        """The wheel's folder of DAG files."""
        return INSTALLED_DAGS

    def get_current_version(self) -> Any:
        """Return the installed release."""
        # Airflow before 3.3 has no class for it.
        return getattr(base, "BundleVersion", str)(installed_release())

    def refresh(self) -> None:
        """Do nothing: a new wheel needs new processes."""
