"""The stream path of the fault suite: deployed once a file, calm before each test, checked whole after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.deployment import Deploy
from tests.fixtures.stream_path import Records, StreamPath


# By file: a driver polls for as long as it lives, also beside all tests that come later.
@pytest.fixture(scope="module")
def deployed(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamPath]:
    path = StreamPath(tmp_path_factory.mktemp("chaos"))
    try:
        path.start(deploy)
        yield path
    finally:
        path.stop()


@pytest.fixture
def path(deployed: StreamPath, seed: int) -> Iterator[StreamPath]:
    """What a test puts must be delivered and accounted for when the test ends."""
    print(f"seed {seed}")
    deployed.calm()
    yield deployed
    deployed.calm()


@pytest.fixture
def records(seed: int, request: pytest.FixtureRequest) -> Records:
    """Events that no other test makes."""
    return Records(f"{seed} {request.node.name}")
