"""The batch path of the fault suite: deployed once, calm before each test, checked whole after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.local.snowflake.tls import TlsFiles
from tests.fixtures.batch_path import BatchPath, Fleet
from tests.fixtures.deployment import Deploy


@pytest.fixture(scope="package")
def deployed(deploy: Deploy, snowflake_tls: TlsFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchPath]:
    path = BatchPath(tmp_path_factory.mktemp("batch"), snowflake_tls)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in path.environment.items():
                patch.setenv(name, value)
            path.start(deploy)
            yield path
    finally:
        path.stop()


@pytest.fixture
def path(deployed: BatchPath, seed: int) -> Iterator[BatchPath]:
    """What a test lands must be loaded, merged and accounted for when the test ends."""
    print(f"seed {seed}")
    deployed.calm()
    yield deployed
    deployed.calm()


@pytest.fixture
def fleet(seed: int, request: pytest.FixtureRequest) -> Fleet:
    """Readings that no other test makes."""
    return Fleet(f"{seed} {request.node.name}")
